import { rmSync } from "node:fs"
import { afterAll, assert, beforeAll, describe, it } from "vitest"
import { everyBoundary, type Kit, makeKit, unable } from "./boundaries.ts"
import { scenarios } from "./scenarios.ts"

const because = unable()
if (because !== undefined) console.log(`boundaries: skipped, because ${because}`)

describe.skipIf(because !== undefined)("a process killed at any of its calls loses nothing that was acknowledged", () => {
  let kit: Kit
  beforeAll(async () => {
    kit = await makeKit()
  })
  afterAll(() => rmSync(kit.folder, { recursive: true, force: true }))

  for (const name of ["append", "rotate", "compact"]) {
    it(`${name}: before, after and in the middle of each`, { timeout: 120_000 }, async () => {
      const scenario = scenarios.find((one) => one.name === name)!
      const { boundaries, kills, missed, violations } = await everyBoundary(kit, scenario, (blow) => !("torn" in blow) || blow.torn === 50)
      console.log(`${name}: ${boundaries} boundaries, ${kills} kills, ${missed} missed, ${violations.length} violations`)
      assert.deepStrictEqual(violations, [])
      assert.isAtMost(missed, kills / 20)
      assert.isAbove(kills, 2 * boundaries)
    })
  }
})
