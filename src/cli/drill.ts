/** `holdfast drill`: takes a layer away from a real runtime, measures what goes on and what comes back, and judges it. */
import * as Effect from "effect/Effect"
import * as Queue from "effect/Queue"
import { fileURLToPath } from "node:url"
import { nearest, shown } from "../domain/Errors.ts"
import {
  type DrillReport,
  measuredTable,
  promiseTable,
  type RuntimeCommand,
  runDrill,
  type ScenarioName,
  scenarios
} from "../testing/drill/index.ts"
import { defineCommand, exit } from "./command.ts"
import type { Out } from "./output.ts"
import { stopSignals } from "./signals.ts"
import { clock } from "./times.ts"
import { UsageInvalid } from "./usage.ts"

export const command = defineCommand({
  about:
    "Starts a runtime with six skills beside an embedded gateway, both in a new temporary folder, takes away what the scenario says, gives it back, " +
    "and compares the journal, the session's transcript and the skills' own book. Leaves with 0 when nothing was lost, nothing on record was done " +
    "twice and each result is in the session once. Touches nothing of yours; a failed drill keeps its folder and names it.",
  words: { usage: "session-loss|partition|restart|all", min: 1, max: 1 },
  flags: {
    seconds: { type: "number", value: "N", min: 1, max: 300, about: "how long the loss lasts (default: 6, of a restart 2.5)" },
    keep: { type: "switch", about: "keep the folder also after success, and name it" }
  },
  examples: [
    ["holdfast drill session-loss", "the WebSocket is refused, HTTP is healthy"],
    ["holdfast drill restart", "kill -9 in the middle of the work"],
    ["holdfast drill all --json", "all three, one after the other, as one object"]
  ],
  run: ({ flags, words: [word = ""], out }) =>
    Effect.gen(function* () {
      const names = yield* namesOf(word)
      const signals = yield* stopSignals
      const tell = (name: string) => (progress: string) => out.note(out.paint.dim(`${clock(Date.now())}  ${name}: ${progress}`))
      const drills = Effect.forEach(names, (name) =>
        runDrill(name, { command: upCommand, seconds: flags.seconds, keep: flags.keep, tell: tell(name) })
      )
      const reports = yield* Effect.raceFirst(drills, Effect.as(Queue.take(signals), undefined))
      if (reports === undefined) return exit.failed // Broken off: nothing was proven.
      const ok = reports.every((report) => report.ok)
      if (out.json) out.value({ ok, drills: reports })
      else show(reports, out)
      return ok ? exit.ok : exit.failed
    }).pipe(Effect.scoped)
})

const all = Object.keys(scenarios) as ReadonlyArray<ScenarioName>

const namesOf = (word: string): Effect.Effect<ReadonlyArray<ScenarioName>, UsageInvalid> => {
  const found = word === "all" ? all : all.filter((name) => name === word)
  if (found.length > 0) return Effect.succeed(found)
  const near = nearest(word, [...all, "all"])
  return Effect.fail(
    new UsageInvalid({
      code: "DRILL_UNKNOWN",
      where: "drill",
      got: shown(word),
      want: [...all, "all"].join(", "),
      fix: near === undefined ? "choose one of them" : `did you mean ${near}?`
    })
  )
}

/** The same command that a user starts a runtime with, from sources or from the build. */
const upCommand: RuntimeCommand = ({ state, skills, gateway }) => {
  const source = import.meta.url.endsWith(".ts")
  const bin = fileURLToPath(new URL(source ? "../bin.ts" : "../bin.js", import.meta.url))
  return [
    process.execPath,
    ...(source ? ["--conditions=holdfast-source"] : []),
    bin,
    "up",
    "--state",
    state,
    "--skills",
    skills,
    "--gateway",
    gateway
  ]
}

const show = (reports: ReadonlyArray<DrillReport>, out: Out): void => {
  const { paint } = out
  const headed = ([head = [], ...rows]: ReadonlyArray<ReadonlyArray<string>>) => out.table([head.map(paint.bold), ...rows])
  headed(promiseTable(reports))
  out.line("")
  headed(measuredTable(reports))
  out.line("")
  for (const report of reports) {
    const { scenario, ok, heldFor, trouble, violations, directory } = report
    for (const { skill, reason } of heldFor) out.line(paint.dim(`${scenario}: ${skill} waited: ${shown(reason)}`))
    out.line(
      ok
        ? `${scenario}: ${paint.green("held fast")}: nothing lost, nothing on record done twice, each result once and in order`
        : `${scenario}: ${paint.red("failed")}: ${failures(report).join("; ")}`
    )
    for (const line of trouble) out.line(`  ${shown(line)}`)
    for (const { rule, subject, detail } of violations.slice(0, shownMax)) out.line(`  ${rule}  ${shown(subject)}  ${shown(detail)}`)
    if (violations.length > shownMax) out.line(`  and ${violations.length - shownMax} more (--json shows all)`)
    if (directory !== undefined) out.line(`  kept: ${directory}`)
  }
}

const shownMax = 20

/** In a few words: what was not as promised. */
const failures = ({ faultSeen, violations, runs, slots, results, trouble }: DrillReport): ReadonlyArray<string> => [
  ...(faultSeen ? [] : ["the loss was never noticed"]),
  ...(violations.length === 0 ? [] : [`${violations.length} of what must not happen`]),
  ...(runs.unfinished === 0 ? [] : [`${runs.unfinished} runs without an outcome`]),
  ...(slots.unheld === 0 ? [] : [`${slots.unheld} slots ran that had to wait`]),
  ...(slots.stalled === 0 ? [] : [`${slots.stalled} slots of local skills had to wait`]),
  ...(results.parked === 0 ? [] : [`${results.parked} results set aside`]),
  ...(trouble.length === 0 ? [] : ["the drill did not go as planned"])
]
