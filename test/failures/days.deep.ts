import { execFile } from "node:child_process"
import { availableParallelism } from "node:os"
import { join } from "node:path"
import { promisify } from "node:util"
import { assert, it } from "vitest"
import type { Told } from "./days.ts"

const days = Number(process.env["HOLDFAST_DEEP_DAYS"] ?? 1_000)
const seed = Number(process.env["HOLDFAST_DEEP_SEED"] ?? 1)
/** What one process lives through, with a seed of its own, so that the number of cores changes nothing. */
const batchDays = 500
const worker = join(import.meta.dirname, "daysWorker.ts")

it(`${days} days of ten skills, with outages, edits and clocks that are set, leave each owed slot settled once`, async () => {
  const batches = Array.from(
    { length: Math.ceil(days / batchDays) },
    (_, i) => [seed + i, Math.min(batchDays, days - i * batchDays)] as const
  )
  const told: Told = {}
  const failures: Array<string> = []
  const startedAt = performance.now()
  const work = async () => {
    for (let batch = batches.shift(); batch !== undefined; batch = batches.shift()) {
      const args = ["--conditions=holdfast-source", worker, ...batch.map(String)]
      const { stdout } = await promisify(execFile)(process.execPath, args, { maxBuffer: 2 ** 26 })
      const answer = JSON.parse(stdout) as { readonly told: Told; readonly failure?: string }
      for (const [name, count] of Object.entries(answer.told)) told[name] = (told[name] ?? 0) + count
      if (answer.failure !== undefined) failures.push(`node ${args.join(" ")} [PATH]\n${answer.failure}`)
    }
  }
  await Promise.all(Array.from({ length: availableParallelism() }, work))
  const minutes = (performance.now() - startedAt) / 60_000
  console.log(
    `days: seed ${seed}, ${JSON.stringify(told)}, ${failures.length} batches with violations, ${Math.round((told["days"] ?? 0) / minutes)} days a minute`
  )
  assert.deepStrictEqual(failures, [])
})
