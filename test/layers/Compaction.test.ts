import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import * as fc from "fast-check"
import { hashOf, LedgerReader, linesOf } from "../../src/domain/canonical.ts"
import { DiskError } from "../../src/domain/Errors.ts"
import { Disk } from "../../src/layers/Disk.ts"
import { type NewEvent, readState, type StateOptions, type StateStore } from "../../src/layers/StateStore.ts"
import { session } from "../contracts/state.ts"

const opened = <A, E, R>(options: StateOptions, work: (store: StateStore["Service"]) => Effect.Effect<A, E, R>) =>
  session("/state", work, options)

/** A life of one run: every kind of thing that a ledger remembers of it. */
const life = (n: number): ReadonlyArray<NewEvent> => {
  const run = `job@${new Date(n * 60_000).toISOString().replace(/[-:]/g, "").replace(".000", "")}`
  const given: ReadonlyArray<NewEvent> = [
    { type: "run.claimed", run, skill: "job", slot: n * 60_000, fence: n, digest: "d", missed: 0, atMs: n * 60_000 },
    { type: "attempt.started", run, attempt: 1, atMs: n * 60_000 },
    { type: "attempt.spawned", run, attempt: 1, pid: n, startTime: "1", bootId: "b", atMs: n * 60_000 },
    { type: "step.started", run, attempt: 1, step: "one", atMs: n * 60_000 },
    { type: "step.finished", run, attempt: 1, step: "one", result: { z: [1, null], a: "é" }, atMs: n * 60_000 },
    {
      type: "run.settled",
      run,
      outcome: n % 3 === 0 ? "failed" : "success",
      reason: "",
      startedAtMs: n,
      durationMs: 1,
      fields: { posts: n, "10": "ten" },
      report:
        n % 2 === 0
          ? { session: "main", text: `run ${n}`, ...(n % 3 === 0 ? { via: "wake", expiresAtMs: 1e15, collapse: true } : {}) }
          : null,
      atMs: n * 60_000
    },
    { type: "entry.sent", run, gatewayBootId: "g", atMs: n * 60_000 },
    n % 4 === 0 ? { type: "entry.parked", run, reason: "no", atMs: n * 60_000 } : { type: "mode.changed", from: "a", to: "b", reason: "" }
  ]
  if (n % 10 === 0) return [...given.slice(0, 5), { type: "run.parked", run, reason: "other steps", atMs: n * 60_000 }]
  return n % 5 === 0 ? given.slice(0, 5) : given // Each fifth run is still under way, or parked.
}
const adoption: NewEvent = {
  type: "skill.adopted",
  skill: "job",
  digest: "d",
  schedule: { _tag: "Every", everyMs: 60_000, anchorMs: 0 },
  from: 0
}
const live = (store: StateStore["Service"], from: number, to: number) =>
  Effect.forEach(
    Array.from({ length: to - from }, (_, i) => from + i),
    (n) => store.append(...life(n)),
    { discard: true }
  )

const small: StateOptions = { segmentBytes: 4_096, reserveBytes: 512, history: { runs: 1_000_000, days: 36_500 } }
const journal = (memory: ReturnType<typeof Disk.memory>) =>
  [...memory.files().keys()].filter((path) => path.startsWith("/state/journal/")).map((path) => path.slice("/state/journal/".length))
const hashNow = Effect.map(readState("/state"), ({ ledger }) => hashOf(ledger))

