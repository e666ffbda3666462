/** Restarts that loop: nothing fires until one start has stayed, no slot is lost for it, and none fires twice. */
import { Effect } from "effect"
import { assert, describe, it } from "vitest"
import { startIntensity } from "../../src/domain/policies/intensity.ts"
import type { DiskMemory } from "../../src/layers/DiskMemory.ts"
import { effectWork } from "../../src/layers/SkillFunction.ts"
import { checkRuns } from "../../src/testing/checkers/runs.ts"
import { checkSlots } from "../../src/testing/checkers/slots.ts"
import { afterCrash, makeWorld, type World } from "../../src/testing/World.ts"
import { beginningMs, inVirtualTime } from "../property.ts"

const skills = [{ name: "tick", description: "", settings: { schedule: { every: "10 seconds" } }, work: effectWork(() => Effect.void) }]

/** Lives of these lengths, one after the other, each ended by a crash; then a world that goes on. */
const after = Effect.fnUntraced(function* (livesMs: ReadonlyArray<number>, starts = startIntensity) {
  let disk: DiskMemory | undefined
  for (const lifeMs of livesMs) {
    disk = yield* Effect.scoped(
      Effect.gen(function* () {
        const world = yield* makeWorld({ skills, starts, ...(disk === undefined ? {} : { disk }) })
        yield* world.pass(lifeMs)
        return afterCrash(world)
      })
    )
  }
  return yield* makeWorld({ skills, starts, ...(disk === undefined ? {} : { disk }) })
})
const claims = (world: World) => world.events().filter(({ type }) => type === "run.claimed").length
const modes = (world: World) => world.events().flatMap((event) => (event.type === "mode.changed" ? [`${event.to} ${event.reason}`] : []))

describe("a start after four that did not last", () => {
  it("fires nothing for a minute and says why, then goes on with what was owed", () =>
    inVirtualTime(
      Effect.gen(function* () {
        const world = yield* after([15_000, 15_000, 15_000, 15_000])
        const claimed = claims(world)
        yield* world.pass(59_000)
        assert.strictEqual(yield* world.runtime.mode, "held")
        assert.strictEqual((yield* world.runtime.picture).reasons.starts, "5 within 10 minutes, none of which lasted 1 minute")
        assert.strictEqual(modes(world).at(-1), "held starts 5 within 10 minutes, none of which lasted 1 minute")
        assert.strictEqual(claims(world), claimed)
        assert.match((yield* world.supervisor.skills)[0]?.reason ?? "", /^held: 5 within 10 minutes/)
        yield* world.pass(11_000)
        assert.strictEqual(yield* world.runtime.mode, "standalone")
        assert.isAbove(claims(world), claimed)
        assert.deepStrictEqual(checkSlots(world.events(), beginningMs + 130_000), [])
      })
    ))
  it("fires at once where one of them lasted a minute, and where starts are not counted", () =>
    inVirtualTime(
      Effect.gen(function* () {
        const stayed = yield* after([15_000, 15_000, 75_000, 15_000])
        yield* stayed.pass(1)
        assert.strictEqual(yield* stayed.runtime.mode, "standalone")
      })
    ))
  it("fires at once where they are further apart", () =>
    inVirtualTime(
      Effect.gen(function* () {
        const world = yield* after([15_000, 15_000, 15_000, 15_000], { failuresMax: 5, windowMs: 40_000 })
        yield* world.pass(1)
        assert.strictEqual(yield* world.runtime.mode, "standalone")
      })
    ))
  it("opens when it is asked to", () =>
    inVirtualTime(
      Effect.gen(function* () {
        const world = yield* after([1_000, 1_000, 1_000, 1_000])
        yield* world.pass(1)
        assert.strictEqual(yield* world.runtime.mode, "held")
        world.runtime.actor.send({ type: "intake.release" })
        yield* world.pass(10_000)
        assert.strictEqual(claims(world), 1)
      })
    ))
})

describe("a hundred starts in ten seconds, around a due instant", () => {
  for (const [how, starts] of [
    ["counted", startIntensity],
    ["not counted", { failuresMax: 0, windowMs: 0 }]
  ] as const)
    it(`leave one record of each slot (${how})`, () =>
      inVirtualTime(
        Effect.gen(function* () {
          yield* (yield* Effect.scoped(makeWorld({ skills: [] }))).pass(5_000)
          const world = yield* after(Array(100).fill(100), starts)
          yield* world.pass(75_000)
          assert.deepStrictEqual(checkSlots(world.events(), beginningMs + 85_000), [])
          assert.deepStrictEqual(checkRuns(world.events()), [])
          assert.isAtLeast(claims(world), 1)
        })
      ))
})
