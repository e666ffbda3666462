import { assert, describe, it } from "vitest"
import { flips, Judge, mutations, samples } from "./journalFuzz.ts"

/** Of the larger samples one in so many bits is flipped here; `npm run test:deep` flips them all. */
const share = 21

describe("a journal with something wrong in it is refused, or read as a state that was", async () => {
  for (const [i, sample] of (await samples()).entries()) {
    it(`each bit flipped: ${sample.name}`, { timeout: 120_000 }, async () => {
      const { judge, wrong } = await flips(sample, i === 0 ? 1 : share)
      assert.isUndefined(wrong)
      assert.isAbove(judge.came.refused, 100)
    })

    it(`each file cut at each byte: ${sample.name}`, { timeout: 120_000 }, async () => {
      const judge = new Judge(sample)
      for (const [path, whole] of sample.files) {
        for (let to = 0; to < whole.length; to++) {
          judge.put(new Map([[path, whole.subarray(0, to)]]))
          const verdict = await judge.verdict(0)
          if (verdict !== undefined) assert.fail(`${path} cut to ${to}: ${verdict}`)
        }
        judge.put(new Map([[path, whole]]))
      }
      assert.isAbove(judge.came.refused + judge.came.shorter, 0)
    })

    it(`random wrongs: ${sample.name}`, { timeout: 120_000 }, async () => {
      const { judge, wrong } = await mutations(sample, 400, 1)
      assert.isUndefined(wrong)
      assert.isAbove(judge.came.refused, 100)
    })
  }
})
