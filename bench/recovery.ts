/**
 * What a start reads: journals of 10,000 and of 1,000,000 records, all of them segments and no checkpoint, each in a process
 * of its own; then the long one again from its checkpoint.
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { execFileSync } from "node:child_process"
import { readdirSync, rmSync } from "node:fs"
import { join } from "node:path"
import { Disk } from "../src/layers/Disk.ts"
import { type NewEvent, StateStore } from "../src/layers/StateStore.ts"
import { type Figure, type Row, temporaryFolder, times } from "./figure.ts"

export const figure: Figure = {
  about: "reading a journal at the start",
  measure: async (effort) => {
    const rows: Array<Row> = []
    for (const [records, goalMs] of [
      [10_000, 200],
      [1_000_000, 5_000]
    ] as const) {
      using folder = temporaryFolder()
      await written(folder.path, records, false)
      for (const name of readdirSync(join(folder.path, "journal"))) {
        if (name.endsWith(".checkpoint")) rmSync(join(folder.path, "journal", name))
      }
      const reads = Array.from({ length: times(effort, { quick: 1, usual: 3 }) }, () => read(folder.path))
      const of = `${reads[0]!.records.toLocaleString("en")} records`
      rows.push({ what: of, unit: "ms", samples: reads.map(({ ms }) => ms), goal: `< ${goalMs}` })
      rows.push({ what: `${of}, memory`, unit: "MB", samples: reads.map(({ megabytes }) => megabytes), goal: "< 400" })
      if (records < 1_000_000) continue
      await written(folder.path, 0, true)
      rows.push({ what: `${of}, from the checkpoint`, unit: "ms", samples: [read(folder.path).ms] })
    }
    return rows
  }
}

const read = (directory: string): { readonly ms: number; readonly megabytes: number; readonly records: number } =>
  JSON.parse(execFileSync(process.execPath, [...process.execArgv, join(import.meta.dirname, "survey.ts"), directory], { encoding: "utf8" }))

/** Lives of runs, four records each; `compacted` writes the checkpoint of all but the segment at hand. */
const written = (directory: string, records: number, compacted: boolean): Promise<void> =>
  Effect.runPromise(
    Effect.scoped(
      Effect.gen(function* () {
        const built = yield* Layer.build(StateStore.layer(directory, { history: { runs: 10_000_000, days: 36_500 } }))
        const store = yield* Effect.provide(StateStore, built)
        for (let n = 0; n < records; n += 1_000) {
          yield* store.append(...Array.from({ length: 250 }, (_, i) => life(n / 4 + i)).flat())
        }
        if (compacted) yield* store.compact
      })
    ).pipe(Effect.provide(Disk.layerNode))
  )

const life = (n: number): ReadonlyArray<NewEvent> => {
  const slot = 1_795_000_000_000 + n * 1_000
  const run = `daily-memory@${new Date(slot).toISOString().replace(/[-:]/g, "").replace(".000", "")}`
  return [
    { type: "run.claimed", run, skill: "daily-memory", slot, fence: n, digest: "0".repeat(64), missed: 0 },
    { type: "attempt.started", run, attempt: 1 },
    { type: "attempt.spawned", run, attempt: 1, pid: 4_711, startTime: "123456", bootId: "0b6b85e8-5883-7f8b-2c10-ae6986bc84d2" },
    {
      type: "run.settled",
      run,
      outcome: "success",
      reason: "",
      startedAtMs: slot,
      durationMs: 12,
      fields: { posts: 4, account: "en" },
      report: null
    }
  ]
}
