/** Slots that vanish without a record. */
import { type Mutant, one } from "./mutant.ts"

export const dayMutants: ReadonlyArray<Mutant> = [
  one(
    "a schedule that is edited while the clock is back owes what is settled",
    "src/layers/Adoption.ts",
    "const fromMs = Math.max(nowMs, known?.settledThroughMs ?? 0)",
    "const fromMs = nowMs",
    "test/layers/WallClock.test.ts"
  )
]
