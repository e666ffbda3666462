import { assert, it } from "vitest"
import { stepStorm } from "./stepStorm.ts"

const kills = Number(process.env["HOLDFAST_DEEP_KILLS"] ?? 100)
const seed = Number(process.env["HOLDFAST_DEEP_SEED"] ?? 1)

it(`a shell pipeline whose runtime is killed ${kills} times ends with each effect once, or again under the same key`, async () => {
  const { violations, directory, ...made } = await stepStorm({ kills, seed })
  console.log(`step storm: ${kills} kills, seed ${seed}, ${JSON.stringify(made)}`)
  assert.deepStrictEqual(violations, [], `seed ${seed}; files in ${directory}`)
  assert.isAbove(made.interruptedAttempts, kills / 2)
  assert.isAbove(made.again, 0, "no kill came between an effect and its record")
  assert.isAbove(made.replayed, kills)
})
