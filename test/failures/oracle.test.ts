import fc from "fast-check"
import { assert, it } from "vitest"
import { compared, lives } from "./oracle.ts"

it("the state service and tables of SQLite come to the same, through starts, kills and checkpoints", { timeout: 120_000 }, async () => {
  await fc.assert(
    fc.asyncProperty(lives, async (history) => assert.isUndefined(await compared(history))),
    { numRuns: 200, seed: 1 }
  )
})
