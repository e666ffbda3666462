import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import fc from "fast-check"
import { isReportOf, label } from "../../src/domain/Outbox.ts"
import { linked, mainSession, pass, settle, settleWith } from "./linked.ts"
import { type Memory, memory } from "./memoryStore.ts"
import { type Peer, scriptedPeer } from "../../src/testing/ScriptedPeer.ts"

const run = (n: number) => `skill-${n}@20261122T060000Z`
const rows = (peer: Peer) => peer.transcript.map(({ text }) => text.split("\n\n")[1])
const reports = (...ns: ReadonlyArray<number>) => ns.map((n) => `report of ${run(n)}`)
const journaled = (kept: Memory, type: string) => kept.journal.filter((event) => event.type === type)
const acknowledgements = (kept: Memory) => kept.journal.flatMap((event) => (event.type === "entry.acknowledged" ? [event.how] : []))

/** What a line and its peer go through; `n` is how often or for how long. */
const faults = {
  drop: (peer: Peer) => peer.drop(),
  reboot: (peer: Peer) => peer.reboot,
  loseReplies: (peer: Peer, n: number) => Effect.sync(() => peer.loseReplies(n)),
  refuse: (peer: Peer) => Effect.sync(() => peer.refuse("refused")),
  listen: (peer: Peer) => Effect.sync(() => peer.refuse(undefined)),
  freeze: (peer: Peer, n: number) => Effect.andThen(Effect.andThen(peer.hang, pass(n * 3_000)), peer.thaw),
  drain: (peer: Peer, n: number) =>
    Effect.sync(() => peer.refuseCalls("chat.inject", { code: "UNAVAILABLE", message: "", retryable: true, retryAfterMs: 1_000 }, n))
}

