/** Runs for slots of the past that got none, in virtual time: which slots, in which order, and that there is never a second run. */
import * as fc from "fast-check"
import { Effect, Exit, Fiber, Scope } from "effect"
import { TestClock } from "effect/testing"
import { assert, describe, it } from "vitest"
import type { JournalEvent } from "../../src/domain/JournalEvent.ts"
import { iso, runId } from "../../src/domain/Run.ts"
import { type DiskMemory, diskMemory } from "../../src/layers/DiskMemory.ts"
import type { SkillGiven } from "../../src/layers/Holdfast.ts"
import { effectWork, type EffectSkillContext } from "../../src/layers/SkillFunction.ts"
import { checkRuns, checkSlots } from "../../src/testing/checkers/index.ts"
import { afterCrash, makeWorld, type World } from "../../src/testing/World.ts"
import { beginningMs, inVirtualTime, property } from "../property.ts"
import { slowly } from "./slowDisk.ts"

type Work = (ctx: EffectSkillContext) => Effect.Effect<void, unknown>
const job = (settings: SkillGiven["settings"] = {}, work: Work = () => Effect.sleep(3_000)): SkillGiven => ({
  name: "job",
  description: "",
  settings: { schedule: { every: "10 seconds" }, ...settings },
  work: effectWork(work)
})
const ops = { by: "ops", why: "the disk was full" }
const t = (seconds: number) => beginningMs + seconds * 1_000
const slot = (seconds: number) => runId({ skill: "job", slotAtMs: t(seconds) })
const at = (atMs: number) => iso(atMs).slice(14, 19)

/** A world in which the slots of the first minute were skipped by a pause, 65 seconds after its beginning. */
const afterPause = Effect.fnUntraced(function* (skill: SkillGiven = job(), until = 65) {
  const world = yield* makeWorld({ skills: [skill] })
  yield* world.supervisor.pause("job", { by: "dev", why: "" })
  yield* world.pass(until * 1_000)
  yield* world.supervisor.resume("job", { by: "dev", why: "" })
  return world
})
const asked = (world: World, from: number, to: number, limit?: number) =>
  world.supervisor.backfill("job", { fromMs: t(from), toMs: t(to), limit }, ops)
const begun = (world: World) =>
  world.events().flatMap((event) => (event.type === "attempt.started" ? [`${at(event.atMs)} ${event.run.slice(15, 19)}`] : []))
const refusal = (world: World, from: number, to: number, limit?: number) =>
  Effect.map(Effect.flip(asked(world, from, to, limit)), ({ code }) => code)
const outcomes = (events: ReadonlyArray<JournalEvent>) =>
  events.flatMap((event) => (event.type === "run.settled" ? [`${event.run.slice(15, 19)} ${event.outcome}`] : []))

