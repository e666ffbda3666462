/** Places for attempts: never more at a time than there are, each skill in its turn, and none kept by what has ended. */
import { Context, Effect, Fiber, Layer } from "effect"
import fc from "fast-check"
import { assert, describe, it } from "vitest"
import type { SkillGiven } from "../../src/layers/Holdfast.ts"
import { Pools } from "../../src/layers/Pools.ts"
import { effectWork } from "../../src/layers/SkillFunction.ts"
import { checkRuns, unfinishedRuns } from "../../src/testing/checkers/runs.ts"
import { checkSlots } from "../../src/testing/checkers/slots.ts"
import { makeWorld, type World } from "../../src/testing/World.ts"
import { beginningMs, inVirtualTime, property } from "../property.ts"

const given = (name: string, settings: SkillGiven["settings"], work: Effect.Effect<void, unknown> = Effect.sleep(10_000)): SkillGiven => ({
  name,
  description: "",
  settings: { retry: { attempts: 1 }, ...settings },
  work: effectWork(() => work)
})
const at = (second: number) => ({ schedule: { at: `2026-11-22T06:00:${second}Z` } })
const starts = ({ events }: World) =>
  events().flatMap((event) =>
    event.type === "attempt.started" ? [`${event.run.split("@")[0]} ${(event.atMs - beginningMs) / 1_000}`] : []
  )
/** The most attempts of these skills that were under way at one time. */
const atOnce = ({ events }: World, skills: ReadonlySet<string>): number => {
  let [now, most] = [0, 0]
  for (const event of events()) {
    if (!("run" in event) || typeof event.run !== "string" || !skills.has(event.run.split("@")[0]!)) continue
    if (event.type === "attempt.started") most = Math.max(most, ++now)
    if (event.type === "run.settled" && event.startedAtMs !== null) now -= 1
  }
  return most
}

describe("a pool", () => {
  it("of one place lets its skills run one after the other, and others beside them", () =>
    inVirtualTime(
      Effect.gen(function* () {
        const world = yield* makeWorld({
          skills: [given("a", { ...at(10), pool: "account" }), given("b", { ...at(11), pool: "account" }), given("c", at(11))]
        })
        yield* world.pass(15_000)
        const [first, second] = yield* world.supervisor.skills
        assert.deepStrictEqual([first?.state, second?.state], ["executing", "queued"])
        yield* world.pass(45_000)
        assert.sameMembers(starts(world), ["a 10", "b 20", "c 11"])
        assert.deepStrictEqual(unfinishedRuns(world.events(), Infinity), [])
      })
    ))

  it("has as many places as it was given", () =>
    inVirtualTime(
      Effect.gen(function* () {
        const skills = ["a", "b", "c", "d", "e"].map((name) => given(name, { ...at(10), pool: "wide" }))
        const world = yield* makeWorld({ skills, pools: { wide: 2 } })
        yield* world.pass(60_000)
        assert.deepStrictEqual(
          starts(world).map((start) => start.split(" ")[1]),
          ["10", "10", "20", "20", "30"]
        )
      })
    ))

  it("serves skills in turns: one with many runs does not keep the others waiting", () =>
    inVirtualTime(
      Effect.gen(function* () {
        const world = yield* makeWorld({
          skills: [
            given("many", { schedule: { every: "1 second" }, overlap: "allowAll", pool: "one" }),
            given("few", { ...at(15), pool: "one" })
          ]
        })
        yield* world.pass(40_000)
        assert.deepStrictEqual(starts(world), ["many 1", "many 11", "few 21", "many 31"])
      })
    ))

  it("gets back the place of what was cancelled in it, or while it waited for one", () =>
    inVirtualTime(
      Effect.gen(function* () {
        const world = yield* makeWorld({ skills: ["a", "b", "c"].map((name, i) => given(name, { ...at(10 + i), pool: "one" })) })
        yield* world.pass(13_000)
        yield* world.supervisor.cancelRun("b@20261122T060011Z", "operator")
        yield* world.supervisor.cancelRun("a@20261122T060010Z", "operator")
        yield* world.pass(20_000)
        assert.deepStrictEqual(starts(world), ["a 10", "c 13"])
        const settled = world
          .events()
          .flatMap((event) => (event.type === "run.settled" ? [`${event.run.slice(0, 1)} ${event.outcome}`] : []))
        assert.deepStrictEqual(settled, ["b cancelled", "a cancelled", "c success"])
      })
    ))

  it("is left between two attempts, so that another skill's run comes in between", () =>
    inVirtualTime(
      Effect.gen(function* () {
        const fails = Effect.andThen(Effect.sleep(10_000), Effect.fail(new Error("no")))
        const world = yield* makeWorld({
          skills: [
            given("a", { ...at(10), pool: "one", retry: { attempts: 2, first: "1 second" } }, fails),
            given("b", { ...at(11), pool: "one" })
          ]
        })
        yield* world.pass(60_000)
        assert.deepStrictEqual(starts(world), ["a 10", "b 20", "a 30"])
      })
    ))

  it("counts the place of a run that was at work before it", () =>
    inVirtualTime(
      Effect.gen(function* () {
        const pools = Context.get(yield* Layer.build(Pools.layer()), Pools)
        pools.keep("old", ["one"])
        pools.keep("older", ["one"])
        const waiting = yield* Effect.forkChild(pools.enter("new", "skill", ["one"]), { startImmediately: true })
        pools.leave("old")
        yield* Effect.yieldNow
        assert.isUndefined(waiting.pollUnsafe())
        pools.leave("older")
        yield* Fiber.join(waiting)
      })
    ))

  property(
    "is never fuller than it is large, and every run gets its turn",
    { runs: 12 },
    fc.record({
      places: fc.integer({ min: 1, max: 3 }),
      skills: fc.array(
        fc.record({
          every: fc.integer({ min: 3, max: 20 }),
          takesMs: fc.integer({ min: 0, max: 12_000 }),
          overlap: fc.constantFrom("skip" as const, "bufferAll" as const, "cancelOther" as const, "allowAll" as const),
          timeout: fc.constantFrom("1 minute", "5 seconds"),
          fails: fc.boolean()
        }),
        { minLength: 1, maxLength: 5 }
      )
    }),
    ({ places, skills }) =>
      Effect.gen(function* () {
        const names = skills.map((_, i) => `skill-${i}`)
        const world = yield* makeWorld({
          pools: { shared: places },
          skills: skills.map(({ every, takesMs, overlap, timeout, fails }, i) =>
            given(
              names[i]!,
              { schedule: { every: `${every} seconds` }, overlap, timeout, pool: "shared", quarantine: { failures: 0 } },
              Effect.andThen(Effect.sleep(takesMs), fails ? Effect.fail(new Error("no")) : Effect.void)
            )
          )
        })
        yield* world.pass(60_000)
        assert.isAtMost(atOnce(world, new Set(names)), places)
        assert.deepStrictEqual(checkRuns(world.events()), [])
        assert.deepStrictEqual(checkSlots(world.events(), beginningMs + 60_000), [])
        yield* Effect.forEach(names, (name) => world.supervisor.pause(name, { by: "test", why: "" }), { discard: true })
        yield* world.pass(3_600_000)
        assert.deepStrictEqual(unfinishedRuns(world.events(), Infinity), [])
      })
  )
})
