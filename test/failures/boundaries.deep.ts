import { rmSync } from "node:fs"
import { assert, it } from "vitest"
import { everyBoundary, makeKit, randomKills, type Tried, unable } from "./boundaries.ts"
import { everyHandOver } from "./handOver.ts"
import { scenarios } from "./scenarios.ts"

const seed = Number(process.env["HOLDFAST_DEEP_SEED"] ?? 1)
const budget = Number(process.env["HOLDFAST_DEEP_KILLS"] ?? 200)
const because = unable()
if (because !== undefined) console.log(`boundaries: skipped, because ${because}`)

it.skipIf(because !== undefined)("a process killed anywhere, and while it recovers, loses nothing that was acknowledged", async () => {
  const kit = await makeKit()
  const all: Array<Tried> = []
  const told = (what: string, name: string, tried: Tried) => {
    all.push(tried)
    const { boundaries, kills, missed, violations } = tried
    console.log(`${what}: ${name}: ${boundaries} boundaries, ${kills} kills, ${missed} missed, ${violations.length} violations`)
  }
  const made = () => all.reduce((sum, { kills }) => sum + kills, 0)
  try {
    for (const scenario of scenarios) told("every boundary", scenario.name, await everyBoundary(kit, scenario))
    const handed = await everyHandOver(kit)
    told(`every boundary, ${handed.met} before the eyes of the next`, "hand-over", handed)
    const killed = scenarios.filter(({ fails }) => fails === undefined)
    for (let round = 0; made() < budget; round++) {
      const each = Math.min(250, Math.ceil((budget - made()) / killed.length))
      const pairs = Array.from({ length: Math.ceil(killed.length / 2) }, (_, i) => killed.slice(2 * i, 2 * i + 2))
      for (const pair of pairs) {
        const tried = await Promise.all(pair.map((scenario, i) => randomKills(kit, scenario, each, seed + 1_000 * round + i)))
        for (const [i, scenario] of pair.entries()) told(`seed ${seed + 1_000 * round + i}`, scenario.name, tried[i]!)
      }
    }
  } finally {
    rmSync(kit.folder, { recursive: true, force: true })
  }
  const violations = all.flatMap(({ violations }) => violations)
  console.log(`boundaries: seed ${seed}, ${made()} kills, ${violations.length} violations`)
  assert.deepStrictEqual(violations, [])
})
