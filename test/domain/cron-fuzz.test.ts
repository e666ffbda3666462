import { assert, it } from "vitest"
import { fuzzCron } from "./cronFuzz.ts"
import { slowMs } from "./fuzz.ts"

it("any cron expression is refused by a code, or names what a second reader names", { timeout: 60_000 }, () => {
  const { accepted, slowestMs, wrong } = fuzzCron(2_000, 1)
  assert.isUndefined(wrong)
  assert.isBelow(slowestMs, slowMs)
  assert.isAbove(accepted, 800)
})
