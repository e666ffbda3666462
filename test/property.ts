/** Properties over Effects in virtual time: fast-check finds and shrinks the case, the test clock owns the time. */
import type { Effect, Scope } from "effect"
import fc from "fast-check"
import { it } from "vitest"
import { inVirtualTime } from "./virtualTime.ts"

export { beginningMs, inVirtualTime } from "./virtualTime.ts"

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
