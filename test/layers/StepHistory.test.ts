/** Skills that change in the middle of a run, in virtual time: which attempts go on, which are parked, and what becomes of those. */
import { Effect } from "effect"
import { TestClock } from "effect/testing"
import fc from "fast-check"
import { assert, describe, it } from "vitest"
import type { JournalEvent } from "../../src/domain/JournalEvent.ts"
import { iso } from "../../src/domain/Run.ts"
import type { DiskMemory } from "../../src/layers/DiskMemory.ts"
import { effectWork, type EffectSkillContext } from "../../src/layers/SkillFunction.ts"
import { historyPatienceMs } from "../../src/layers/StepHistory.ts"
import { checkRuns, checkSteps, type SkillEffect, type Violation } from "../../src/testing/checkers/index.ts"
import { afterCrash, makeWorld, type World } from "../../src/testing/World.ts"
import { beginningMs, inVirtualTime, property } from "../property.ts"

type Work = (ctx: EffectSkillContext) => Effect.Effect<unknown, unknown>

/** The effects that left, each as its step and attempt. */
const done: Array<string> = []
const step = (ctx: EffectSkillContext, name: string, takesMs = 1_000) =>
  ctx.step(name, ({ key, attempt }) =>
    Effect.andThen(
      Effect.sleep(takesMs),
      Effect.sync(() => {
        assert.strictEqual(key, `${ctx.run}/${name}`)
        done.push(`${name} ${attempt}`)
        return `made by ${attempt}`
      })
    )
  )
/** These steps one after another, in the run of 06:00:10; nothing in others. */
const sequence =
  (...names: ReadonlyArray<string>): Work =>
  (ctx) =>
    ctx.slot.getTime() === beginningMs + 10_000 ? Effect.forEach(names, (name) => step(ctx, name)) : Effect.void

const world = (work: Work, disk?: DiskMemory, settings = {}) =>
  makeWorld({
    skills: [
      {
        name: "job",
        description: "",
        settings: { schedule: { every: "10 seconds" }, ...settings },
        work: effectWork((ctx) => Effect.asVoid(work(ctx)))
      }
    ],
    ...(disk === undefined ? {} : { disk })
  })
const run = "job@20261122T060010Z"

/** A first life that dies at 06:00:12.5, with two steps done and a third under way. */
const died = (work: Work = sequence("a", "b", "c", "d")) =>
  Effect.scoped(
    Effect.gen(function* () {
      done.length = 0
      yield* TestClock.setTime(beginningMs)
      const first = yield* world(work)
      yield* first.pass(12_500)
      assert.deepStrictEqual(done, ["a 1", "b 1"])
      return afterCrash(first)
    })
  )
const ofRun = (events: ReadonlyArray<JournalEvent>) =>
  events.flatMap((event) =>
    "run" in event && event.run === run && /^(attempt|run)\./.test(event.type)
      ? [`${iso(event.atMs).slice(17, -1)} ${event.type}${event.type === "run.settled" ? ` ${event.outcome}` : ""}`]
      : []
  )
const parkedReason = ({ store }: World) => store.ledger.runs.get(run)?.parked

