import { assert, it } from "vitest"
import { fuzzFrontMatter } from "./frontMatterFuzz.ts"
import { slowMs } from "./fuzz.ts"

it(
  "any head of a file is refused by a code, or read as the yaml package reads it, and no unknown key is taken for a setting",
  { timeout: 60_000 },
  () => {
    const { accepted, sound, slowestMs, wrong } = fuzzFrontMatter(1_000, 1)
    assert.isUndefined(wrong)
    assert.isBelow(slowestMs, slowMs)
    assert.isAbove(accepted, 500)
    assert.isAbove(sound, 150)
  }
)