describe("the canonical form of a ledger", () => {
  it.effect("is read back byte for byte, and goes on as the ledger itself does", () =>
    Effect.gen(function* () {
      const memory = Disk.memory()
      yield* opened(small, (store) =>
        Effect.gen(function* () {
          yield* store.append(adoption, { type: "skill.approved", skill: "not-adopted", digest: "d", by: "somebody" })
          yield* live(store, 1, 40)
          const [first = "", second = ""] = [...store.ledger.outbox].flatMap(([run, { sent }]) => (sent === undefined ? [] : [run]))
          const [parked = "", dropped = ""] = store.ledger.parked.keys()
          yield* store.append(
            {
              type: "entries.digested",
              digest: `digest+${second}`,
              session: "main",
              text: "2 of them",
              runs: [first, second],
              via: "wake"
            },
            { type: "entry.redriven", run: parked, by: "somebody" },
            { type: "entry.dropped", run: dropped, by: "somebody" }
          )
          assert.isTrue(store.ledger.outbox.has(parked) && !store.ledger.parked.has(dropped) && store.ledger.parked.size > 0)
          const lines = [...linesOf(store.ledger)]
          const reader = new LedgerReader()
          for (const line of lines) assert.isTrue(reader.take(line), line)
          assert.deepStrictEqual([...linesOf(reader.ledger)], lines)
          assert.deepStrictEqual(reader.ledger, store.ledger) // What has no line would be the same in both.
          const more = life(41).map((event) => ({ v: 1, atMs: 0, ...event }) as never)
          for (const event of more) reader.ledger.apply(event)
          yield* store.append(...life(41))
          assert.deepStrictEqual([...linesOf(reader.ledger)], [...linesOf(store.ledger)])
        })
      ).pipe(Effect.provide(memory.layer))
    })
  )

  it("takes no line that it could not have given", () => {
    const totals = `{"totals":{"epoch":1,"stopped":true,"fence":0,"mode":"m","acknowledged":0,"settled":0,"slots":{"run":0,"coalesced":0,"skipped":0,"missed":0,"superseded":0}}}`
    const strange = [
      "",
      "null",
      "[]",
      "{}",
      `{"constructor":1}`,
      `{"__proto__":{}}`,
      `{"totals":{}}`,
      totals.replace(`"epoch":1`, `"epoch":"1"`),
      totals.replace(`"mode"`, `"mood"`),
      totals.replace(`"fence":0`, `"fence":0,"fense":0`),
      `{"parked":["r","x"]}`,
      `${totals.slice(0, -1)},"run":{}}`
    ]
    for (const line of strange) assert.isFalse(new LedgerReader().take(line), line)
    const reader = new LedgerReader()
    assert.isTrue(reader.take(totals))
    for (const line of [totals, `{"parked":["r"]}`, `{"entry":{"run":"r","session":"s","text":"t"}}`, `{"skill":{"name":"a"}}`])
      assert.isFalse(reader.take(line), line)
    assert.isTrue(reader.take(`{"parked":["r","x"]}`)) // As an older version had it.
    assert.isFalse(reader.take(`{"parked":["r","x",{"atMs":1}]}`))
    assert.isUndefined(reader.ledger.parkedEntry("r"))
  })
})

