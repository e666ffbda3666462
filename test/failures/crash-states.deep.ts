import { assert, describe, it } from "vitest"
import { type How, walk, type Walked } from "./crashStates.ts"
import { scenarios } from "./scenarios.ts"

const seed = Number(process.env["HOLDFAST_DEEP_SEED"] ?? 1)

const walkAll = async (how: How): Promise<ReadonlyArray<Walked>> => {
  const walked: Array<Walked> = []
  for (const scenario of scenarios) {
    const one = await walk(scenario, { seed, ...how })
    walked.push(one)
    const { name, moments, states, sampled, violations } = one
    console.log(`${name}: ${moments} moments, ${states} disks, ${sampled} moments sampled, ${violations.length} violations`)
  }
  const sum = (of: "moments" | "states" | "sampled") => walked.reduce((total, one) => total + one[of], 0)
  console.log(
    `crash states: seed ${seed}, ${JSON.stringify(how)}: ${sum("moments")} moments, ${sum("states")} disks, ${sum("sampled")} moments sampled`
  )
  assert.deepStrictEqual(
    walked.flatMap(({ violations }) => violations),
    []
  )
  return walked
}

describe("what was acknowledged comes back", () => {
  it("from every disk that a crash can leave where sectors are kept or lost whole", async () => {
    const walked = await walkAll({ most: 1_000_000 })
    assert.isTrue(walked.every(({ sampled }) => sampled === 0))
  })

  it("from disks on which sectors are torn as well", async () => {
    await walkAll({ pieceBytes: 64 })
  })
})
