import { randomInt } from "node:crypto"
import { assert, it } from "vitest"
import { killStorm } from "./killStorm.ts"

it("ten kills at random instants lose no slot, repeat no finished step, and tell each result once", async () => {
  const seed = Number(process.env["HOLDFAST_SEED"] ?? randomInt(2 ** 31))
  const { violations, directory, ...made } = await killStorm({ kills: 10, seed })
  console.log(`kill storm: seed ${seed}, ${JSON.stringify(made)}`)
  assert.deepStrictEqual(violations, [], `seed ${seed}; files in ${directory}`)
  assert.isAbove(made.slots, 40)
  assert.isAbove(made.interruptedAttempts, 5, "a storm in which nothing is interrupted proves nothing")
  assert.isAbove(made.rows, 10)
}, 240_000)