describe("Outbox", () => {
  it.effect("delivers what waited, in the order in which the runs settled, and then the link is connected", () =>
    Effect.gen(function* () {
      const peer = yield* scriptedPeer
      const kept = memory()
      peer.refuse("refused")
      peer.commitAfter(300)
      const world = yield* linked(peer, kept)
      yield* settle(world.services, run(3), run(1), run(2))
      yield* pass(1_000)
      assert.strictEqual(world.mode(), "degraded.sessionLost")
      peer.refuse(undefined)
      yield* pass(500)
      assert.strictEqual(world.mode(), "resyncing")
      yield* pass(1_500)
      assert.deepStrictEqual(rows(peer), reports(3, 1, 2))
      assert.strictEqual(world.mode(), "connected")
      assert.deepStrictEqual(acknowledgements(kept), ["reply", "reply", "reply"])
      assert.strictEqual(kept.ledger.outbox.size, 0)
    })
  )

  it.effect("delivers what settles while connected at once", () =>
    Effect.gen(function* () {
      const peer = yield* scriptedPeer
      const kept = memory()
      const world = yield* linked(peer, kept)
      yield* pass(1_000)
      assert.strictEqual(world.mode(), "connected")
      yield* settle(world.services, run(1))
      yield* pass(200)
      assert.deepStrictEqual(rows(peer), reports(1))
    })
  )

  it.effect("puts on record that it sends before it sends", () =>
    Effect.gen(function* () {
      const peer = yield* scriptedPeer
      const kept = memory()
      const world = yield* linked(peer, kept)
      yield* pass(1_000)
      peer.commitAfter(5_000)
      yield* settle(world.services, run(1))
      yield* pass(200)
      assert.deepStrictEqual(kept.ledger.outbox.get(run(1))!.sent?.gatewayBootId, "boot-1")
      assert.deepStrictEqual(rows(peer), [])
    })
  )

  it.effect("finds in the history what was committed before its reply was lost", () =>
    Effect.gen(function* () {
      const peer = yield* scriptedPeer
      const kept = memory()
      const world = yield* linked(peer, kept)
      yield* pass(1_000)
      peer.loseReplies(1)
      yield* settle(world.services, run(1), run(2))
      yield* pass(5_000)
      assert.deepStrictEqual(rows(peer), reports(1, 2))
      assert.deepStrictEqual(acknowledgements(kept), ["history", "reply"])
    })
  )

  it.effect("does not double a row that a frozen gateway commits after it thaws", () =>
    Effect.gen(function* () {
      const peer = yield* scriptedPeer
      const kept = memory()
      const world = yield* linked(peer, kept)
      yield* pass(1_000)
      peer.commitAfter(1_000) // Eight times the longest that was ever measured.
      yield* peer.hang
      yield* settle(world.services, run(1))
      yield* pass(10_000)
      assert.strictEqual(world.mode(), "degraded.sessionLost")
      yield* peer.thaw
      yield* pass(20_000)
      assert.deepStrictEqual(rows(peer), reports(1))
      assert.deepStrictEqual(acknowledgements(kept), ["history"])
      assert.strictEqual(world.mode(), "connected")
    })
  )

  it.effect("does not double a row whose reply took longer than we waited", () =>
    Effect.gen(function* () {
      const peer = yield* scriptedPeer
      const kept = memory()
      const world = yield* linked(peer, kept)
      yield* pass(1_000)
      peer.commitAfter(16_500) // It answers pings all the while: the session stays.
      yield* settle(world.services, run(1))
      yield* pass(40_000)
      assert.deepStrictEqual(rows(peer), reports(1))
      assert.deepStrictEqual(acknowledgements(kept), ["history"])
    })
  )

  it.effect("sends nothing again while the history cannot be read", () =>
    Effect.gen(function* () {
      const peer = yield* scriptedPeer
      const kept = memory()
      const world = yield* linked(peer, kept)
      yield* pass(1_000)
      peer.loseReplies(1)
      yield* settle(world.services, run(1))
      yield* pass(50)
      peer.refuseCalls("chat.history", { code: "UNAVAILABLE", message: "busy", retryable: true, retryAfterMs: 500 }, 6)
      yield* pass(20_000)
      assert.deepStrictEqual(rows(peer), reports(1))
      assert.deepStrictEqual(acknowledgements(kept), ["history"])
    })
  )

  it.effect("sends again what a gateway lost with its process", () =>
    Effect.gen(function* () {
      const peer = yield* scriptedPeer
      const kept = memory()
      const world = yield* linked(peer, kept)
      yield* pass(1_000)
      peer.commitAfter(300)
      yield* settle(world.services, run(1))
      yield* pass(200)
      yield* peer.reboot
      yield* pass(10_000)
      assert.deepStrictEqual(rows(peer), reports(1))
      assert.strictEqual(journaled(kept, "entry.sent").length, 2)
    })
  )

  it.effect("looks up what an earlier runtime had sent, before it sends anything", () =>
    Effect.gen(function* () {
      const peer = yield* scriptedPeer
      const kept = memory()
      yield* Effect.scoped(
        Effect.gen(function* () {
          const world = yield* linked(peer, kept)
          yield* pass(1_000)
          peer.commitAfter(1_500)
          yield* settle(world.services, run(1), run(2))
          yield* pass(200)
        })
      ) // The runtime dies with its frame under way; the gateway commits it later.
      yield* linked(peer, kept)
      yield* pass(20_000)
      assert.deepStrictEqual(rows(peer), reports(1, 2))
      assert.deepStrictEqual(acknowledgements(kept), ["history", "reply"])
    })
  )

  it.effect("finds a row however many others were written after it", () =>
    Effect.gen(function* () {
      const peer = yield* scriptedPeer
      const kept = memory()
      const world = yield* linked(peer, kept)
      yield* pass(1_000)
      yield* settle(world.services, run(1))
      yield* pass(40) // Sent; its reply is lost with the line below.
      yield* peer.drop()
      yield* pass(60)
      peer.refuse("refused")
      for (let i = 0; i < 350; i++) yield* peer.say(mainSession, `talk ${i}`)
      peer.refuse(undefined)
      yield* pass(10_000)
      assert.strictEqual(peer.transcript.filter(({ text }) => text.includes("report of")).length, 1)
      assert.deepStrictEqual(acknowledgements(kept), ["history"])
    })
  )

  it.effect("parks what would be refused again, with the reason, and goes on", () =>
    Effect.gen(function* () {
      const peer = yield* scriptedPeer
      const kept = memory()
      const world = yield* linked(peer, kept)
      yield* pass(1_000)
      peer.refuseCalls("chat.inject", { code: "FORBIDDEN", message: "missing scope", details: { code: "MISSING_SCOPE" } })
      yield* settle(world.services, run(1), run(2))
      yield* pass(1_000)
      assert.deepStrictEqual(rows(peer), reports(2))
      assert.include(kept.ledger.parked.get(run(1))!.reason, "FORBIDDEN")
    })
  )

  it.effect("lets one session hold up the others for a minute, and then sends theirs first, each in its own order", () =>
    Effect.gen(function* () {
      const peer = yield* scriptedPeer
      const kept = memory()
      const { services } = yield* linked(peer, kept)
      peer.sessions.add("other")
      yield* pass(1_000)
      peer.refuseCalls("chat.history", { code: "UNAVAILABLE", message: "busy", retryable: true, retryAfterMs: 500 }, 1_000)
      peer.loseReplies(1)
      yield* settle(services, run(1), run(2))
      yield* settleWith(services, { session: "other" }, run(3), run(4))
      yield* pass(55_000)
      assert.deepStrictEqual(rows(peer), reports(1))
      yield* pass(10_000)
      assert.deepStrictEqual(rows(peer), reports(1, 3, 4))
      peer.refuseCalls("chat.history", { code: "", message: "" }, 0)
      yield* pass(10_000)
      assert.deepStrictEqual(rows(peer), reports(1, 3, 4, 2))
      assert.deepStrictEqual(acknowledgements(kept), ["reply", "reply", "history", "reply"])
    })
  )

  it.effect("makes a session that does not exist", () =>
    Effect.gen(function* () {
      const peer = yield* scriptedPeer
      peer.sessions.clear()
      const kept = memory()
      const world = yield* linked(peer, kept)
      yield* pass(1_000)
      yield* settle(world.services, run(1))
      yield* pass(1_000)
      assert.deepStrictEqual(rows(peer), reports(1))
      assert.isTrue(peer.calls.some(({ method }) => method === "sessions.create"))
    })
  )

  it.effect("waits as long as a draining gateway asks, and sends again without a look", () =>
    Effect.gen(function* () {
      const peer = yield* scriptedPeer
      const kept = memory()
      const world = yield* linked(peer, kept)
      yield* pass(1_000)
      peer.refuseCalls("chat.inject", { code: "UNAVAILABLE", message: "restarting", retryable: true, retryAfterMs: 3_000 }, 2)
      yield* settle(world.services, run(1))
      yield* pass(2_500)
      assert.deepStrictEqual(world.child("outbox").value, { delivery: "retryable", hooks: "idle", resync: "resting" })
      yield* pass(5_000)
      assert.deepStrictEqual(rows(peer), reports(1))
      const injected = peer.calls.filter(({ method }) => method === "chat.inject").map(({ atMs }) => atMs)
      assert.isTrue(injected[1]! - injected[0]! >= 3_000 && injected[2]! - injected[1]! >= 3_000)
      assert.deepStrictEqual(acknowledgements(kept), ["reply"])
    })
  )

  it.effect("sends at most fifty entries a second", () =>
    Effect.gen(function* () {
      const peer = yield* scriptedPeer
      peer.commitAfter(0)
      const kept = memory()
      peer.refuse("refused")
      const world = yield* linked(peer, kept)
      yield* settle(world.services, ...Array.from({ length: 200 }, (_, i) => run(i)))
      peer.refuse(undefined)
      yield* pass(10_000)
      const at = peer.transcript.map(({ atMs }) => atMs)
      assert.strictEqual(at.length, 200)
      assert.isTrue(at.every((atMs, i) => i < 50 || atMs - at[i - 50]! >= 1_000))
    })
  )

  it.effect("is caught up when what had waited is gone, whatever arrived meanwhile", () =>
    Effect.gen(function* () {
      const peer = yield* scriptedPeer
      const kept = memory()
      peer.refuse("refused")
      const world = yield* linked(peer, kept)
      yield* settle(world.services, run(1))
      yield* pass(1_000)
      peer.refuse(undefined)
      peer.commitAfter(1_000)
      yield* pass(500)
      yield* settle(world.services, run(2), run(3), run(4))
      yield* pass(2_000)
      assert.strictEqual(world.mode(), "connected")
      assert.isAbove(kept.ledger.outbox.size, 0)
    })
  )

  it.effect(
    "brings every report into the transcript once and in order, whatever happens to the line",
    () =>
      Effect.gen(function* () {
        const step = fc.oneof(
          { weight: 3, arbitrary: fc.record({ what: fc.constant("settle" as const), n: fc.integer({ min: 1, max: 3 }) }) },
          { weight: 3, arbitrary: fc.record({ what: fc.constant("pass" as const), n: fc.integer({ min: 1, max: 120 }) }) },
          {
            weight: 4,
            arbitrary: fc.record({
              what: fc.constantFrom(...(Object.keys(faults) as Array<keyof typeof faults>)),
              n: fc.integer({ min: 1, max: 3 })
            })
          }
        )
        const histories = fc.sample(
          fc.record({
            commitMs: fc.constantFrom(0, 25, 120, 1_000),
            steps: fc.array(step, { minLength: 4, maxLength: 14 })
          }),
          { seed: 20261122, numRuns: 30 }
        )
        for (const { commitMs, steps } of histories) {
          yield* Effect.scoped(
            Effect.gen(function* () {
              const peer = yield* scriptedPeer
              const kept = memory()
              peer.commitAfter(commitMs)
              const world = yield* linked(peer, kept)
              let settled = 0
              for (const { what, n } of steps) {
                if (what === "pass") yield* pass(n * 50)
                else if (what !== "settle") yield* faults[what](peer, n)
                else for (let i = 0; i < n; i++) yield* settle(world.services, run(settled++))
              }
              peer.refuse(undefined)
              yield* peer.thaw
              yield* pass(60_000)
              const plan = JSON.stringify({ commitMs, steps })
              assert.deepStrictEqual(rows(peer), reports(...Array(settled).keys()), plan)
              assert.strictEqual(world.mode(), "connected", plan)
              assert.strictEqual(kept.ledger.outbox.size, 0, plan)
            })
          )
        }
      }),
    120_000
  )

  it("labels fit the wire, differ between runs, and are told apart from one another", () => {
    const long = (key: string) => `${"s".repeat(64)}@20261122T060000.123Z+manual-${key.repeat(30)}`
    assert.strictEqual(label(run(1)), `holdfast run=${run(1)}`)
    assert.isAtMost(label(long("a")).length, 100)
    assert.notStrictEqual(label(long("a")), label(long("b")))
    const row = { role: "assistant", content: `[${label(`${run(1)}+manual-x`)}]\n\nx` }
    assert.isFalse(isReportOf(run(1), row))
    assert.isTrue(isReportOf(`${run(1)}+manual-x`, row))
    assert.isFalse(isReportOf(run(1), { role: "user", content: `[${label(run(1))}]\n\nx` })) // Anybody can quote a label.
  })
})
