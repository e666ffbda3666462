/** When skills wake: in order, at their instants, never before, and once for each time they were armed. */
import { Clock, Context, Effect, Layer } from "effect"
import { TestClock } from "effect/testing"
import fc from "fast-check"
import { assert, describe, it } from "vitest"
import { Scheduler } from "../../src/layers/Scheduler.ts"
import { beginningMs, inVirtualTime, property } from "../property.ts"

const hourMs = 3_600_000

/** A scheduler, and what it fired: which skill, how long after the beginning. */
const scheduler = Effect.gen(function* () {
  const clock = yield* Clock.Clock
  const made = Context.get(yield* Layer.build(Scheduler.layer()), Scheduler)
  const fired: Array<string> = []
  yield* TestClock.adjust(0) // The loop is there and waits.
  return {
    ...made,
    fired,
    /** `afterMs` counts from the beginning. */
    armed: (skill: string, afterMs: number) =>
      made.arm(
        { skill, dueAtMs: beginningMs + afterMs },
        () => void fired.push(`${skill} ${clock.currentTimeMillisUnsafe() - beginningMs}`)
      )
  }
})

describe("the scheduler", () => {
  it("fires each skill once, in the order of their instants", () =>
    inVirtualTime(
      Effect.gen(function* () {
        const { armed, fired } = yield* scheduler
        for (const [skill, afterMs] of [
          ["c", 300],
          ["a", 100],
          ["d", 400],
          ["b", 200]
        ] as const)
          armed(skill, afterMs)
        yield* TestClock.adjust(1_000)
        assert.deepStrictEqual(fired, ["a 100", "b 200", "c 300", "d 400"])
      })
    ))

  it("fires nothing early, not by a millisecond", () =>
    inVirtualTime(
      Effect.gen(function* () {
        const { armed, fired } = yield* scheduler
        armed("a", 90_000_000)
        yield* TestClock.adjust(90_000_000 - 1)
        assert.deepStrictEqual(fired, [])
        yield* TestClock.adjust(1)
        assert.deepStrictEqual(fired, ["a 90000000"])
      })
    ))

  it("fires at once what is past", () =>
    inVirtualTime(
      Effect.gen(function* () {
        const { armed, fired } = yield* scheduler
        armed("a", -5_000)
        yield* TestClock.adjust(0)
        assert.deepStrictEqual(fired, ["a 0"])
      })
    ))

  it("is woken by an instant that is earlier than the one it sleeps for", () =>
    inVirtualTime(
      Effect.gen(function* () {
        const { armed, fired } = yield* scheduler
        armed("late", 60_000)
        yield* TestClock.adjust(10)
        armed("early", 1_000)
        yield* TestClock.adjust(1_000)
        assert.deepStrictEqual(fired, ["early 1000"])
      })
    ))

  it("arms a skill once: a later arm takes the place of the one before, whichever is earlier", () =>
    inVirtualTime(
      Effect.gen(function* () {
        const { armed, fired, upcoming } = yield* scheduler
        armed("a", 1_000)
        armed("a", 3_000)
        armed("b", 3_000)
        armed("b", 1_000)
        assert.deepStrictEqual(
          upcoming(9).map(({ skill }) => skill),
          ["b", "a"]
        )
        yield* TestClock.adjust(10_000)
        assert.deepStrictEqual(fired, ["b 1000", "a 3000"])
        assert.deepStrictEqual(upcoming(9), [])
      })
    ))

  it("does not fire what was disarmed, and can arm it anew", () =>
    inVirtualTime(
      Effect.gen(function* () {
        const { armed, disarm, fired } = yield* scheduler
        armed("a", 1_000)
        armed("b", 1_000)
        disarm("a")
        disarm("nobody")
        yield* TestClock.adjust(5_000)
        assert.deepStrictEqual(fired, ["b 1000"])
        armed("a", 6_000)
        yield* TestClock.adjust(1_000)
        assert.deepStrictEqual(fired, ["b 1000", "a 6000"])
      })
    ))

  it("may be armed from what it fires, also for now", () =>
    inVirtualTime(
      Effect.gen(function* () {
        const { arm, armed, fired } = yield* scheduler
        arm({ skill: "a", dueAtMs: beginningMs + 1_000 }, () => {
          armed("a", 1_000)
          armed("b", 2_000)
        })
        yield* TestClock.adjust(2_000)
        assert.deepStrictEqual(fired, ["a 1000", "b 2000"])
      })
    ))

  it("notices a wall clock that was set forward within an hour", () =>
    inVirtualTime(
      Effect.gen(function* () {
        const real = yield* Clock.Clock
        let aheadMs = 0
        const wall = new Proxy(real, {
          get: (target, key) => {
            if (key === "currentTimeMillisUnsafe") return () => target.currentTimeMillisUnsafe() + aheadMs
            if (key === "currentTimeMillis") return Effect.map(target.currentTimeMillis, (ms) => ms + aheadMs)
            return Reflect.get(target, key)
          }
        })
        const { armed, fired } = yield* Effect.provideService(scheduler, Clock.Clock, wall)
        armed("a", 10 * hourMs)
        yield* TestClock.adjust(hourMs / 2)
        aheadMs = 12 * hourMs
        assert.deepStrictEqual(fired, [])
        yield* TestClock.adjust(hourMs)
        assert.deepStrictEqual(fired, [`a ${13 * hourMs}`])
      })
    ))

  it("fires ten thousand skills that are due together", () =>
    inVirtualTime(
      Effect.gen(function* () {
        const { armed, fired } = yield* scheduler
        for (let i = 0; i < 10_000; i++) armed(`skill-${i}`, 60_000)
        yield* TestClock.adjust(59_999)
        assert.strictEqual(fired.length, 0)
        yield* TestClock.adjust(1)
        assert.strictEqual(new Set(fired).size, 10_000)
        assert.strictEqual(fired.length, 10_000)
      })
    ))

  type Step = { readonly do: "arm" | "disarm" | "pass"; readonly skill: string; readonly ms: number }
  const step: fc.Arbitrary<Step> = fc.record({
    do: fc.constantFrom("arm", "arm", "arm", "disarm", "pass"),
    skill: fc.constantFrom("a", "b", "c", "d", "e", "f", "g"),
    ms: fc.oneof(fc.integer({ min: 0, max: 20 }), fc.integer({ min: 0, max: 3 * hourMs }))
  })
  property("fires what a sorted list would", { runs: 100 }, fc.array(step, { minLength: 20, maxLength: 80, size: "max" }), (steps) =>
    Effect.gen(function* () {
      const { armed, disarm, fired, upcoming } = yield* scheduler
      const list = new Map<string, number>()
      const expected: Array<string> = []
      let nowMs = 0
      for (const { do: what, skill, ms } of [...steps, { do: "pass", skill: "", ms: 10 * hourMs } as const]) {
        switch (what) {
          case "arm":
            armed(skill, nowMs + ms)
            list.set(skill, nowMs + ms)
            break
          case "disarm":
            disarm(skill)
            list.delete(skill)
            break
          case "pass":
            yield* TestClock.adjust(ms)
            nowMs += ms
            for (const [name, dueMs] of [...list].filter(([, dueMs]) => dueMs <= nowMs)) {
              expected.push(`${name} ${dueMs}`)
              list.delete(name)
            }
            // Of two at the same instant either may be first.
            assert.deepStrictEqual(fired.toSorted(), expected.toSorted())
            assert.deepStrictEqual(
              instants(fired),
              instants(fired).toSorted((x, y) => x - y)
            )
        }
        const armedNow = upcoming(Infinity)
        assert.deepStrictEqual(
          armedNow.map(({ dueAtMs }) => dueAtMs - beginningMs),
          [...list.values()].toSorted((x, y) => x - y)
        )
        assert.sameMembers(
          armedNow.map((due) => due.skill),
          [...list.keys()]
        )
      }
    })
  )
})

const instants = (fired: ReadonlyArray<string>) => fired.map((line) => Number(line.split(" ")[1]))
