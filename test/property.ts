/** Properties over Effects in virtual time: fast-check finds and shrinks the case, the test clock owns the time. */
import { Effect, type Scope } from "effect"
import { TestClock } from "effect/testing"
import fc from "fast-check"
import { it } from "vitest"

/** When virtual time begins: 2026-11-22T06:00:00Z. */
export const beginningMs = Date.UTC(2026, 10, 22, 6)

export interface PropertyOptions {
  /** Cases to try; `HOLDFAST_DEEP_RUNS` multiplies it. */
  readonly runs: number
  readonly timeoutMs?: number
}

/** One property: a failure prints its seed, the path to the smallest case, and that case. */
export const property = <A>(
  name: string,
  { runs, timeoutMs = 120_000 }: PropertyOptions,
  cases: fc.Arbitrary<A>,
  check: (value: A) => Effect.Effect<void, unknown, Scope.Scope>
): void =>
  it(
    name,
    async () => {
      const factor = Number(process.env["HOLDFAST_DEEP_RUNS"] ?? 1)
      const seed = process.env["HOLDFAST_SEED"]
      await fc.assert(
        fc.asyncProperty(cases, (value) => inVirtualTime(check(value))),
        { numRuns: runs * factor, ...(seed === undefined ? {} : { seed: Number(seed) }) }
      )
    },
    timeoutMs
  )

/** Runs an effect on a clock of its own, which stands at the beginning until it is moved. */
export const inVirtualTime = <A, E>(effect: Effect.Effect<A, E, Scope.Scope>): Promise<A> =>
  Effect.runPromise(Effect.andThen(TestClock.setTime(beginningMs), effect).pipe(Effect.scoped, Effect.provide(TestClock.layer())))
