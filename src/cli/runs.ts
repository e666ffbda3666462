/** `holdfast runs`: the latest runs, read from the journal. */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import { nearest, type Refused, shown } from "../domain/Errors.ts"
import { type Ledger, type RunRecord, runsRemembered } from "../domain/Ledger.ts"
import { type Outcome, outcomes } from "../domain/Outcome.ts"
import { runPicture } from "../domain/Picture.ts"
import { latestRuns } from "../domain/RunQuery.ts"
import { Disk } from "../layers/Disk.ts"
import { readState } from "../layers/StateStore.ts"
import { defineCommand, exit, shared } from "./command.ts"
import { givenMoment } from "./moment.ts"
import type { Out } from "./output.ts"
import { existingState } from "./place.ts"
import { clock, length } from "./times.ts"
import { unknownSkill } from "./unknownSkill.ts"
import { UsageInvalid } from "./usage.ts"

const limitDefault = 20

export const command = defineCommand({
  about:
    "Lists the latest runs, newest first, from the journal: it works while the runtime is down. " +
    `It reaches back over all that have no outcome and the latest ${runsRemembered.toLocaleString("en")} that have one, of all skills together; holdfast why and holdfast state export tell of older ones. ` +
    "TIME is 06:00 (the latest one), '2026-11-22 06:00', 2026-11-22T06:00:00Z or a run's id.",
  words: { usage: "[SKILL]", min: 0, max: 1 },
  flags: {
    outcome: { type: "text", value: "OUTCOME,...", about: `only those that came to ${Object.keys(outcomes).join(", ")}` },
    waiting: { type: "switch", about: "only those that have no outcome yet; with --outcome, those as well" },
    since: { type: "text", value: "TIME", about: "only those that were claimed then or later" },
    until: { type: "text", value: "TIME", about: "only those that were claimed then or before" },
    limit: { type: "number", value: "N", min: 1, max: 1_000, about: `how many (default: ${limitDefault})` },
    ...shared
  },
  examples: [
    ["holdfast runs", `the latest ${limitDefault}`],
    ["holdfast runs daily-memory --limit 5", "of one skill"],
    ["holdfast runs --outcome failed,unproven --since 06:00", "what went wrong since six"],
    ["holdfast runs --waiting", "what is under way or waits"],
    ["holdfast runs --json | jq .outcome", "one run a line, for programs"]
  ],
  run: ({ flags, words: [skill], out }) =>
    Effect.gen(function* () {
      const nowMs = yield* Clock.currentTimeMillis
      const query = {
        skill,
        outcomes: yield* readOutcomes(flags.outcome),
        waiting: flags.waiting,
        sinceMs: flags.since === undefined ? -Infinity : yield* givenMoment("holdfast runs --since", flags.since, nowMs),
        untilMs: flags.until === undefined ? Infinity : yield* givenMoment("holdfast runs --until", flags.until, nowMs),
        limit: flags.limit ?? limitDefault
      }
      const directory = yield* existingState(flags)
      const { ledger } = yield* Effect.provide(readState(directory), Disk.layerNode)
      if (skill !== undefined) yield* known(skill, ledger)
      const runs = latestRuns(ledger.runs.values(), query)
      if (out.json) for (const run of runs) out.value(runPicture(run))
      else if (runs.length === 0) {
        const such = flags.waiting || [flags.outcome, flags.since, flags.until].some((flag) => flag !== undefined)
        out.line(`no ${such ? "such " : ""}runs${skill === undefined ? "" : ` of ${skill}`}${such ? "" : " yet"}`)
      } else
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

/** The outcomes that are asked for; nothing where none is named. Fails with OUTCOME_UNKNOWN. */
const readOutcomes = (text: string | undefined): Effect.Effect<ReadonlySet<Outcome> | undefined, UsageInvalid> => {
  if (text === undefined) return Effect.undefined
  const names = text.split(",").map((name) => name.trim())
  const unknown = names.find((name) => !Object.hasOwn(outcomes, name))
  if (unknown === undefined) return Effect.succeed(new Set(names as Array<Outcome>))
  const known = Object.keys(outcomes)
  const near = nearest(unknown, known)
  return Effect.fail(
    new UsageInvalid({
      code: "OUTCOME_UNKNOWN",
      where: "holdfast runs --outcome",
      got: shown(unknown),
      want: `some of ${known.join(", ")}, with commas between`,
      fix: near === undefined ? "correct the flag" : `did you mean ${near}?`
    })
  )
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
