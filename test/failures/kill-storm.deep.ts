import { assert, it } from "vitest"
import { killStorm } from "./killStorm.ts"

const kills = Number(process.env["HOLDFAST_DEEP_KILLS"] ?? 200)
const seed = Number(process.env["HOLDFAST_DEEP_SEED"] ?? 1)

it(`${kills} kills at random instants lose no slot, repeat no finished step, and tell each result once`, async () => {
  const { violations, directory, ...made } = await killStorm({ kills, seed })
  console.log(`kill storm: seed ${seed}, ${JSON.stringify(made)}`)
  assert.deepStrictEqual(violations, [], `seed ${seed}; files in ${directory}`)
  assert.isAbove(made.interruptedAttempts, kills / 4)
  assert.isAbove(made.replayedSteps, kills / 50)
})