describe("a backfill", () => {
  it("runs the slots in their order behind what is under way, with who asked on record, and leaves their records as they are", () =>
    inVirtualTime(
      Effect.gen(function* () {
        const world = yield* afterPause(job({}, (ctx) => Effect.sleep(ctx.slot.getTime() >= t(70) ? 8_000 : 3_000)))
        yield* world.pass(6_000) // 01:11: the run of 01:10 is under way.
        const totals = { ...world.store.ledger.slots }
        const settledThroughMs = world.store.ledger.skills.get("job")!.settledThroughMs
        const done = yield* asked(world, 20, 40)
        assert.deepStrictEqual(done, { runs: [slot(20), slot(30), slot(40)], leftOut: {}, more: 0 })
        assert.deepStrictEqual({ ...world.store.ledger.slots }, totals)
        assert.strictEqual(world.store.ledger.skills.get("job")!.settledThroughMs, settledThroughMs)
        yield* world.pass(18_000)
        assert.deepStrictEqual(begun(world), ["01:10 0110", "01:18 0020", "01:21 0030", "01:24 0040"])
        const claims = world.events().filter((event) => event.type === "run.claimed" && event.run === slot(20))
        assert.deepInclude(claims[0], { slot: t(20), by: "ops", why: "the disk was full", missed: 0 })
        assert.deepStrictEqual([...checkSlots(world.events(), t(80)), ...checkRuns(world.events())], [])
      })
    ))

  it("leaves out slots that have a run, also one from an earlier backfill, and those that nothing has settled yet", () =>
    inVirtualTime(
      Effect.gen(function* () {
        const world = yield* afterPause()
        yield* world.pass(10_000)
        assert.deepStrictEqual((yield* asked(world, 50, 75)).runs, [slot(50), slot(60)])
        yield* world.pass(10_000)
        yield* world.supervisor.pause("job", ops)
        yield* world.pass(20_000)
        const done = yield* asked(world, 40, 105)
        assert.deepStrictEqual(done, { runs: [slot(40), slot(80)], leftOut: { hasRun: 3, notSettled: 2 }, more: 0 }) // 01:20 overlapped.
        assert.deepStrictEqual(yield* asked(world, 40, 80), { runs: [], leftOut: { hasRun: 5 }, more: 0 })
      })
    ))

  it("takes slots of a coalesced and of a missed stretch, and those from before the skill was adopted", () =>
    inVirtualTime(
      Effect.gen(function* () {
        for (const catchUp of ["latest", "none"] as const) {
          yield* TestClock.setTime(beginningMs)
          const disk = yield* Effect.scoped(Effect.map(makeWorld({ skills: [job({ catchUp })] }), afterCrash))
          yield* TestClock.setTime(t(46))
          const world = yield* makeWorld({ skills: [job({ catchUp })], disk })
          const done = yield* asked(world, -20, 20)
          assert.deepStrictEqual(done.runs, [slot(-20), slot(-10), slot(0), slot(10), slot(20)])
          yield* world.pass(30_000)
          assert.deepStrictEqual([...checkSlots(world.events(), t(50)), ...checkRuns(world.events())], [])
          assert.includeMembers(outcomes(world.events()), ["5940 success", "5950 success", "0000 success", "0010 success", "0020 success"])
        }
      })
    ))

  it("takes the oldest up to the limit, says how many are left, and makes no more wait than a hundred", () =>
    inVirtualTime(
      Effect.gen(function* () {
        const world = yield* afterPause(
          job({}, () => Effect.never),
          1_205
        )
        assert.deepStrictEqual(yield* asked(world, 10, 1_200, 2), { runs: [slot(10), slot(20)], leftOut: {}, more: 118 })
        yield* world.pass(0) // One of them is under way from here on.
        const { runs, more } = yield* asked(world, 10, 1_200)
        assert.deepStrictEqual([runs.length, runs[0], more], [99, slot(30), 19])
        assert.strictEqual(yield* refusal(world, 10, 1_200), "BACKFILL_FULL")
      })
    ))

  it("runs as a trigger does in a pause, and is refused where one is", () =>
    inVirtualTime(
      Effect.gen(function* () {
        const world = yield* afterPause()
        yield* world.supervisor.pause("job", ops)
        yield* asked(world, 10, 10)
        yield* world.pass(5_000)
        assert.deepStrictEqual(outcomes(world.events()), ["0010 success"])
        assert.deepStrictEqual(checkSlots(world.events(), t(60)), [])
        yield* world.store.append({ type: "skill.quarantined", skill: "job", why: "its runs keep failing" })
        assert.strictEqual(yield* refusal(world, 20, 20), "SKILL_ASIDE")
        const unknown = yield* Effect.flip(world.supervisor.backfill("jab", { fromMs: t(0), toMs: t(0) }, ops))
        assert.strictEqual(unknown.code, "SKILL_UNKNOWN")
      })
    ))

  it("is refused while the mode lets nothing start", () =>
    inVirtualTime(
      Effect.gen(function* () {
        const world = yield* makeWorld({ skills: [job()], hold: true })
        assert.strictEqual(yield* refusal(world, -10, 0), "SKILL_HELD")
      })
    ))

  it("is refused for the future, for ranges that are none, for too many slots, and without a schedule", () =>
    inVirtualTime(
      Effect.gen(function* () {
        const byHand: SkillGiven = { name: "by-hand", description: "", settings: {}, work: effectWork(() => Effect.void) }
        const world = yield* makeWorld({ skills: [job(), byHand] })
        assert.strictEqual(yield* refusal(world, 0, 1), "BACKFILL_FUTURE")
        assert.strictEqual(yield* refusal(world, 0, Infinity), "BACKFILL_FUTURE")
        assert.strictEqual(yield* refusal(world, 0, -1), "BACKFILL_RANGE")
        assert.strictEqual(yield* refusal(world, Number.NaN, -1), "BACKFILL_RANGE")
        assert.strictEqual(yield* refusal(world, -beginningMs / 1_000 - 1, 0), "BACKFILL_RANGE")
        assert.strictEqual(yield* refusal(world, -100_001, 0), "BACKFILL_RANGE")
        assert.strictEqual(yield* refusal(world, -10, 0, 0), "BACKFILL_LIMIT")
        const why = world.supervisor.backfill("job", { fromMs: t(0), toMs: t(0) }, { by: "ops", why: "x".repeat(501) })
        assert.strictEqual((yield* Effect.flip(why)).code, "BACKFILL_WHY")
        const none = world.supervisor.backfill("by-hand", { fromMs: t(0), toMs: t(0) }, ops)
        assert.strictEqual((yield* Effect.flip(none)).code, "SCHEDULE_NONE")
        assert.deepStrictEqual(
          world.events().filter(({ type }) => type === "run.claimed"),
          []
        )
      })
    ))

  it("leaves out slots whose records have gone with the history: they may have had a run", () =>
    inVirtualTime(
      Effect.gen(function* () {
        const skills = [job()]
        let disk = yield* Effect.scoped(
          Effect.gen(function* () {
            const world = yield* makeWorld({ skills })
            yield* world.pass(25_000)
            return afterCrash(world)
          })
        )
        yield* TestClock.setTime(beginningMs + 100 * 86_400_000)
        for (let starts = 0; starts < 3; starts++) {
          disk = yield* Effect.scoped(
            Effect.gen(function* () {
              const world = yield* makeWorld({ skills, disk })
              yield* world.pass(5_000) // What the start owes has run: no death is the skill's.
              yield* world.store.compact
              return afterCrash(world)
            })
          )
        }
        const world = yield* makeWorld({ skills, disk })
        assert.isUndefined(world.events().find((event) => event.type === "run.claimed" && event.slot < t(30)))
        assert.deepStrictEqual(yield* asked(world, -20, 20), { runs: [], leftOut: { historyGone: 5 }, more: 0 })
      })
    ))

  it("does not end for being late, though startWithin is short, also over a restart", () =>
    inVirtualTime(
      Effect.gen(function* () {
        const skill = job({ startWithin: "2 seconds" })
        const disk = yield* Effect.scoped(
          Effect.gen(function* () {
            const world = yield* afterPause(skill)
            yield* asked(world, 10, 30)
            return afterCrash(world)
          })
        )
        const world = yield* makeWorld({ skills: [skill], disk })
        yield* world.pass(15_000)
        assert.includeMembers(outcomes(world.events()), ["0010 success", "0020 success", "0030 success"])
      })
    ))
})