describe("a journal that grows", () => {
  it.effect("goes on in a new segment, which says what the one before it held", () =>
    Effect.gen(function* () {
      const memory = Disk.memory()
      const before = yield* opened(small, (store) =>
        Effect.gen(function* () {
          yield* store.append(adoption)
          yield* live(store, 1, 60)
          assert.strictEqual(store.epoch, 1)
          return hashOf(store.ledger)
        })
      ).pipe(Effect.provide(memory.layer))
      assert.isAbove(journal(memory).length, 5)
      assert.strictEqual(yield* hashNow.pipe(Effect.provide(memory.layer)), before)
      const next = yield* opened(small, (store) => Effect.succeed([store.epoch, hashOf(store.ledger)])).pipe(Effect.provide(memory.layer))
      assert.deepStrictEqual(next, [journal(memory).length, before])
    })
  )

  it.effect("comes to the same state from checkpoints, from older ones and from none", () =>
    Effect.gen(function* () {
      const memory = Disk.memory()
      yield* Effect.gen(function* () {
        const before = yield* opened(small, (store) =>
          Effect.gen(function* () {
            yield* store.append(adoption)
            for (const from of [1, 30, 60, 90]) {
              yield* live(store, from, from + 30)
              yield* store.compact
            }
            yield* live(store, 120, 125)
            return hashOf(store.ledger)
          })
        )
        const checkpoints = () => journal(memory).filter((name) => name.endsWith(".checkpoint"))
        assert.lengthOf(checkpoints(), 2)
        assert.strictEqual(yield* hashNow, before)
        const disk = yield* Disk
        const [older, newer] = checkpoints() as [string, string]
        const path = `/state/journal/${newer}`
        const whole = memory.files().get(path)!
        const damaged = Buffer.from(whole)
        damaged[damaged.length >> 1]! ^= 1
        memory.put(path, damaged)
        assert.strictEqual(yield* hashNow, before, "from the older one")
        assert.strictEqual(yield* opened(small, (store) => Effect.sync(() => hashOf(store.ledger))), before)
        assert.include([...memory.files().keys()].join(), `/state/damaged/${newer}-`)
        assert.deepStrictEqual(checkpoints(), [older])
        yield* disk.remove(`/state/journal/${older}`)
        assert.strictEqual(yield* hashNow, before, "from the journal alone")
      }).pipe(Effect.provide(memory.layer))
    })
  )

  it.effect("never takes a changed checkpoint for another state", () =>
    Effect.gen(function* () {
      const memory = Disk.memory()
      yield* Effect.gen(function* () {
        const before = yield* opened(small, (store) =>
          Effect.gen(function* () {
            yield* store.append(adoption)
            yield* live(store, 1, 30)
            yield* store.compact
            return hashOf(store.ledger)
          })
        )
        const path = [...memory.files().keys()].find((name) => name.endsWith(".checkpoint"))!
        const whole = memory.files().get(path)!
        const context = yield* Effect.context<Disk>()
        yield* Effect.promise(() =>
          fc.assert(
            fc.asyncProperty(fc.nat(whole.length - 1), fc.nat(7), fc.boolean(), async (place, bit, cut) => {
              const changed = Buffer.from(cut ? whole.subarray(0, place) : whole)
              if (!cut) changed[place]! ^= 1 << bit
              memory.put(path, changed)
              assert.strictEqual(await Effect.runPromiseWith(context)(hashNow), before)
            }),
            { numRuns: 100 }
          )
        )
      }).pipe(Effect.provide(memory.layer))
    })
  )

  it.effect("lets history go beyond the retention, and nothing that is under way or unreported", () =>
    Effect.gen(function* () {
      const memory = Disk.memory()
      yield* Effect.gen(function* () {
        const disk = yield* Disk
        const short: StateOptions = { ...small, history: { runs: 10, days: 36_500 } }
        const parts: Array<string> = []
        const before = yield* opened(short, (store) =>
          Effect.gen(function* () {
            yield* store.append(adoption)
            for (const from of [1, 21, 41]) {
              yield* live(store, from, from + 20)
              for (const run of store.ledger.runs.keys()) yield* disk.makeDir(`/state/runs/${run}`)
              if (from === 1) {
                parts.push(...[...store.ledger.outbox.keys()].slice(0, 2))
                yield* store.append({ type: "entries.digested", digest: "digest+x", session: "main", text: "", runs: parts })
              }
              yield* store.compact
            }
            const { ledger } = store
            const kept = yield* disk.list("/state/runs")
            for (const { run } of ledger.unsettled()) assert.include(kept, run)
            assert.lengthOf(parts, 2)
            const waiting = [...ledger.outbox.keys()].filter((run) => run !== "digest+x")
            for (const run of [...waiting, ...ledger.parked.keys(), ...parts]) assert.include(kept, run)
            assert.isBelow(kept.length, 60)
            return hashOf(ledger)
          })
        )
        const names = journal(memory)
        assert.isFalse(names.includes("0000000001.log"))
        const first = names.filter((name) => name.endsWith(".checkpoint"))[0]!
        assert.isTrue(names.includes(first.replace(".checkpoint", ".log")), "what the older checkpoint does not cover stays")
        assert.strictEqual(yield* hashNow, before)
        const after = yield* opened(short, (store) =>
          Effect.andThen(
            store.append(...life(61)),
            Effect.sync(() => hashOf(store.ledger))
          )
        )
        assert.strictEqual(yield* hashNow, after)
      }).pipe(Effect.provide(memory.layer))
    })
  )

  it.effect("keeps all of it that the retention asks for", () =>
    Effect.gen(function* () {
      const memory = Disk.memory()
      yield* opened(small, (store) =>
        Effect.gen(function* () {
          yield* store.append(adoption)
          for (const from of [1, 21, 41]) {
            yield* live(store, from, from + 20)
            yield* store.compact
          }
        })
      ).pipe(Effect.provide(memory.layer))
      assert.isTrue(journal(memory).includes("0000000001.log"))
    })
  )

  it.effect("stays in its segment while the disk has no room for another one, and is not fenced by what it tried", () =>
    Effect.gen(function* () {
      const memory = Disk.memory()
      yield* Effect.gen(function* () {
        const before = yield* opened(small, (store) =>
          Effect.gen(function* () {
            yield* store.append(adoption)
            memory.fail("open", "ENOSPC")
            yield* live(store, 1, 20)
            assert.deepStrictEqual(
              journal(memory).filter((name) => name.endsWith(".log")),
              ["0000000001.log"]
            )
            memory.heal()
            yield* live(store, 20, 22)
            return hashOf(store.ledger)
          })
        )
        assert.isAbove(journal(memory).length, 1)
        assert.strictEqual(yield* hashNow, before)
      }).pipe(Effect.provide(memory.layer))
    })
  )

  it.effect("takes back a next segment that it could not begin: it would fence itself", () =>
    Effect.gen(function* () {
      const memory = Disk.memory()
      let refused = 0
      let broken = true
      const disk = Disk.of({
        ...memory.disk,
        open: (path, options) =>
          Effect.map(memory.disk.open(path, options), (file) => ({
            ...file,
            append: (bytes) =>
              Effect.suspend(() => {
                if (!broken || !path.endsWith("0000000002.log")) return file.append(bytes)
                refused += 1
                return Effect.andThen(file.append(bytes.subarray(0, 7)), new DiskError({ operation: "append", path, code: "EDQUOT" }))
              })
          }))
      })
      yield* Effect.gen(function* () {
        const before = yield* opened(small, (store) =>
          Effect.gen(function* () {
            yield* store.append(adoption)
            yield* live(store, 1, 20)
            assert.isAbove(refused, 1)
            broken = false
            yield* live(store, 20, 22)
            return hashOf(store.ledger)
          })
        )
        assert.isTrue(journal(memory).includes("0000000002.log"))
        assert.strictEqual(yield* hashNow, before)
      }).pipe(Effect.provideService(Disk, disk))
    })
  )
})