describe("an attempt that goes another way than the steps on record", () => {
  const changed: ReadonlyArray<[what: string, names: ReadonlyArray<string>, effects: ReadonlyArray<string>, reason: string]> = [
    [
      "has a finished step renamed",
      ["a", "b2", "c", "d"],
      [],
      "attempt 2 began b2, which is not on record, and not b, which earlier attempts finished"
    ],
    [
      "has a step put in before a finished one",
      ["a", "new", "b", "c", "d"],
      [],
      "attempt 2 began new, which is not on record, and not b, which earlier attempts finished"
    ],
    ["has all of them renamed", ["x", "y"], [], "attempt 2 began x, which is not on record, and not a, b, which earlier attempts finished"],
    [
      "has a finished step removed, and asks for one that was under way",
      ["a", "c"],
      ["c 2"],
      "attempt 2 ended without b, which earlier attempts finished"
    ],
    ["has no steps left", [], [], "attempt 2 ended without a, b, which earlier attempts finished"]
  ]
  it.each(changed)("and %s is parked, and none of the new steps is done", (_, names, effects, reason) =>
    inVirtualTime(
      Effect.gen(function* () {
        const second = yield* world(sequence(...names), yield* died())
        yield* second.pass(2 * historyPatienceMs)
        assert.strictEqual(parkedReason(second), `STEP_HISTORY_MISMATCH: ${reason}`)
        assert.deepStrictEqual(done, ["a 1", "b 1", ...effects])
        assert.deepInclude(second.store.ledger.runs.get(run), { phase: "parked", settled: undefined })
        const begun = second.events().filter((event) => event.type === "step.started" && event.attempt === 2)
        assert.strictEqual(begun.length, effects.length)
      })
    )
  )

  const sound: ReadonlyArray<[what: string, names: ReadonlyArray<string>, effects: ReadonlyArray<string>]> = [
    ["is the same", ["a", "b", "c", "d"], ["c 2", "d 2"]],
    ["has steps added behind", ["a", "b", "c", "d", "e"], ["c 2", "d 2", "e 2"]],
    ["has a step renamed that nobody had begun", ["a", "b", "c", "d2"], ["c 2", "d2 2"]],
    ["has the finished ones in another order", ["b", "a", "c", "d"], ["c 2", "d 2"]],
    ["has a step removed that was not finished", ["a", "b", "d"], ["d 2"]]
  ]
  it.each(sound)("is one of a skill that %s? No: that goes on", (_, names, effects) =>
    inVirtualTime(
      Effect.gen(function* () {
        const second = yield* world(sequence(...names), yield* died())
        yield* second.pass(2 * historyPatienceMs)
        assert.deepStrictEqual(done, ["a 1", "b 1", ...effects])
        assert.deepInclude(second.store.ledger.runs.get(run), { phase: "settled", parked: undefined })
      })
    )
  )

  it("is parked after a retry as well, not only after a crash", () =>
    inVirtualTime(
      Effect.gen(function* () {
        done.length = 0
        const life = yield* world(
          (ctx) => Effect.andThen(step(ctx, `step-${ctx.attempt}`), ctx.attempt === 1 ? Effect.fail("no luck") : Effect.void),
          undefined,
          { schedule: { at: iso(beginningMs + 10_000) } }
        )
        yield* life.pass(10_000 + 2_000 + 2 * historyPatienceMs)
        assert.deepStrictEqual(done, ["step-1 1"])
        assert.deepStrictEqual(ofRun(life.events()), [
          "10 run.claimed",
          "10 attempt.started",
          "11 attempt.failed",
          "12 attempt.started",
          "17 run.parked"
        ])
      })
    ))
})

describe("a parked run", () => {
  it("leaves its skill to go on, is an alert, and stays parked through restarts", () =>
    inVirtualTime(
      Effect.gen(function* () {
        const second = yield* world(sequence("a", "b2"), yield* died())
        yield* second.pass(20_000)
        assert.deepStrictEqual(ofRun(second.events()).slice(-2), ["12.500 attempt.started", "17.500 run.parked"])
        const later = second.events().flatMap((event) => (event.type === "run.settled" ? [event.run] : []))
        assert.deepStrictEqual(later, ["job@20261122T060020Z", "job@20261122T060030Z"])
        const reason = parkedReason(second) ?? ""
        assert.deepStrictEqual((yield* second.runtime.picture).parkedRuns, [{ run, skill: "job", reason }])
        const third = yield* world(sequence("a", "b2"), afterCrash(second))
        yield* third.pass(20_000)
        assert.strictEqual(ofRun(third.events()).at(-1), "17.500 run.parked")
        assert.deepStrictEqual((yield* third.runtime.picture).parkedRuns, [{ run, skill: "job", reason }])
        assert.deepStrictEqual(done, ["a 1", "b 1"])
      })
    ))

  it("that is released goes on with the names of now, replays what is on record, and is not parked again", () =>
    inVirtualTime(
      Effect.gen(function* () {
        const disk = yield* died()
        const released = yield* Effect.scoped(
          Effect.gen(function* () {
            const second = yield* world(sequence("a", "b2"), disk)
            yield* second.pass(7_500)
            yield* second.runtime.releaseRun(run, "operator")
            assert.deepInclude(second.store.ledger.runs.get(run), { phase: "retryable" })
            yield* second.pass(500)
            return afterCrash(second)
          })
        )
        const third = yield* world(sequence("a", "b2"), released)
        yield* third.pass(10_000)
        assert.deepStrictEqual(done, ["a 1", "b 1", "b2 4"])
        assert.deepStrictEqual(ofRun(third.events()).slice(3), [
          "17.500 run.parked",
          "20 run.released",
          "20 attempt.started",
          "20.500 attempt.started",
          "21.500 run.settled success"
        ])
        assert.deepStrictEqual(checkRuns(third.events()), [])
        assert.deepStrictEqual((yield* third.runtime.picture).parkedRuns, [])
      })
    ))

  it("that is released to a skill with its old names back does nothing twice", () =>
    inVirtualTime(
      Effect.gen(function* () {
        const second = yield* world(sequence("a", "b2"), yield* died())
        yield* second.pass(10_000)
        const third = yield* world(sequence("a", "b", "c", "d"), afterCrash(second))
        yield* third.runtime.releaseRun(run, "operator")
        yield* third.pass(5_000)
        assert.deepStrictEqual(done, ["a 1", "b 1", "c 3", "d 3"])
        assert.strictEqual(ofRun(third.events()).at(-1)?.slice(-7), "success")
      })
    ))

  it("that is cancelled is settled so, and never tried again", () =>
    inVirtualTime(
      Effect.gen(function* () {
        const second = yield* world(sequence("a", "b2"), yield* died())
        yield* second.pass(7_500)
        yield* second.runtime.cancelRun(run, "operator")
        assert.strictEqual(ofRun(second.events()).at(-1), "20 run.settled cancelled")
        const third = yield* world(sequence("a", "b2"), afterCrash(second))
        yield* third.pass(10_000)
        assert.strictEqual(ofRun(third.events()).at(-1), "20 run.settled cancelled")
        assert.deepStrictEqual(done, ["a 1", "b 1"])
      })
    ))

  it("is what a release and a cancel want: anything else is refused", () =>
    inVirtualTime(
      Effect.gen(function* () {
        const second = yield* world(sequence("a", "b2"), yield* died())
        const none = yield* Effect.flip(second.runtime.releaseRun(run, "operator"))
        assert.deepInclude({ ...none }, { code: "RUN_NOT_PARKED", got: `${run} is executing` })
        yield* second.pass(7_500)
        const mistyped = yield* Effect.flip(second.runtime.cancelRun(run.replace("10Z", "11Z"), "operator"))
        assert.deepInclude({ ...mistyped }, { code: "RUN_UNKNOWN", fix: `did you mean ${run}?` })
        yield* second.runtime.cancelRun(run, "operator")
        const again = yield* Effect.flip(second.runtime.cancelRun(run, "operator"))
        assert.deepInclude({ ...again }, { code: "RUN_SETTLED", got: `${run} has ended: cancelled` })
      })
    ))
})

