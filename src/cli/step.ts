/** `holdfast step`: makes a command of a skill's script a durable step, done once in its run and replayed after. */
import * as Effect from "effect/Effect"
import { randomUUID } from "node:crypto"
import { dirname } from "node:path"
import { explain, type Problem, Refused, shown } from "../domain/Errors.ts"
import { bytesOf, readStepOutput, type StepOutput, stepOutputMax } from "../domain/StepOutput.ts"
import { askUntil } from "../layers/ControlClient.ts"
import { runCommand } from "../layers/StepCommand.ts"
import type { StepStart } from "../layers/Steps.ts"
import { defineCommand } from "./command.ts"
import type { Out } from "./output.ts"
import { UsageInvalid } from "./usage.ts"

const usual = "holdfast step"

export const command = defineCommand({
  about:
    "For the scripts of skills: runs a command as a step of the run. Once it has ended with 0 and that is on record, it is never run " +
    "again in this run: a later attempt gets the recorded exit code and output instead. Any other end is passed on and not kept, " +
    `unless --accept names it. Of stdout and stderr the first ${stepOutputMax / 1_024} KiB each are kept. ` +
    "While the runtime is away it waits for it, until the run's timeout. The command is never seen by a shell; it finds its " +
    "idempotency key in HOLDFAST_STEP_KEY, the same in every attempt. Leaves with the command's code; 127 and 126 when it cannot be " +
    "started, 64 when the step is refused for good, 69 when no runtime came back.",
  words: { usage: "NAME", min: 1, max: 1, rest: "COMMAND [ARG ...]" },
  flags: {
    accept: { type: "text", value: "CODES", about: "other exit codes to keep as well, as in 1,3" }
  },
  examples: [
    ["holdfast step fetch -- curl -fsS -o feed.xml https://example.org/feed", "fetched once, whatever happens after"],
    ["holdfast step list -- git diff --name-only", "in $(...): a later attempt gets the same list"],
    ["holdfast step compare --accept 1 -- diff old new", "1 is an answer here, not a failure"]
  ],
  run: ({ flags, words, rest, out }) =>
    Effect.gen(function* () {
      const step = words[0]!
      const accepted = yield* codes(flags.accept)
      const { untilMs, directory, run, attempt } = yield* underWay
      const by = randomUUID()
      const about = { run, attempt, step, by }
      const asking = {
        untilMs,
        onWait: () => out.note(`${usual} ${step}: the runtime is away; waiting for it until ${new Date(untilMs).toISOString()}`)
      }

      const start = (yield* askUntil(directory, { id: 1, do: "step.begin", ...about }, asking)) as StepStart
      if (start._tag === "Replay") return yield* replay(`${run}/${step}`, start.result)

      const abandon = Effect.ignore(askUntil(directory, { id: 2, do: "step.abandon", ...about }, { ...asking, untilMs: 0 }))
      const argv = rest as readonly [string, ...ReadonlyArray<string>]
      const output = yield* runCommand({ argv, env: { ...process.env, HOLDFAST_STEP_KEY: start.key } }).pipe(
        Effect.catchTag("SpawnFailed", (error) => {
          out.note(out.json ? JSON.stringify(error) : explain(error))
          return Effect.as(abandon, error.code === "RUN_SPAWN_ENOENT" ? 127 : 126)
        })
      )
      if (typeof output === "number") return output
      if (!accepted.has(output.exit)) return yield* Effect.as(abandon, output.exit)
      yield* askUntil(directory, { id: 3, do: "step.finish", ...about, result: output }, asking)
      sayCut(step, output, out)
      return output.exit
    }).pipe(Effect.mapError((error): Problem => (forGood.has(error.code) ? new UsageInvalid(error) : error)))
})

/** What the script itself has to mend: to try the run again cannot help, and 64 says so. */
const forGood: ReadonlySet<string> = new Set(["STEP_NAME", "STEP_DUPLICATE", "STEP_OUTSIDE_RUN"])

/** The run and the attempt that this process is part of, by what the runtime put into its environment. */
const underWay = Effect.suspend(() => {
  const { HOLDFAST_RUN_ID: run, HOLDFAST_ATTEMPT: attempt, HOLDFAST_RUN_DIRECTORY: folder, HOLDFAST_TIMEOUT_AT: timeoutAt } = process.env
  if (run === undefined || attempt === undefined || folder === undefined) {
    return Effect.fail(
      new Refused({
        code: "STEP_OUTSIDE_RUN",
        where: usual,
        got: "an environment without HOLDFAST_RUN_ID",
        want: "to be called by a skill that the runtime runs",
        fix: "call it in the skill's script; by hand, run the command itself, or holdfast trigger the skill"
      })
    )
  }
  const untilMs = Date.parse(timeoutAt ?? "")
  const directory = dirname(dirname(folder)) // DIR/runs/RUN
  return Effect.succeed({ run, attempt: Number(attempt), directory, untilMs: Number.isNaN(untilMs) ? 0 : untilMs })
})

const codes = (given: string | undefined): Effect.Effect<ReadonlySet<number>, UsageInvalid> => {
  const numbers = given === undefined ? [] : given.split(",").map((code) => (/^\d{1,3}$/.test(code) ? Number(code) : Number.NaN))
  return numbers.every((code) => code <= 255)
    ? Effect.succeed(new Set([0, ...numbers]))
    : Effect.fail(
        new UsageInvalid({
          code: "FLAG_VALUE",
          where: usual,
          got: `--accept ${shown(given)}`,
          want: "exit codes from 0 to 255 with commas between",
          fix: "as in --accept 1,3"
        })
      )
}

/** Prints what the command printed when it was run, and leaves as it left. */
const replay = (where: string, result: unknown): Effect.Effect<number, Refused> => {
  const output = readStepOutput(result)
  if (output === undefined) {
    return Effect.fail(
      new Refused({
        code: "STEP_RESULT",
        where,
        got: shown(result),
        want: "the result of a command",
        fix: "a module's step has this name: give one of the two another"
      })
    )
  }
  process.stdout.write(bytesOf(output.stdout))
  process.stderr.write(bytesOf(output.stderr))
  return Effect.succeed(output.exit)
}

const sayCut = (step: string, { stdout, stderr }: StepOutput, out: Out): void => {
  for (const [name, { cut }] of [["stdout", stdout] as const, ["stderr", stderr] as const]) {
    if (cut !== undefined)
      out.note(`${usual} ${step}: the last ${cut} bytes of ${name} are not kept; a replay gives the first ${stepOutputMax}`)
  }
}
