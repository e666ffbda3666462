/** `holdfast trigger`: asks the runtime for a run of a skill, and if wanted waits for what it comes to. */
import * as Effect from "effect/Effect"
import { readdirSync, statSync } from "node:fs"
import { join } from "node:path"
import { Refused, shown, type StateUnusable } from "../domain/Errors.ts"
import type { RunRecord } from "../domain/Ledger.ts"
import { runPicture } from "../domain/Picture.ts"
import { ask } from "../layers/ControlClient.ts"
import { Disk } from "../layers/Disk.ts"
import { readState } from "../layers/StateStore.ts"
import { defineCommand, exit, shared } from "./command.ts"
import { existingState } from "./place.ts"
import { standing } from "./standing.ts"
import { length } from "./times.ts"

export const command = defineCommand({
  about:
    "Runs a skill now, through the runtime at work, and prints the run's id. " +
    "With --wait it leaves with 0 for a success and 1 for any other outcome.",
  words: { usage: "SKILL", min: 1, max: 1 },
  flags: {
    key: { type: "text", value: "KEY", about: "the same key asks for the same run: asking twice runs it once" },
    wait: { type: "switch", about: "until the run is settled" },
    ...shared
  },
  examples: [
    ["holdfast trigger daily-memory", "starts it, prints daily-memory@...+manual-..."],
    ["holdfast trigger post-pipeline --wait && echo posted", "waits for its outcome"],
    ["holdfast trigger post-pipeline --key launch", "safe to repeat"]
  ],
  run: ({ flags, words, out }) =>
    Effect.gen(function* () {
      const directory = yield* existingState(flags)
      const run = String(
        yield* ask(directory, { id: 1, do: "trigger", skill: words[0]!, ...(flags.key === undefined ? {} : { key: flags.key }) })
      )
      if (!flags.wait) {
        if (out.json) out.value({ run })
        else out.line(run)
        return exit.ok
      }
      if (!out.json) out.line(run)
      const record = yield* awaitSettled(directory, run)
      const { settled } = record
      const { outcome, reason, durationMs } = settled
      const colour = outcome === "success" ? out.paint.green : out.paint.red
      if (out.json) out.value(runPicture(record))
      else out.line(`${colour(outcome)} after ${length(durationMs)}${reason === "" ? "" : `: ${shown(reason)}`}`)
      return outcome === "success" ? exit.ok : exit.failed
    })
})

type SettledRun = RunRecord & { readonly settled: NonNullable<RunRecord["settled"]> }

/** Reads the journal again each time it has grown. Fails with RUNTIME_DOWN when nobody is left who could settle the run. */
const awaitSettled = Effect.fnUntraced(function* (directory: string, run: string): Effect.fn.Return<SettledRun, Refused | StateUnusable> {
  let seen = -1
  for (;;) {
    const { running } = yield* standing(directory, Date.now()) // Before the journal: what it wrote before it ended still counts.
    const size = journalSize(directory)
    if (size !== seen) {
      const { ledger } = yield* Effect.provide(readState(directory), Disk.layerNode)
      const record = ledger.runs.get(run)
      if (record?.settled !== undefined) return { ...record, settled: record.settled }
      if (record?.phase === "parked") return yield* parked(run, record.parked ?? "")
      seen = size
    }
    if (running === false) {
      return yield* new Refused({
        code: "RUNTIME_DOWN",
        where: directory,
        got: `${run} is not settled and the runtime has ended`,
        want: "a runtime at work on this directory",
        fix: "start it again: it takes the run up; holdfast runs shows it"
      })
    }
    yield* Effect.sleep(pollMs)
  }
})

const parked = (run: string, reason: string) =>
  new Refused({
    code: "RUN_PARKED",
    where: run,
    got: shown(reason),
    want: "an outcome",
    fix: `holdfast runs release ${run}, or holdfast runs cancel ${run}`
  })

const pollMs = 100

const journalSize = (directory: string): number => {
  const folder = join(directory, "journal")
  return readdirSync(folder).reduce((sum, name) => sum + (statSync(join(folder, name), { throwIfNoEntry: false })?.size ?? 0), 0)
}
