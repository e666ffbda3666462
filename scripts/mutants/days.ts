/** Slots that vanish without a record: what days of a whole runtime have to notice. */
import { type Mutant, one } from "./mutant.ts"

const days = "test/failures/days.test.ts"

export const dayMutants: ReadonlyArray<Mutant> = [
  one(
    "a schedule that is edited while the clock is back owes what is settled",
    "src/layers/Adoption.ts",
    "const fromMs = Math.max(nowMs, known?.settledThroughMs ?? 0)",
    "const fromMs = nowMs",
    "test/layers/WallClock.test.ts"
  ),
  one(
    "an edit forgets what the old schedule owed",
    "src/layers/Adoption.ts",
    `superseded(known, nowMs, "the schedule was changed")`,
    "[]",
    days
  ),
  one(
    "slots whose work another one does are not on record",
    "src/domain/SlotDecision.ts",
    `...coalesced.map((range): SettledRange => ({ ...range, verdict: "coalesced" }))`,
    "",
    days
  )
]
