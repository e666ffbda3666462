import { assert, it } from "vitest"
import { fuzzFrontMatter } from "./frontMatterFuzz.ts"
import { slowMs, told } from "./fuzz.ts"

const seed = Number(process.env["HOLDFAST_DEEP_SEED"] ?? 1)
/** Inputs: a budget of kills counts as so many times five thousand. */
const times = Number(process.env["HOLDFAST_DEEP_KILLS"] ?? 200) * 5_000

it("any head of a file is refused by a code, or read as the yaml package reads it, and no unknown key is taken for a setting", () => {
  const report = fuzzFrontMatter(times, seed)
  console.log(told("front matter", times, seed, report))
  assert.isUndefined(report.wrong, `seed ${seed}`)
  assert.isBelow(report.slowestMs, slowMs)
})
