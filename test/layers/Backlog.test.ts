/** What becomes of reports that had to wait: expired, collapsed, or one digest of many, each on record and each once. */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import fc from "fast-check"
import type { EventOf } from "../../src/domain/JournalEvent.ts"
import { checkTranscript } from "../../src/testing/checkers/transcript.ts"
import { type Peer, scriptedPeer } from "../../src/testing/ScriptedPeer.ts"
import { linked, mainSession, pass, settle, settleWith } from "./linked.ts"
import { type Memory, memory } from "./memoryStore.ts"

const run = (skill: string, n: number) => `${skill}@20261122T0600${String(n).padStart(2, "0")}Z`
const texts = (peer: Peer) => peer.transcript.map(({ text }) => text)
const labels = (peer: Peer) => texts(peer).map((text) => /^\[holdfast run=(.*)\]/.exec(text)?.[1])
const ofType = <Type extends EventOf<any>["type"]>(kept: Memory, type: Type) =>
  kept.journal.filter((event): event is EventOf<Type> => event.type === type)
const digest = { afterMs: 1_000, above: 2 }

/** A link that is down, and has been when the reports settled. */
const away = Effect.gen(function* () {
  const peer = yield* scriptedPeer
  const kept = memory()
  peer.refuse("refused")
  const world = yield* linked(peer, kept, digest)
  return { peer, kept, ...world }
})

