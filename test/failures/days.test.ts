import fc from "fast-check"
import { assert, it } from "vitest"
import { dayHistories } from "./dayHistories.ts"
import { lived } from "./days.ts"

it("days of ten skills, with outages, edits and clocks that are set, leave each owed slot settled once", { timeout: 120_000 }, async () => {
  await fc.assert(
    fc.asyncProperty(dayHistories(15), async (history) => {
      const { violations, told } = await lived(history)
      assert.deepStrictEqual(violations, [])
      assert.isAbove(told["slots run"] ?? 0, 20)
    }),
    { numRuns: 2, endOnFailure: true } // To search for a smaller one is for who looks at it: `daysWorker.ts`.
  )
})
