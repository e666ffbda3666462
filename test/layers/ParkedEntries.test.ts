import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { dropEntry, redriveEntries } from "../../src/layers/ParkedEntries.ts"
import { scriptedPeer } from "../../src/testing/ScriptedPeer.ts"
import { checkTranscript } from "../../src/testing/checkers/transcript.ts"
import { linked, pass, settle, settleWith } from "./linked.ts"
import { memory } from "./memoryStore.ts"

const run = (n: number) => `skill-${n}@20261122T060000Z`
const forbidden = { code: "FORBIDDEN", message: "missing scope", details: { code: "MISSING_SCOPE" } }

/** A link over which the first reports were refused for good. */
const refused = Effect.fnUntraced(function* (...runs: ReadonlyArray<string>) {
  const peer = yield* scriptedPeer
  const kept = memory()
  const { services } = yield* linked(peer, kept)
  yield* pass(1_000)
  peer.refuseCalls("chat.inject", forbidden, runs.length)
  yield* settle(services, ...runs)
  yield* pass(1_000)
  assert.deepStrictEqual([...kept.ledger.parked.keys()], runs)
  return { peer, kept, services, rows: () => peer.transcript.map(({ text }) => text.split("\n\n")[1]) }
})

describe("a parked report", () => {
  it.effect("is sent again when somebody asks, with the name of who did on record", () =>
    Effect.gen(function* () {
      const { kept, services, rows, peer } = yield* refused(run(1), run(2))
      assert.deepStrictEqual(yield* Effect.provide(redriveEntries(run(2), "somebody"), services), [run(2)])
      yield* pass(10_000)
      assert.deepStrictEqual(rows(), [`report of ${run(2)}`])
      assert.deepStrictEqual([...kept.ledger.parked.keys()], [run(1)])
      assert.deepInclude(
        kept.journal.find(({ type }) => type === "entry.redriven")!,
        { run: run(2), by: "somebody" }
      )
      assert.deepStrictEqual(yield* Effect.provide(redriveEntries(undefined, "somebody"), services), [run(1)])
      yield* pass(10_000)
      assert.deepStrictEqual(rows(), [`report of ${run(2)}`, `report of ${run(1)}`])
      assert.deepStrictEqual(checkTranscript(kept.journal, peer.transcript), [])
      assert.deepStrictEqual(yield* Effect.provide(redriveEntries(undefined, "somebody"), services), [])
    })
  )

  it.effect("that stands in the session after all is found there and not told twice", () =>
    Effect.gen(function* () {
      const peer = yield* scriptedPeer
      const kept = memory()
      const { services } = yield* linked(peer, kept)
      yield* pass(1_000)
      peer.loseReplies(1)
      yield* settle(services, run(1))
      yield* pass(50)
      peer.refuseCalls("chat.history", forbidden) // So that nobody can know.
      yield* pass(5_000)
      assert.include(kept.ledger.parked.get(run(1))!.reason, "chat.history: FORBIDDEN")
      yield* Effect.provide(redriveEntries(run(1), "somebody"), services)
      yield* pass(10_000)
      assert.strictEqual(peer.transcript.length, 1)
      assert.strictEqual(kept.ledger.acknowledged, 1)
    })
  )

  it.effect("that was too old does not expire again", () =>
    Effect.gen(function* () {
      const peer = yield* scriptedPeer
      const kept = memory()
      const { services } = yield* linked(peer, kept)
      yield* settleWith(services, { expiresAtMs: 0 }, run(1))
      yield* pass(2_000)
      assert.include(kept.ledger.parked.get(run(1))!.reason, "expired")
      yield* Effect.provide(redriveEntries(run(1), "somebody"), services)
      yield* pass(2_000)
      assert.strictEqual(peer.transcript.length, 1)
    })
  )

  it.effect("can be given up, and then is none", () =>
    Effect.gen(function* () {
      const { kept, services, rows } = yield* refused(run(1))
      yield* Effect.provide(dropEntry(run(1), "somebody"), services)
      assert.strictEqual(kept.ledger.parked.size, 0)
      assert.deepInclude(kept.journal.at(-1)!, { type: "entry.dropped", run: run(1), by: "somebody" })
      assert.deepInclude(yield* Effect.flip(Effect.provide(dropEntry(run(1), "somebody"), services)), { code: "ENTRY_NOT_PARKED" })
      assert.deepInclude(yield* Effect.flip(Effect.provide(redriveEntries(run(1), "somebody"), services)), { code: "ENTRY_NOT_PARKED" })
      yield* pass(10_000)
      assert.deepStrictEqual(rows(), [])
    })
  )

  it.effect("of an older version goes again while its run is remembered, and is refused with what is left to do after that", () =>
    Effect.gen(function* () {
      const { peer, kept, services } = yield* refused(run(1), run(2))
      for (const [id, { reason }] of kept.ledger.parked) kept.ledger.parked.set(id, { reason })
      kept.ledger.runs.delete(run(2))
      assert.deepStrictEqual(yield* Effect.provide(redriveEntries(undefined, "somebody"), services), [run(1)])
      assert.deepInclude(yield* Effect.flip(Effect.provide(redriveEntries(run(2), "somebody"), services)), { code: "ENTRY_GONE" })
      yield* pass(10_000)
      assert.strictEqual(peer.transcript.length, 1)
    })
  )
})