/** Lets time pass until it has ended. */
const ended = Effect.fnUntraced(function* <A, E>(world: World, fiber: Fiber.Fiber<A, E>) {
  for (let looks = 0; fiber.pollUnsafe() === undefined && looks < 100; looks++) yield* world.pass(100)
  assert.isDefined(fiber.pollUnsafe(), "it takes longer than ten seconds")
  return yield* Fiber.join(fiber)
})

const wishes = fc.array(
  fc.record({
    afterMs: fc.integer({ min: 0, max: 3_000 }),
    from: fc.integer({ min: -6, max: 8 }),
    length: fc.integer({ min: 0, max: 8 }),
    limit: fc.integer({ min: 1, max: 6 }),
    twice: fc.boolean(),
    crash: fc.boolean()
  }),
  { minLength: 2, maxLength: 6 }
)
property(
  "every slot that was asked for ends with exactly one run, however often it is asked for and whatever crashes in between",
  { runs: 12 },
  fc.record({
    wishes,
    syncMs: fc.integer({ min: 0, max: 200 }),
    catchUp: fc.constantFrom("latest", "all", "none"),
    overlap: fc.constantFrom("skip", "bufferAll", "cancelOther", "allowAll")
  }),
  ({ wishes, syncMs, catchUp, overlap }) => {
    const sync = { ms: 0 }
    return Effect.gen(function* () {
      const skills = [job({ schedule: { every: "1 second" }, catchUp, overlap }, () => Effect.sleep(300))]
      const start = Effect.fnUntraced(function* (disk: DiskMemory) {
        sync.ms = 0
        const world = yield* Scope.provide(makeWorld({ skills, disk: slowly(disk, sync) }), scope)
        yield* Effect.ignore(world.supervisor.release("job", "ops")) // Two deaths with it alone at work put it aside.
        sync.ms = syncMs
        return world
      })
      let scope = yield* Scope.make()
      let world = yield* start(diskMemory())
      yield* world.pass(2_000)
      yield* TestClock.setTime(t(9)) // Slots of every kind: runs, and then a stretch that nobody saw.
      const promised = new Set<string>()
      for (const { afterMs, from, length, limit, twice, crash } of wishes) {
        yield* world.pass(afterMs)
        const ask = asked(world, from, Math.min(from + length, 9), limit)
        const fibers = yield* Effect.forEach(twice ? [1, 2] : [1], () => Effect.forkChild(ask))
        if (crash) {
          yield* world.pass(syncMs / 2)
          const left = afterCrash(world)
          sync.ms = 0
          yield* ended(world, yield* Effect.forkChild(Scope.close(scope, Exit.void)))
          scope = yield* Scope.make()
          world = yield* start(left)
        } else {
          for (const fiber of fibers) for (const run of (yield* ended(world, fiber)).runs) promised.add(run)
        }
      }
      for (const run of (yield* ended(world, yield* Effect.forkChild(asked(world, -6, 9)))).runs) promised.add(run)
      sync.ms = 0
      yield* world.pass(20_000)
      const events = world.events()
      assert.deepStrictEqual([...checkSlots(events, t(9)), ...checkRuns(events)], [])
      const settled = events.flatMap((event) => (event.type === "run.settled" ? [event.run] : []))
      const all = Array.from({ length: 16 }, (_, i) => slot(i - 6))
      assert.deepStrictEqual(
        [...new Set([...promised, ...all])].filter((run) => settled.filter((one) => one === run).length !== 1),
        []
      )
      assert.deepStrictEqual((yield* asked(world, -6, 9)).runs, [])
      yield* Scope.close(scope, Exit.void)
    }).pipe(
      Effect.ensuring(
        Effect.sync(() => {
          sync.ms = 0 // Nobody passes the time while the world ends.
        })
      )
    )
  }
)
