/** Broken promises of pools. */
import { type Mutant, one } from "./mutant.ts"

const pools = "test/layers/Pools.test.ts"

export const poolMutants: ReadonlyArray<Mutant> = [
  one("a pool has a place more than it has", "src/layers/Pools.ts", "if (this.#free > 0) {", "if (this.#free >= 0) {", pools),
  one(
    "a place is given back before the outcome is on record",
    "src/layers/Run.ts",
    "        return yield* believed(entry.definition, end, startedAtMs)",
    "        pools.leave(input.run)\n        return yield* believed(entry.definition, end, startedAtMs)",
    pools
  ),
  one("a place is never given back", "src/layers/Run.ts", "            pools.leave(run)\n", "", pools),
  one(
    "the skill with the most runs is served first",
    "src/layers/Pools.ts",
    "turnOf(one) < turnOf(first) ? one : first",
    "turnOf(one) > turnOf(first) ? one : first",
    pools
  ),
  one(
    "who stopped waiting is served",
    "src/layers/Pools.ts",
    "const others = queue.filter((one) => one !== served)",
    "const others = queue",
    pools
  ),
  one(
    "a retry keeps its place",
    "src/machines/run.ts",
    'backoff: [{ guard: "wantsLink", target: "linking" }, { guard: "needsPlace", target: "queued" }, { target: "executing" }]',
    'backoff: "executing"',
    pools
  )
]
