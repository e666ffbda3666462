import { rmSync } from "node:fs"
import { afterAll, assert, beforeAll, describe, it } from "vitest"
import { boundariesOf, everyBoundary, type Kit, makeKit, unable } from "./boundaries.ts"
import { everyHandOver } from "./handOver.ts"
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
    it(`${name}: after and in the middle of each`, { timeout: 120_000 }, async () => {
      const scenario = scenarios.find((one) => one.name === name)!
      // All of them begin with the start that the first one is killed in.
      const beyond =
        name === "append"
          ? []
          : await boundariesOf(
              kit,
              scenarios.find((one) => one.name === "append")!
            )
      // Of the two lines of an append the first one is whole then, and is not to be read.
      const { boundaries, kills, missed, violations } = await everyBoundary(kit, scenario, { sides: ["after"], beyond, torn: [80] })
      console.log(`${name}: ${boundaries} boundaries, ${kills} kills, ${missed} missed, ${violations.length} violations`)
      assert.deepStrictEqual(violations, [])
      assert.isAtMost(missed, kills / 20)
      assert.isAbove(kills, boundaries)
    })
  }

  it(
    "hand-over: the next process waits before the lock, and gets all that the killed one had acknowledged",
    { timeout: 120_000 },
    async () => {
      const { boundaries, kills, met, violations } = await everyHandOver(kit, ({ at }) => at % 6 === 0)
      console.log(
        `hand-over: ${boundaries} boundaries, ${kills} kills, ${met} before the eyes of the next, ${violations.length} violations`
      )
      assert.deepStrictEqual(violations, [])
      assert.isAbove(met, 0)
    }
  )
})
