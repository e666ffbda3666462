import { assert, it } from "vitest"
import { fuzzCron } from "./cronFuzz.ts"
import { slowMs, told } from "./fuzz.ts"

const seed = Number(process.env["HOLDFAST_DEEP_SEED"] ?? 1)
/** Inputs: a budget of kills counts as so many times five thousand. */
const times = Number(process.env["HOLDFAST_DEEP_KILLS"] ?? 200) * 5_000

it("any cron expression is refused by a code, or names what a second reader names", () => {
  const report = fuzzCron(times, seed)
  console.log(told("cron", times, seed, report))
  assert.isUndefined(report.wrong, `seed ${seed}`)
  assert.isBelow(report.slowestMs, slowMs)
})
