import { randomInt } from "node:crypto"
import { assert, it } from "vitest"
import { stepStorm } from "./stepStorm.ts"

it("a shell pipeline whose runtime is killed again and again ends with each effect once, or again under the same key", async () => {
  const seed = Number(process.env["HOLDFAST_SEED"] ?? randomInt(2 ** 31))
  const { violations, directory, ...made } = await stepStorm({ kills: 4, seed })
  console.log(`step storm: seed ${seed}, ${JSON.stringify(made)}`)
  assert.deepStrictEqual(violations, [], `seed ${seed}; files in ${directory}`)
  assert.isAbove(made.interruptedAttempts, 0, "a storm in which nothing is interrupted proves nothing")
}, 120_000)
