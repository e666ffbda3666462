/** `holdfast runs`: the latest runs, read from the journal. */
import * as Effect from "effect/Effect"
import { type Refused, shown } from "../domain/Errors.ts"
import type { Ledger, RunRecord } from "../domain/Ledger.ts"
import { runPicture } from "../domain/Picture.ts"
import { Disk } from "../layers/Disk.ts"
import { readState } from "../layers/StateStore.ts"
import { defineCommand, exit, shared } from "./command.ts"
import type { Out } from "./output.ts"
import { existingState } from "./place.ts"
import { clock, length } from "./times.ts"
import { unknownSkill } from "./unknownSkill.ts"

const limitDefault = 20

export const command = defineCommand({
  about: `Lists the latest runs, newest first, from the journal: it works while the runtime is down.`,
  words: { usage: "[SKILL]", min: 0, max: 1 },
  flags: {
    limit: { type: "number", value: "N", min: 1, max: 1_000, about: `how many (default: ${limitDefault})` },
    ...shared
  },
  examples: [
    ["holdfast runs", `the latest ${limitDefault}`],
    ["holdfast runs daily-memory --limit 5", "of one skill"],
    ["holdfast runs --json | jq .outcome", "one run a line, for programs"]
  ],
  run: ({ flags, words: [skill], out }) =>
    Effect.gen(function* () {
      const directory = yield* existingState(flags)
      const { ledger } = yield* Effect.provide(readState(directory), Disk.layerNode)
      if (skill !== undefined) yield* known(skill, ledger)
      const runs = [...ledger.runs.values()]
        .filter((run) => skill === undefined || run.skill === skill)
        .toSorted((a, b) => b.claimedAtMs - a.claimedAtMs)
        .slice(0, flags.limit ?? limitDefault)
      if (out.json) for (const run of runs) out.value(runPicture(run))
      else if (runs.length === 0) out.line(`no runs${skill === undefined ? "" : ` of ${skill}`} yet`)
      else
        out.table([
          ["RUN", "STARTED", "OUTCOME", "LATE", "TOOK", "ATTEMPTS", "REASON"].map(out.paint.dim),
          ...runs.map((run) => row(run, out))
        ])
      return exit.ok
    })
})

const known = (skill: string, ledger: Ledger): Effect.Effect<void, Refused> => {
  const names = new Set([...ledger.skills.keys(), ...[...ledger.runs.values()].map((run) => run.skill)])
  return names.has(skill) ? Effect.void : Effect.fail(unknownSkill(skill, names))
}

const row = (run: RunRecord, { paint }: Out): ReadonlyArray<string> => {
  const {
    outcome,
    lateMs,
    durationMs,
    attempts,
    reason = ""
  } = { lateMs: undefined, outcome: undefined, durationMs: undefined, ...runPicture(run) }
  return [
    run.run,
    run.startedAtMs === undefined ? "-" : clock(run.startedAtMs, Date.now()),
    outcome === undefined ? paint.yellow(run.phase) : outcome === "success" ? paint.green(outcome) : paint.red(outcome),
    lateMs === undefined ? "-" : length(lateMs),
    durationMs === undefined ? "-" : length(durationMs),
    String(attempts),
    shown(reason)
  ]
}
