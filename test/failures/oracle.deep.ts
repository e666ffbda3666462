import fc from "fast-check"
import { assert, it } from "vitest"
import { compared, type Ground, histories, longHistory, real, simulated, type Told } from "./oracle.ts"

const seed = Number(process.env["HOLDFAST_DEEP_SEED"] ?? 1)
/** A budget of kills counts as so many histories on the disk of this machine, and a hundred times as many on a simulated one. */
const kills = Number(process.env["HOLDFAST_DEEP_KILLS"] ?? 200)

const search = async (where: string, numRuns: number, begin: () => Ground) => {
  const told: Told = { starts: 0, appends: 0, cuts: 0, kept: 0, lost: 0, pruned: 0 }
  await fc.assert(
    fc.asyncProperty(histories, async (history) => {
      const ground = begin()
      try {
        assert.isUndefined(await compared(history, ground, told))
      } finally {
        ground.remove()
      }
    }),
    { numRuns, seed }
  )
  console.log(`oracle, ${where}: seed ${seed}, ${numRuns} histories, ${JSON.stringify(told)}, 0 differences`)
}

it("the state service and tables of SQLite come to the same, through starts, kills, power cuts and checkpoints", () =>
  search("simulated disk", kills * 100, simulated))

it("so they do on the disk of this machine", () => search("this machine", kills, real))

it("so they do when more runs have settled than are remembered", async () => {
  for (const runs of [999, 1_000, 1_001, 2_000, 5_300]) assert.isUndefined(await compared(longHistory(runs)), `${runs} runs`)
})
