import { assert, describe, it } from "vitest"
import { walk } from "./crashStates.ts"
import { scenarios } from "./scenarios.ts"

/** One in so many disks is started from here; `npm run test:deep` takes them all. */
const share = 7

describe("a crash at any moment leaves a disk from which all that was acknowledged comes back", () => {
  for (const scenario of scenarios) {
    it(scenario.name, { timeout: 120_000 }, async () => {
      const walked = await walk(scenario, share, 1)
      console.log(
        `${walked.name}: ${walked.moments} moments, ${walked.states} disks, ${walked.checked} started from, ${walked.sampled} moments sampled`
      )
      assert.deepStrictEqual(walked.violations.slice(0, 5), [])
      assert.isAbove(walked.checked, 0)
    })
  }
})
