import { assert, describe, it } from "vitest"
import { walk } from "./crashStates.ts"
import { scenarios } from "./scenarios.ts"

describe("a crash at any moment leaves a disk from which all that was acknowledged comes back", () => {
  for (const scenario of scenarios) {
    it(scenario.name, { timeout: 120_000 }, async () => {
      const { name, moments, states, sampled, violations } = await walk(scenario, { most: 200, turns: 2 })
      console.log(`${name}: ${moments} moments, ${states} disks, ${sampled} moments sampled`)
      assert.deepStrictEqual(violations.slice(0, 5), [])
      assert.isAbove(states, 0)
    })
  }
})
