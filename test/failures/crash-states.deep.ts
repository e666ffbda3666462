import { assert, it } from "vitest"
import { walk, type Walked } from "./crashStates.ts"
import { scenarios } from "./scenarios.ts"

const seed = Number(process.env["HOLDFAST_DEEP_SEED"] ?? 1)

it("every disk that a crash can leave gives back all that was acknowledged", async () => {
  const walked: Array<Walked> = []
  for (const scenario of scenarios) {
    const one = await walk(scenario, 1, seed)
    walked.push(one)
    console.log(
      `${one.name}: ${one.moments} moments, ${one.checked} disks, ${one.sampled} moments sampled, ${one.violations.length} violations`
    )
  }
  const sum = (of: "moments" | "checked" | "sampled") => walked.reduce((total, one) => total + one[of], 0)
  console.log(
    `crash states: seed ${seed}, ${sum("moments")} moments, ${sum("checked")} disks started from, ${sum("sampled")} moments sampled`
  )
  assert.deepStrictEqual(
    walked.flatMap(({ violations }) => violations),
    []
  )
})
