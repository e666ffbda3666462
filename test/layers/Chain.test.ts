/** Skills that are due after others: each end makes one slot, through crashes, pauses and outages, and none is made twice. */
import { Effect } from "effect"
import fc from "fast-check"
import { assert, describe, it } from "vitest"
import { chainProblem } from "../../src/domain/Chain.ts"
import type { JournalEvent } from "../../src/domain/JournalEvent.ts"
import { iso } from "../../src/domain/Run.ts"
import type { SkillDefinition } from "../../src/domain/Skill.ts"
import type { DiskMemory } from "../../src/layers/DiskMemory.ts"
import type { SkillGiven } from "../../src/layers/Holdfast.ts"
import { effectWork } from "../../src/layers/SkillFunction.ts"
import { checkRuns } from "../../src/testing/checkers/runs.ts"
import { checkSlots } from "../../src/testing/checkers/slots.ts"
import { afterCrash, makeWorld } from "../../src/testing/World.ts"
import { beginningMs, inVirtualTime, property } from "../property.ts"

const given = (name: string, settings: SkillGiven["settings"], work: Effect.Effect<void, unknown> = Effect.void): SkillGiven => ({
  name,
  description: "",
  settings: { retry: { attempts: 1 }, quarantine: { failures: 0 }, ...settings },
  work: effectWork(() => work)
})
const ends = (events: ReadonlyArray<JournalEvent>) =>
  events.flatMap((event) =>
    event.type === "run.settled" ? [`${event.run.split("@")[0]} ${iso(event.atMs).slice(14, 19)} ${event.outcome}`] : []
  )

describe("a skill after another one", () => {
  it("runs when that one has succeeded, failed, or ended either way, as it says", () =>
    inVirtualTime(
      Effect.gen(function* () {
        let runs = 0
        const work = Effect.suspend(() => Effect.andThen(Effect.sleep(5_000), ++runs === 2 ? Effect.fail(new Error("no")) : Effect.void))
        const world = yield* makeWorld({
          skills: [
            given("first", { schedule: { every: "1 minute" } }, work),
            given("done", { schedule: { after: "first" } }),
            given("alarm", { schedule: { after: "first", on: "failure" } }),
            given("log", { schedule: { after: "first", on: "end" } }),
            given("last", { schedule: { after: "log" } })
          ]
        })
        yield* world.pass(130_000)
        assert.sameMembers(ends(world.events()), [
          "first 01:05 success",
          "done 01:05 success",
          "log 01:05 success",
          "last 01:05 success",
          "first 02:05 failed",
          "alarm 02:05 success",
          "log 02:05 success",
          "last 02:05 success"
        ])
        assert.deepStrictEqual(checkSlots(world.events(), beginningMs + 130_000), [])
      })
    ))

  it("owes nothing for ends from before it was there", () =>
    inVirtualTime(
      Effect.gen(function* () {
        const first = given("first", { schedule: { every: "1 minute" } })
        const disk = yield* Effect.scoped(
          Effect.gen(function* () {
            const world = yield* makeWorld({ skills: [first] })
            yield* world.pass(150_000)
            return afterCrash(world)
          })
        )
        const world = yield* makeWorld({ skills: [first, given("then", { schedule: { after: "first" } })], disk })
        yield* world.pass(40_000)
        assert.deepStrictEqual(
          ends(world.events()).filter((end) => end.startsWith("then")),
          ["then 03:00 success"]
        )
      })
    ))

  it("makes good by catchUp what ended while it was paused or away", () =>
    inVirtualTime(
      Effect.gen(function* () {
        const world = yield* makeWorld({
          skills: [given("first", { schedule: { every: "10 seconds" } }), given("then", { schedule: { after: "first" } })],
          hold: false
        })
        yield* world.supervisor.pause("then", { by: "operator", why: "" })
        yield* world.pass(35_000)
        yield* world.supervisor.resume("then", { by: "operator", why: "" })
        yield* world.pass(10_000)
        const settled = world
          .events()
          .flatMap((event) => (event.type === "slot.settled" ? [`${event.skill} ${event.count} ${event.verdict}`] : []))
        assert.deepStrictEqual(settled, ["then 3 skipped"])
        assert.deepStrictEqual(
          ends(world.events()).filter((end) => end.startsWith("then")),
          ["then 00:40 success"]
        )
        assert.deepStrictEqual(checkSlots(world.events(), beginningMs + 45_000), [])
      })
    ))

  property(
    "runs once for each end, or is settled for it, whenever the runtime dies",
    { runs: 12 },
    fc.record({
      lives: fc.array(fc.integer({ min: 1, max: 20_000 }), { maxLength: 5 }),
      takesMs: fc.integer({ min: 0, max: 3_000 }),
      catchUp: fc.constantFrom("latest" as const, "all" as const, "none" as const)
    }),
    ({ lives, takesMs, catchUp }) =>
      Effect.gen(function* () {
        const skills = [
          given("first", { schedule: { every: "3 seconds" } }, Effect.sleep(takesMs)),
          given("then", { schedule: { after: "first", on: "end" }, catchUp, overlap: "bufferAll" }, Effect.sleep(takesMs))
        ]
        let disk: DiskMemory | undefined
        for (const lifeMs of lives) {
          disk = yield* Effect.scoped(
            Effect.gen(function* () {
              const world = yield* makeWorld({ skills, ...(disk === undefined ? {} : { disk }) })
              yield* world.pass(lifeMs)
              return afterCrash(world)
            })
          )
        }
        const world = yield* makeWorld({ skills, ...(disk === undefined ? {} : { disk }) })
        yield* world.pass(30_000)
        yield* world.supervisor.pause("first", { by: "test", why: "" })
        yield* world.pass(60_000)
        assert.deepStrictEqual(checkSlots(world.events(), Infinity), [])
        assert.deepStrictEqual(checkRuns(world.events()), [])
      })
  )
})

describe("a chain", () => {
  const skill = (name: string, after?: string) =>
    ({ name, schedule: after === undefined ? undefined : { _tag: "After", skill: after, on: "success" } }) as SkillDefinition
  const problem = (...skills: ReadonlyArray<SkillDefinition>) => chainProblem(skills[0]!, new Map(skills.map((one) => [one.name, one])))

  it("that ends in a skill which is not there is refused, with the nearest name", () => {
    assert.deepInclude(problem(skill("a", "firts"), skill("first")), {
      code: "SCHEDULE_AFTER_UNKNOWN",
      got: "firts",
      fix: "did you mean first?"
    })
  })
  it("that comes back to itself is refused", () => {
    assert.deepInclude(problem(skill("a", "a")), { code: "SCHEDULE_CIRCLE", got: "a after a" })
    assert.deepInclude(problem(skill("a", "b"), skill("b", "c"), skill("c", "a")), {
      code: "SCHEDULE_CIRCLE",
      got: "a after b after c after a"
    })
  })
  it("that leads into a circle of others is not its own fault, and any other is good", () => {
    assert.isUndefined(problem(skill("a", "b"), skill("b", "c"), skill("c", "b")))
    assert.isUndefined(problem(skill("a", "b"), skill("b", "c"), skill("c")))
  })
})