/** Branches of steps, each with how long it takes and how long its branch does something else before it; and the instants of the deaths. */
const branches = fc.record({
  branches: fc.array(fc.array(fc.record({ takesMs: fc.nat(3_000), beforeMs: fc.nat(4_000) }), { minLength: 1, maxLength: 5 }), {
    minLength: 2,
    maxLength: 4
  }),
  lives: fc.array(fc.integer({ min: 100, max: 9_000 }), { minLength: 1, maxLength: 4 })
})

describe("parallel branches of steps in loops", () => {
  it("are waited for while they move, longer than patience in all", () =>
    inVirtualTime(
      Effect.gen(function* () {
        const pauseMs = historyPatienceMs - 1_000
        const slow: Work = (ctx) =>
          Effect.forEach(["a", "b", "c"], (name) => Effect.andThen(step(ctx, name, 10), Effect.sleep(pauseMs)), { discard: true })
        const late: Work = (ctx) => Effect.andThen(Effect.sleep(ctx.attempt === 1 ? 60_000 : 0), step(ctx, "late"))
        const work: Work = (ctx) => Effect.all([slow(ctx), late(ctx)], { concurrency: "unbounded" })
        const settings = { schedule: { at: iso(beginningMs + 1_000) } }
        done.length = 0
        const disk = yield* Effect.scoped(
          Effect.gen(function* () {
            const first = yield* world(work, undefined, settings)
            yield* first.pass(1_000 + 3 * pauseMs)
            return afterCrash(first)
          })
        )
        const second = yield* world(work, disk, settings)
        yield* second.pass(2 * pauseMs + 1_000)
        assert.deepStrictEqual(done, ["a 1", "b 1", "c 1", "late 2"])
      })
    ))

  property(
    "are never parked, and no finished step is done again, whenever the runtime dies",
    { runs: 15 },
    branches,
    ({ branches, lives }) =>
      Effect.gen(function* () {
        done.length = 0
        const work: Work = (ctx) =>
          Effect.forEach(
            branches,
            (steps, b) =>
              Effect.forEach(steps, ({ beforeMs, takesMs }, i) => Effect.andThen(Effect.sleep(beforeMs), step(ctx, `${b}-${i}`, takesMs))),
            { concurrency: "unbounded" }
          )
        const settings = { schedule: { at: iso(beginningMs + 1_000) }, quarantine: { failures: 0 } }
        let disk: DiskMemory | undefined
        for (const lifeMs of lives) {
          disk = yield* Effect.scoped(
            Effect.gen(function* () {
              const life = yield* world(work, disk, settings)
              yield* life.pass(lifeMs)
              return afterCrash(life)
            })
          )
        }
        const last = yield* world(work, disk, settings)
        yield* last.pass(60_000)
        const events = last.events()
        const settled = events.flatMap((event) => (event.type === "run.settled" ? [event.outcome] : []))
        assert.deepStrictEqual(settled, ["success"])
        const effects = done.map((effect): SkillEffect => {
          const [name, attempt] = effect.split(" ")
          return { run: "job@20261122T060001Z", slot: "", attempt: Number(attempt), startedAtMs: 0, step: name }
        })
        const none: ReadonlyArray<Violation> = []
        assert.deepStrictEqual([...checkRuns(events), ...checkSteps(events, effects)], none)
        assert.strictEqual(events.filter(({ type }) => type === "step.finished").length, branches.flat().length)
      })
  )
})
