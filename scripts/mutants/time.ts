/** Broken promises of schedules where clocks change. */
import { type Mutant, one } from "./mutant.ts"

const schedule = "test/domain/Schedule.test.ts"
const calendar = "src/domain/Calendar.ts"

export const timeMutants: ReadonlyArray<Mutant> = [
  one("a fixed time that the clock skips is lost", calendar, "return this.#names(early + after) ? [] : [early]", "return []", schedule),
  one(
    "a fixed time that the clock skips is doubled where it is a slot already",
    calendar,
    "this.#names(early + after) ? [] : [early]",
    "[early]",
    schedule
  ),
  one("a fixed time in the repeated hour runs twice", calendar, "return [found[0]!]", "return found", schedule),
  one("a wildcard means times of the day", calendar, "      if (this.#cron.elapsed) return found\n", "", schedule),
  one("the change of clocks is known to the hour", calendar, "changed - same > 1000", "changed - same > 3_600_000", schedule),
  one("a day more than needed is not looked at", calendar, "let spare = 1", "let spare = 0", schedule)
]
