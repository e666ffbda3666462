/** Time that a test owns: it stands still until it is moved, and its wall clock can be set. Without vitest, for processes of a test's own. */
import { Clock, Effect, type Scope } from "effect"
import { TestClock } from "effect/testing"

/** When virtual time begins: 2026-11-22T06:00:00Z. */
export const beginningMs = Date.UTC(2026, 10, 22, 6)

/** Runs an effect on a clock of its own, which stands at its beginning until it is moved. */
export const inVirtualTime = <A, E>(effect: Effect.Effect<A, E, Scope.Scope>, fromMs: number = beginningMs): Promise<A> =>
  Effect.runPromise(Effect.andThen(TestClock.setTime(fromMs), effect).pipe(Effect.scoped, Effect.provide(TestClock.layer())))

/** Virtual time whose wall clock can be set; what sleeps goes by the other one. */
export const onClockThatIsSet = <A, E>(
  use: (set: (byMs: number) => void) => Effect.Effect<A, E, Scope.Scope>,
  fromMs?: number
): Promise<A> =>
  inVirtualTime(
    Effect.gen(function* () {
      const steady = yield* Clock.Clock
      let offMs = 0
      const wallMs = () => steady.currentTimeMillisUnsafe() + offMs
      const clock: Clock.Clock = {
        ...steady,
        currentTimeMillisUnsafe: wallMs,
        currentTimeMillis: Effect.sync(wallMs),
        currentTimeNanosUnsafe: () => BigInt(wallMs()) * 1_000_000n,
        currentTimeNanos: Effect.sync(() => BigInt(wallMs()) * 1_000_000n)
      }
      const set = (byMs: number) => {
        offMs += byMs
      }
      return yield* Effect.provideService(use(set), Clock.Clock, clock)
    }),
    fromMs
  )
