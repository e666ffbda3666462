/** What a start makes of the skills it finds: what they owe, what is over, and what is left alone. */
import { Effect, Exit, Layer, Logger, Scope } from "effect"
import { TestClock } from "effect/testing"
import { assert, describe, it } from "vitest"
import type { JournalEvent } from "../../src/domain/JournalEvent.ts"
import { iso } from "../../src/domain/Run.ts"
import type { SkillDefinition } from "../../src/domain/Skill.ts"
import { adopt } from "../../src/layers/Adoption.ts"
import type { ProcessIdentity } from "../../src/domain/Attempt.ts"
import { processIdentity } from "../../src/layers/platform.ts"
import { Process } from "../../src/layers/Process.ts"
import { type NewEvent, StateStore } from "../../src/layers/StateStore.ts"
import { beginningMs, inVirtualTime } from "../property.ts"
import { type Memory, memory, memoryStore } from "./memoryStore.ts"

const everyTen = { _tag: "Every", everyMs: 10_000, anchorMs: 0 } as const
const skill = (change: Partial<SkillDefinition> = {}): SkillDefinition => ({
  name: "beat",
  description: "",
  schedule: everyTen,
  work: { _tag: "Process", argv: ["./beat"], folder: "/beat" },
  timeoutMs: 1,
  graceMs: 1,
  retry: { attemptsMax: 1, firstMs: 1, capMs: 1 },
  catchUp: "latest",
  overlap: "skip",
  onInterruption: "rerun",
  needs: [],
  report: { when: "change", session: undefined },
  env: [],
  digest: "first",
  ...change
})

/** One start on this memory, `afterMs` after the beginning; gives what it put on record. */
const start = Effect.fnUntraced(function* (
  kept: Memory,
  skills: ReadonlyArray<SkillDefinition>,
  {
    afterMs = 0,
    unreadable = [],
    alive = []
  }: { readonly afterMs?: number; readonly unreadable?: ReadonlyArray<string>; readonly alive?: ReadonlyArray<number> } = {}
) {
  yield* TestClock.setTime(beginningMs + afterMs)
  const asked: Array<string> = []
  const processes = Layer.succeed(Process, {
    run: () => Effect.die("nothing runs here"),
    follow: () => Effect.die("nothing runs here"),
    terminate: () => Effect.die("nothing runs here"),
    survivors: (orphans) =>
      Effect.sync(() => {
        asked.push(...orphans.map(({ directory, process }) => `${directory} ${process?.pid ?? "unknown"}`))
        return { killed: 0, alive }
      })
  })
  const scope = yield* Scope.make()
  const before = kept.journal.length
  const services = yield* Layer.buildWithScope(Layer.merge(memoryStore(kept), processes), scope)
  const adopted = yield* Effect.provide(adopt({ version: "0", skills, unreadable: new Set(unreadable) }), services)
  const record = (...events: ReadonlyArray<NewEvent>) =>
    Effect.provide(
      StateStore.use((store) => store.append(...events)),
      services
    )
  return { adopted, asked, record, told: told(kept.journal.slice(before)), ledger: kept.ledger, end: Scope.close(scope, Exit.void) }
})

const told = (events: ReadonlyArray<JournalEvent>) =>
  events.flatMap((event) => {
    switch (event.type) {
      case "runtime.started":
        return []
      case "skill.adopted":
        return [`${event.skill} adopted from ${iso(event.from).slice(14, -1)}`]
      case "slot.settled":
        return [`${event.skill} ${event.count} slots ${event.verdict}: ${event.reason}`]
      case "run.settled":
        return [`${event.run} ${event.outcome}: ${event.reason}`]
      case "skill.quarantined":
        return [`${event.skill} quarantined: ${event.why}`]
      default:
        return ["skill" in event ? `${event.skill} ${event.type}` : event.type]
    }
  })
const run = `beat@${iso(beginningMs + 10_000).replace(/[-:]/g, "")}`
const claimed = { type: "run.claimed", run, skill: "beat", slot: beginningMs + 10_000, fence: 1, digest: "first", missed: 0 } as const
const attempted = { type: "attempt.started", run, attempt: 1 } as const
const spawned = { type: "attempt.spawned", run, attempt: 1, pid: 4321, startTime: "1", bootId: "b" } as const