describe("a backlog", () => {
  it.effect("of a long outage becomes one row that says what it stands for", () =>
    Effect.gen(function* () {
      const { peer, kept, services } = yield* away
      yield* settle(services, run("a", 1), run("b", 1), run("a", 2))
      yield* settleWith(services, { outcome: "failed" }, run("b", 2))
      yield* pass(1_100)
      peer.refuse(undefined)
      yield* pass(10_000)
      assert.deepStrictEqual(labels(peer), [`digest+${run("b", 2)}`])
      const [text = ""] = texts(peer)
      assert.include(text, "from 1970-01-01T00:00:00Z to 1970-01-01T00:00:0")
      assert.include(text, "4 reports in one")
      assert.include(text, "\na: 2 success\nb: 1 success, 1 failed\n")
      assert.include(text, `not well: failed ${run("b", 2)}\n`)
      assert.strictEqual(kept.ledger.outbox.size, 0)
      assert.strictEqual(kept.ledger.acknowledged, 1)
    })
  )

  it.effect("that is short, or young, is told one by one", () =>
    Effect.gen(function* () {
      const { peer, services } = yield* away
      yield* settle(services, run("a", 1), run("a", 2))
      yield* pass(1_100)
      peer.refuse(undefined)
      yield* pass(10_000)
      peer.refuseCalls("chat.inject", { code: "UNAVAILABLE", message: "", retryable: true, retryAfterMs: 900 }, 1)
      yield* settle(services, run("a", 3), run("a", 4), run("a", 5))
      yield* pass(10_000)
      assert.deepStrictEqual(
        labels(peer),
        [1, 2, 3, 4, 5].map((n) => run("a", n))
      )
    })
  )

  it.effect("has caught up once the digest stands there that it became on the way", () =>
    Effect.gen(function* () {
      const { peer, services, mode } = yield* away
      peer.refuseCalls("chat.inject", { code: "UNAVAILABLE", message: "", retryable: true, retryAfterMs: 1_500 })
      yield* settle(services, run("a", 1), run("a", 2), run("a", 3), run("a", 4))
      yield* pass(300)
      peer.refuse(undefined)
      peer.commitAfter(2_000)
      yield* pass(5_500)
      assert.deepStrictEqual(labels(peer), [run("a", 1)])
      assert.strictEqual(mode(), "resyncing")
      yield* pass(10_000)
      assert.deepStrictEqual(labels(peer), [run("a", 1), `digest+${run("a", 4)}`])
      assert.strictEqual(mode(), "connected")
    })
  )

  it.effect("is digested once, though the session is lost while the disk takes its time with that", () =>
    Effect.gen(function* () {
      const { peer, kept, services } = yield* away
      yield* settle(services, run("a", 1), run("a", 2), run("a", 3))
      yield* pass(1_100)
      peer.refuse(undefined)
      kept.appendMs = 1_500
      for (let i = 0; i < 60 && peer.lines().open === 0; i++) yield* pass(50)
      yield* pass(200)
      yield* peer.drop()
      yield* pass(200)
      kept.appendMs = 0
      yield* settle(services, run("a", 4)) // Else a second digest would be the first.
      yield* pass(20_000)
      assert.deepStrictEqual(
        ofType(kept, "entries.digested").map(({ runs }) => runs.length),
        [3]
      )
      assert.sameMembers(labels(peer), [`digest+${run("a", 3)}`, run("a", 4)])
    })
  )

  it.effect("makes a digest for each session", () =>
    Effect.gen(function* () {
      const { peer, services } = yield* away
      peer.sessions.add("other")
      for (const n of [1, 2, 3]) {
        yield* settle(services, run("a", n))
        yield* settleWith(services, { session: "other" }, run("b", n))
      }
      yield* pass(1_100)
      peer.refuse(undefined)
      yield* pass(10_000)
      assert.deepStrictEqual(
        peer.transcript.map(({ session }) => session),
        [mainSession, "other"]
      )
    })
  )

  it.effect("does not put what may stand in the transcript into a digest", () =>
    Effect.gen(function* () {
      const peer = yield* scriptedPeer
      const kept = memory()
      const { services } = yield* linked(peer, kept, digest)
      yield* pass(1_000)
      peer.loseReplies(1)
      yield* settle(services, run("a", 1))
      yield* pass(40)
      peer.refuse("refused")
      yield* pass(60)
      yield* settle(services, run("a", 2), run("a", 3), run("a", 4))
      yield* pass(1_100)
      peer.refuse(undefined)
      yield* pass(10_000)
      assert.deepStrictEqual(labels(peer), [run("a", 1), `digest+${run("a", 4)}`])
    })
  )

  it.effect("sends only the newest report of a skill that says so, and has the others on record", () =>
    Effect.gen(function* () {
      const { peer, kept, services } = yield* away
      yield* settleWith(services, { collapse: true }, run("a", 1), run("b", 1), run("a", 2))
      yield* settle(services, run("c", 1), run("c", 2))
      yield* pass(500)
      peer.refuse(undefined)
      yield* pass(10_000)
      assert.notInclude(labels(peer), run("a", 1))
      assert.deepStrictEqual(
        ofType(kept, "entry.collapsed").map(({ run, into }) => [run, into]),
        [[run("a", 1), run("a", 2)]]
      )
    })
  )

  it.effect("parks what nobody wants to know any more, also what was sent and is not there", () =>
    Effect.gen(function* () {
      const peer = yield* scriptedPeer
      const kept = memory()
      const { services } = yield* linked(peer, kept)
      yield* pass(1_000)
      peer.commitAfter(1_000)
      yield* settleWith(services, { expiresAtMs: 3_000 }, run("a", 1))
      yield* pass(100)
      peer.refuse("refused")
      yield* peer.reboot // The frame dies with it.
      yield* settleWith(services, { expiresAtMs: 3_000 }, run("a", 2))
      yield* settleWith(services, { expiresAtMs: 60_000 }, run("a", 3))
      yield* pass(3_000)
      peer.refuse(undefined)
      yield* pass(20_000)
      assert.deepStrictEqual(labels(peer), [run("a", 3)])
      assert.deepStrictEqual([...kept.ledger.parked.keys()].sort(), [run("a", 1), run("a", 2)])
      assert.match(kept.ledger.parked.get(run("a", 1))!.reason, /^expired: not delivered within .* \(report\.keepFor\)$/)
    })
  )

  it.effect("has each report in one place, whatever happens to the line and to the runtime", () =>
    Effect.gen(function* () {
      const moves = fc.oneof(
        { weight: 5, arbitrary: fc.record({ what: fc.constant("settle" as const), n: fc.integer({ min: 1, max: 4 }) }) },
        { weight: 3, arbitrary: fc.record({ what: fc.constant("pass" as const), n: fc.integer({ min: 1, max: 40 }) }) },
        {
          weight: 6,
          arbitrary: fc.record({
            what: fc.constantFrom("refuse", "listen", "loseReplies", "drop", "reboot", "die", "drain"),
            n: fc.integer({ min: 1, max: 3 })
          })
        }
      )
      const stories = fc.sample(
        fc.record({ commitMs: fc.constantFrom(0, 120, 1_000), steps: fc.array(moves, { minLength: 6, maxLength: 16 }) }),
        { seed: 20261122, numRuns: 40 }
      )
      const seen = { digests: 0, collapsed: 0, parked: 0, rows: 0 }
      for (const { commitMs, steps } of stories) {
        const kept = memory()
        const story = JSON.stringify({ commitMs, steps })
        yield* Effect.scoped(
          Effect.gen(function* () {
            const peer = yield* scriptedPeer
            peer.commitAfter(commitMs)
            let settled = 0
            const lives = Map.groupBy(
              steps,
              (
                (life) =>
                ({ what }: { what: string }) =>
                  what === "die" ? ++life : life
              )(0)
            )
            for (const life of [...lives.values(), []]) {
              yield* Effect.scoped(
                Effect.gen(function* () {
                  const { services } = yield* linked(peer, kept, digest)
                  for (const { what, n } of life) {
                    if (what === "settle") {
                      for (let i = 0; i < n; i++) {
                        const skill = "abc"[settled % 3]!
                        const terms = skill === "a" ? { collapse: true as const } : skill === "b" ? { expiresAtMs: settled * 2_000 } : {}
                        yield* settleWith(services, terms, run(skill, settled++))
                      }
                    } else if (what === "pass") yield* pass(n * 50)
                    else if (what === "refuse") peer.refuse("refused")
                    else if (what === "listen") peer.refuse(undefined)
                    else if (what === "loseReplies") peer.loseReplies(n)
                    else if (what === "drop") yield* peer.drop()
                    else if (what === "reboot") yield* peer.reboot
                    else if (what === "drain")
                      peer.refuseCalls("chat.inject", { code: "UNAVAILABLE", message: "", retryable: true, retryAfterMs: 1_000 }, n)
                  }
                  if (life.length === 0) {
                    peer.refuse(undefined)
                    for (let waited = 0; kept.ledger.outbox.size > 0 && waited < 60; waited++) yield* pass(1_000)
                  }
                })
              )
            }
            assert.strictEqual(kept.ledger.outbox.size, 0, story)
            assert.deepStrictEqual(checkTranscript(kept.journal, peer.transcript, { session: mainSession }), [], story)
            const digests = ofType(kept, "entries.digested")
            const collapsed = ofType(kept, "entry.collapsed").map((event) => event.run)
            const parked = [...kept.ledger.parked.keys()]
            const rows = labels(peer).filter((label) => label?.startsWith("digest+") === false)
            const places = [...rows, ...digests.flatMap(({ runs }) => runs), ...collapsed, ...parked]
            assert.sameMembers(
              places,
              ofType(kept, "run.settled").map((event) => event.run),
              story
            )
            seen.digests += digests.length
            seen.collapsed += collapsed.length
            seen.parked += parked.length
            seen.rows += rows.length
          })
        )
      }
      for (const [kind, count] of Object.entries(seen)) assert.isAbove(count, 5, kind) // Else the stories say nothing of it.
    })
  )
})
