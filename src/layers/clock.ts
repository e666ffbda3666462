/** XState's delays on Effect's clock, so that one time drives machines and fibers, and a test can own it. */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import type * as Fiber from "effect/Fiber"

/** The longest single sleep. A process timer past 2^31 - 1 ms fires at once, and a machine that slept must look at the time again. */
export const hopMs = 3_600_000

/** Sleeps any length in hops of an hour at most. */
export const sleepLong = (ms: number): Effect.Effect<void> =>
  ms <= hopMs ? Effect.sleep(ms) : Effect.flatMap(Effect.sleep(hopMs), () => sleepLong(ms - hopMs))

/** Milliseconds since some instant, which go on evenly when somebody sets the clock. */
export const monotonicMs: Effect.Effect<number> = Effect.map(Clock.monotonicTimeNanos, (nanos) => Number(nanos / 1_000_000n))

/** What XState asks of a clock. */
export interface ActorClock {
  readonly setTimeout: (fire: () => void, delayMs: number) => Fiber.Fiber<void>
  readonly clearTimeout: (timer: Fiber.Fiber<void> | undefined) => void
}

/** A clock whose timers are fibers of whoever owns `fork`. */
export const actorClock = (fork: (timer: Effect.Effect<void>) => Fiber.Fiber<void>): ActorClock => ({
  setTimeout: (fire, delayMs) => fork(Effect.andThen(sleepLong(delayMs), Effect.sync(fire))),
  clearTimeout: (timer) => timer?.interruptUnsafe()
})
