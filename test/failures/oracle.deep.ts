import fc from "fast-check"
import { assert, it } from "vitest"
import { compared, lives } from "./oracle.ts"

const seed = Number(process.env["HOLDFAST_DEEP_SEED"] ?? 1)
/** Histories: a budget of kills counts as so many hundreds. */
const numRuns = Number(process.env["HOLDFAST_DEEP_KILLS"] ?? 200) * 100

it("the state service and tables of SQLite come to the same, through starts, kills and checkpoints", async () => {
  let [starts, appends] = [0, 0]
  await fc.assert(
    fc.asyncProperty(lives, async (history) => {
      starts += history.length + 1
      appends += history.reduce((sum, life) => sum + life.appends.length, 0)
      assert.isUndefined(await compared(history))
    }),
    { numRuns, seed }
  )
  console.log(`oracle: seed ${seed}, ${numRuns} histories, ${starts} starts, ${appends} appends, 0 differences`)
})
