/** The supervisor without any hands: whom it starts again, when, and whom it gives up. */
import { Clock, Effect } from "effect"
import { TestClock } from "effect/testing"
import { assert, describe, it } from "vitest"
import { fromEffect, plug, runMachine as start } from "../../src/layers/actor.ts"
import { type Crash, supervisorMachine } from "../../src/machines/supervisor.ts"
import { beginningMs, inVirtualTime } from "../property.ts"

const supervising = Effect.gen(function* () {
  const asked: Array<string> = []
  const clock = yield* Clock.Clock
  const note = (what: string): Effect.Effect<void> =>
    Effect.sync(() => {
      asked.push(`${(clock.currentTimeMillisUnsafe() - beginningMs) / 1_000} ${what}`)
    })
  const { actor, awaitDone } = yield* start(
    plug(supervisorMachine, {
      startAll: fromEffect(() => note("start all")),
      restart: fromEffect(({ input }: { input: { readonly skill: string } }) => note(`restart ${input.skill}`)),
      quarantine: fromEffect(({ input }: { input: Crash }) => note(`quarantine ${input.skill}: ${input.reason}`))
    }),
    { input: undefined }
  )
  yield* TestClock.adjust(0)
  const crash = (skill: string) => actor.send({ type: "skill.crashed", skill, reason: "a bug", atMs: clock.currentTimeMillisUnsafe() })
  return { actor, awaitDone, asked, crash }
})

describe("the supervisor", () => {
  it("starts every skill, and a crashed one again after a second", () =>
    inVirtualTime(
      Effect.gen(function* () {
        const { actor, asked, crash } = yield* supervising
        crash("a")
        assert.strictEqual(actor.getSnapshot().value, "pausing")
        yield* TestClock.adjust(5_000)
        assert.deepStrictEqual(asked, ["0 start all", "1 restart a"])
        assert.strictEqual(actor.getSnapshot().value, "supervising")
      })
    ))

  it("deals with crashes that come together one after another, and forgets none", () =>
    inVirtualTime(
      Effect.gen(function* () {
        const { asked, crash } = yield* supervising
        for (const skill of ["a", "b", "c"]) crash(skill)
        yield* TestClock.adjust(10_000)
        assert.deepStrictEqual(asked.slice(1), ["1 restart a", "2 restart b", "3 restart c"])
      })
    ))

  it("starts a skill that was released at once, and counts its crashes anew", () =>
    inVirtualTime(
      Effect.gen(function* () {
        const { actor, asked, crash } = yield* supervising
        for (let i = 0; i < 6; i++) {
          crash("a")
          yield* TestClock.adjust(1_000)
        }
        actor.send({ type: "skill.released", skill: "a" })
        yield* TestClock.adjust(0)
        crash("a")
        yield* TestClock.adjust(1_000)
        assert.deepStrictEqual(asked.slice(6), ["5 quarantine a: a bug", "6 restart a", "7 restart a"])
      })
    ))

  it("gives up a skill past five crashes in a quarter of an hour, and that skill alone", () =>
    inVirtualTime(
      Effect.gen(function* () {
        const { asked, crash } = yield* supervising
        for (let i = 0; i < 6; i++) {
          crash("a")
          yield* TestClock.adjust(100_000)
        }
        crash("b")
        yield* TestClock.adjust(10_000)
        assert.deepStrictEqual(asked.slice(1), [
          "1 restart a",
          "101 restart a",
          "201 restart a",
          "301 restart a",
          "401 restart a",
          "500 quarantine a: a bug",
          "601 restart b"
        ])
      })
    ))

  it("forgets crashes after a quarter of an hour", () =>
    inVirtualTime(
      Effect.gen(function* () {
        const { asked, crash } = yield* supervising
        for (let i = 0; i < 5; i++) crash("a")
        yield* TestClock.adjust(15 * 60_000)
        for (let i = 0; i < 5; i++) crash("a")
        yield* TestClock.adjust(60_000)
        assert.strictEqual(asked.filter((line) => line.endsWith("restart a")).length, 10)
        crash("a")
        yield* TestClock.adjust(60_000)
        assert.match(asked.at(-1) ?? "", /quarantine a/)
      })
    ))

  it("fails by its own defect, rather than live on with skills that nobody restarts", () =>
    inVirtualTime(
      Effect.gen(function* () {
        const { actor, awaitDone } = yield* start(
          plug(supervisorMachine, { startAll: fromEffect((): Effect.Effect<void> => Effect.die(new Error("a bug"))) }),
          { input: undefined }
        )
        assert.match(String(yield* Effect.flip(awaitDone)), /a bug/)
        assert.strictEqual(actor.getSnapshot().status, "error")
      })
    ))
})
