/** XState's delays and long sleeps on Effect's clock: nothing early, and the time is looked at again within the hour. */
import { Clock, Effect } from "effect"
import { TestClock } from "effect/testing"
import fc from "fast-check"
import { assert, describe, it } from "vitest"
import { setup } from "xstate"
import { runMachine } from "../../src/layers/actor.ts"
import { actorClock, hopMs, sleepLong } from "../../src/layers/clock.ts"
import { inVirtualTime, property } from "../property.ts"

const dayMs = 86_400_000

/** The same clock, and how long each sleep was asked for. */
const watched = Effect.gen(function* () {
  const clock = yield* Clock.Clock
  const asked: Array<number> = []
  return {
    asked,
    clock: new Proxy(clock, {
      get: (target, key) =>
        key === "sleep"
          ? (duration: Parameters<Clock.Clock["sleep"]>[0]) =>
              Effect.andThen(
                Effect.sync(() => asked.push(durationMs(duration))),
                target.sleep(duration)
              )
          : Reflect.get(target, key)
    })
  }
})
const durationMs = (duration: unknown) => (duration as { readonly value: { readonly millis: number } }).value.millis

describe("a long sleep", () => {
  it("is made of hops of an hour at most, and a process timer never sees more", () =>
    inVirtualTime(
      Effect.gen(function* () {
        const { asked, clock } = yield* watched
        let woken = false
        yield* Effect.forkChild(
          Effect.andThen(
            sleepLong(30 * dayMs),
            Effect.sync(() => {
              woken = true
            })
          ).pipe(Effect.provideService(Clock.Clock, clock))
        )
        yield* TestClock.adjust(30 * dayMs - 1)
        assert.isFalse(woken)
        yield* TestClock.adjust(1)
        assert.isTrue(woken)
        assert.strictEqual(asked.length, 720)
        assert.isAtMost(Math.max(...asked), hopMs)
      })
    ))

  property("wakes at its instant and not before", { runs: 50 }, fc.integer({ min: 0, max: 40 * dayMs }), (ms) =>
    Effect.gen(function* () {
      let woken = false
      yield* Effect.forkChild(
        Effect.andThen(
          sleepLong(ms),
          Effect.sync(() => {
            woken = true
          })
        )
      )
      yield* TestClock.adjust(Math.max(0, ms - 1))
      if (ms > 0) assert.isFalse(woken)
      yield* TestClock.adjust(1)
      assert.isTrue(woken)
    })
  )
})

describe("a delay of a machine", () => {
  it("of thirty days does not fire early, as a timer past 2^31 ms would", () =>
    inVirtualTime(
      Effect.gen(function* () {
        const machine = setup({}).createMachine({
          initial: "waiting",
          states: { waiting: { after: { [30 * dayMs]: "fired" } }, fired: {} }
        })
        const { actor } = yield* runMachine(machine, { input: undefined })
        yield* TestClock.adjust(25 * dayMs)
        assert.strictEqual(actor.getSnapshot().value, "waiting")
        yield* TestClock.adjust(5 * dayMs - 1)
        assert.strictEqual(actor.getSnapshot().value, "waiting")
        yield* TestClock.adjust(1)
        assert.strictEqual(actor.getSnapshot().value, "fired")
      })
    ))

  it("does not fire once its state was left", () =>
    inVirtualTime(
      Effect.gen(function* () {
        const machine = setup({}).createMachine({
          initial: "waiting",
          states: { waiting: { after: { 1_000: "fired" }, on: { leave: "left" } }, left: { on: { back: "waiting" } }, fired: {} }
        })
        const { actor } = yield* runMachine(machine, { input: undefined })
        yield* TestClock.adjust(999)
        actor.send({ type: "leave" })
        yield* TestClock.adjust(10_000)
        assert.strictEqual(actor.getSnapshot().value, "left")
        actor.send({ type: "back" })
        yield* TestClock.adjust(900)
        actor.send({ type: "leave" })
        actor.send({ type: "back" })
        yield* TestClock.adjust(999)
        assert.strictEqual(actor.getSnapshot().value, "waiting", "the delay of the earlier stay has fired")
        yield* TestClock.adjust(1)
        assert.strictEqual(actor.getSnapshot().value, "fired")
      })
    ))

  it("that XState never set can be cleared", () => {
    actorClock(() => assert.fail("no timer was asked for")).clearTimeout(undefined)
  })
})