describe("a skill", () => {
  it("is adopted from now on when it is new, and not again while nothing has changed", () =>
    inVirtualTime(
      Effect.gen(function* () {
        const kept = memory()
        assert.deepStrictEqual((yield* start(kept, [skill(), skill({ name: "by-hand", schedule: undefined })])).told, [
          "beat adopted from 00:00",
          "by-hand adopted from 00:00"
        ])
        assert.deepStrictEqual(
          (yield* start(kept, [skill(), skill({ name: "by-hand", schedule: undefined })], { afterMs: 35_000 })).told,
          []
        )
      })
    ))

  it("whose files have changed and whose schedule has not still owes what it owed", () =>
    inVirtualTime(
      Effect.gen(function* () {
        const kept = memory()
        yield* start(kept, [skill()])
        const { told, ledger } = yield* start(kept, [skill({ digest: "second" })], { afterMs: 35_000 })
        assert.deepStrictEqual(told, ["beat adopted from 00:00"])
        assert.deepInclude(ledger.skills.get("beat"), { digest: "second", settledThroughMs: beginningMs, owedFromMs: beginningMs })
      })
    ))

  it("whose schedule has changed settles first what the old one owed", () =>
    inVirtualTime(
      Effect.gen(function* () {
        const kept = memory()
        yield* start(kept, [skill()])
        const { told, ledger } = yield* start(kept, [skill({ digest: "second", schedule: { ...everyTen, everyMs: 7_000 } })], {
          afterMs: 35_000
        })
        assert.deepStrictEqual(told, ["beat 3 slots superseded: the schedule was changed", "beat adopted from 00:35"])
        assert.strictEqual(ledger.skills.get("beat")?.settledThroughMs, beginningMs + 35_000)
      })
    ))

  it("that is gone is removed, with what it owed and with its unsettled runs cancelled", () =>
    inVirtualTime(
      Effect.gen(function* () {
        const kept = memory()
        const first = yield* start(kept, [skill()])
        yield* first.record(claimed)
        yield* first.record(attempted)
        const { told, ledger } = yield* start(kept, [], { afterMs: 35_000 })
        assert.deepStrictEqual(told, [
          "beat 2 slots superseded: the skill was removed",
          `${run} cancelled: the skill was removed`,
          "beat skill.removed"
        ])
        assert.deepStrictEqual(ledger.unsettled(), [])
        assert.deepStrictEqual((yield* start(kept, [], { afterMs: 60_000 })).told, [], "once")
      })
    ))

  it("that comes back owes nothing from the time it was gone", () =>
    inVirtualTime(
      Effect.gen(function* () {
        const kept = memory()
        yield* start(kept, [skill()])
        yield* start(kept, [], { afterMs: 15_000 })
        const { told, ledger } = yield* start(kept, [skill()], { afterMs: 65_000 })
        assert.deepStrictEqual(told, ["beat adopted from 01:05"])
        assert.deepInclude(ledger.skills.get("beat"), { removed: false, settledThroughMs: beginningMs + 65_000 })
      })
    ))

  it("whose file cannot be read today keeps its records, its slots and its runs as they were", () =>
    inVirtualTime(
      Effect.gen(function* () {
        const kept = memory()
        const first = yield* start(kept, [skill()])
        yield* first.record(claimed)
        const { told, ledger } = yield* start(kept, [], { afterMs: 35_000, unreadable: ["beat"] })
        assert.deepStrictEqual(told, [])
        assert.deepInclude(ledger.skills.get("beat"), { removed: false, settledThroughMs: beginningMs + 10_000 })
        assert.strictEqual(ledger.unsettled("beat").length, 1)
      })
    ))
})

