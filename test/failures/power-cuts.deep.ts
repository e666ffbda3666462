import { rmSync } from "node:fs"
import { assert, it } from "vitest"
import { makeKit, unable } from "./boundaries.ts"
import { fileSystems, powerCuts, uncuttable } from "./powerCuts.ts"

const seed = Number(process.env["HOLDFAST_DEEP_SEED"] ?? 1)
/** On each file system. */
const cuts = Number(process.env["HOLDFAST_DEEP_KILLS"] ?? 200)

it("a file system that loses its power keeps all that was acknowledged", async (context) => {
  const because = unable()
  if (because !== undefined) {
    console.log(`power cuts: skipped, because ${because}`)
    return context.skip(because)
  }
  const kit = await makeKit()
  try {
    const tried = await Promise.all(
      Object.keys(fileSystems).map(async (name) => {
        const type = name as keyof typeof fileSystems
        const because = uncuttable(kit, type)
        if (because !== undefined) return console.log(`power cuts on ${type}: skipped, because ${because}`)
        const tried = await powerCuts(kit, type, cuts, seed)
        for (const [name, { kills, missed, violations }] of tried)
          console.log(`${type}: ${name}: ${kills} cuts, ${missed} after the end, ${violations.length} violations`)
        const violations = [...tried.values()].flatMap(({ violations }) => violations)
        console.log(`power cuts on ${type}: seed ${seed}, ${cuts} cuts, ${violations.length} violations`)
        return violations
      })
    )
    if (tried.every((one) => one === undefined)) return context.skip("no file system can be shut down here")
    assert.deepStrictEqual(
      tried.flatMap((violations) => violations ?? []),
      []
    )
  } finally {
    rmSync(kit.folder, { recursive: true, force: true })
  }
})