describe("what an earlier runtime left running", () => {
  it("is looked for by its folder, and by its process where one is on record", () =>
    inVirtualTime(
      Effect.gen(function* () {
        const kept = memory()
        const first = yield* start(kept, [skill()])
        assert.deepStrictEqual(first.asked, [])
        yield* first.record(claimed)
        assert.deepStrictEqual((yield* start(kept, [skill()])).asked, [], "a claim alone has started nothing")
        yield* first.record(attempted)
        assert.deepStrictEqual((yield* start(memoryOf(kept), [skill()])).asked, [`/nowhere/runs/${run} unknown`])
        yield* first.record(spawned)
        assert.deepStrictEqual((yield* start(memoryOf(kept), [skill()])).asked, [`/nowhere/runs/${run} 4321`])
      })
    ))

  it("is looked for also where the skill is gone", () =>
    inVirtualTime(
      Effect.gen(function* () {
        const kept = memory()
        const first = yield* start(kept, [skill()])
        yield* first.record(claimed, attempted, spawned)
        assert.deepStrictEqual((yield* start(kept, [], { afterMs: 20_000 })).asked, [`/nowhere/runs/${run} 4321`])
      })
    ))

  it("is nothing where the skill is a function: it died with the process", () =>
    inVirtualTime(
      Effect.gen(function* () {
        const kept = memory()
        const inProcess = skill({ work: { _tag: "Function" } })
        const first = yield* start(kept, [inProcess])
        yield* first.record(claimed, attempted)
        assert.deepStrictEqual((yield* start(kept, [inProcess])).asked, [])
      })
    ))

  it.runIf(process.platform === "linux")("is adopted where the skill says so, and it is that very process", () =>
    inVirtualTime(
      Effect.gen(function* () {
        const wanted = skill({ onRuntimeDeath: "adopt" })
        const alive = yield* TestClock.withLive(processIdentity(process.pid))
        const startOn = Effect.fnUntraced(function* (identity: ProcessIdentity, skills = [wanted], ...more: ReadonlyArray<NewEvent>) {
          const kept = memory()
          const first = yield* start(kept, [wanted])
          yield* first.record(claimed, attempted, { ...spawned, ...identity }, ...more)
          const { told, asked, adopted } = yield* start(kept, skills)
          return { told, asked: asked.length, adopted }
        })
        const goesOn = { told: ["attempt.adopted"], asked: 0, adopted: [run] }
        const ended = { told: [], asked: 1, adopted: [] }
        assert.deepStrictEqual(yield* startOn(alive!), goesOn)
        assert.deepStrictEqual(yield* startOn({ ...alive!, startTime: "1" }), ended, "a later process of its number")
        assert.deepStrictEqual(yield* startOn({ ...alive!, bootId: "another" }), ended, "of another boot")
        assert.deepStrictEqual((yield* startOn(alive!, [])).asked, 1, "its skill is gone")
        const aside = { type: "skill.quarantined", skill: "beat", why: "it crashed" } as const
        assert.deepStrictEqual(yield* startOn(alive!, [wanted], aside), ended, "nobody would watch over it")
        assert.deepStrictEqual(yield* startOn(alive!, [wanted], { ...aside, probeAtMs: 1, probes: 0 }), goesOn)
      })
    )
  )

  it("and cannot be ended keeps its skill aside, on record", () =>
    inVirtualTime(
      Effect.gen(function* () {
        const kept = memory()
        const first = yield* start(kept, [skill()])
        yield* first.record(claimed, attempted, spawned)
        const { told, ledger } = yield* start(kept, [skill()], { alive: [4321] })
        assert.deepStrictEqual(told, ["beat quarantined: processes 4321 of an earlier run cannot be ended"])
        assert.isDefined(ledger.skills.get("beat")?.quarantined)
      })
    ))
})

describe("a clock behind what is on record", () => {
  const startBehind = (byMs: number, digest: string) =>
    inVirtualTime(
      Effect.gen(function* () {
        const kept = memory()
        yield* (yield* start(kept, [skill()], { afterMs: 60_000 })).record(claimed)
        const { journal, settledThroughMs } = { ...kept, ...kept.ledger.skills.get("beat")! }
        const changed = skill({ digest, schedule: { ...everyTen, everyMs: digest === "first" ? 10_000 : 5_000 } })
        yield* start(kept, [changed], { afterMs: 60_000 - byMs })
        assert.isAtLeast(kept.ledger.skills.get("beat")!.settledThroughMs, settledThroughMs)
        return kept.journal.slice(journal.findLastIndex(({ type }) => type === "runtime.started"))
      }).pipe(Effect.provide(Logger.layer([])))
    )

  for (const digest of ["first", "changed"]) {
    it(`is on record, and takes back nothing that was settled, with the schedule ${digest}`, async () => {
      for (const byMs of [3_000, 3_600_000, beginningMs]) {
        const events = await startBehind(byMs, digest)
        assert.deepInclude(events[1], { type: "clock.jumped", byMs: -byMs })
      }
    })
  }

  it("by no more than a clock is set right is no matter", async () => {
    assert.notInclude(
      (await startBehind(2_000, "first")).map(({ type }) => type),
      "clock.jumped"
    )
  })
})

/** The same journal, for a start that is to leave the other one as it is. */
const memoryOf = ({ journal }: Memory): Memory => ({ ...memory(), journal: [...journal] })
