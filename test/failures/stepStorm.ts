/**
 * A storm over one shell pipeline: a real runtime is killed with SIGKILL at random instants while a script of ten steps runs,
 * each of which writes its key into a book. Afterwards the book, which is all that the world outside has seen, is held against the journal.
 */
import { Effect } from "effect"
import { spawn } from "node:child_process"
import { existsSync, mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { ask } from "../../src/layers/ControlClient.ts"
import { checkRuns, checkSteps, readEffects, type Violation } from "../../src/testing/checkers/index.ts"
import { bin } from "../built.ts"
import { journalIn } from "../journal.ts"
import { mulberry32 } from "./mulberry32.ts"

export interface StepStorm {
  readonly kills: number
  readonly seed: number
}

export interface StepStormReport {
  readonly violations: ReadonlyArray<Violation>
  readonly runs: number
  /** How many of the kills met an attempt. */
  readonly interruptedAttempts: number
  readonly effects: number
  /** Effects that were made again since a kill came between them and their record. */
  readonly again: number
  /** Steps that a later attempt got from the record. */
  readonly replayed: number
  readonly directory: string
}

const steps = 10
/** A run that is interrupted five times is given up, as it may be what ends the runtime: these are to end well. */
const killsOfRun = 4
/** About as long as the whole pipeline takes. */
const killWithinMs = 1_600

export const stepStorm = async ({ kills, seed }: StepStorm): Promise<StepStormReport> => {
  const random = mulberry32(seed)
  const directory = mkdtempSync(join(realpathSync(tmpdir()), "holdfast-step-storm-"))
  const [state, book] = [join(directory, "state"), join(directory, "book")]
  pipeline(join(directory, "skills", "pipeline"), book)

  writeFileSync(join(directory, "holdfast.config.json"), `{ "restarts": { "starts": 0 } }\n`, { mode: 0o600 })
  const start = () =>
    spawn(process.execPath, [bin, "up", "--state", state, "--skills", join(directory, "skills")], { cwd: directory, stdio: "ignore" })
  let runtime = start()
  const killed = (): Promise<void> =>
    new Promise((done) => {
      runtime.once("exit", () => done())
      runtime.kill("SIGKILL")
    })
  const events = () => (existsSync(join(state, "journal")) ? journalIn(state) : [])
  const attempts = () => events().filter(({ type }) => type === "attempt.started").length
  const isSettled = (run: string) => events().some((event) => event.type === "run.settled" && event.run === run)

  try {
    let runs = 0
    for (let kill = 0; kill < kills; runs++) {
      let before = attempts()
      const run = await until("a trigger", () => trigger(state, `r${runs}`))
      for (const ofRun = Math.min(kills, kill + killsOfRun); kill < ofRun && !isSettled(run); kill++) {
        // Most kills meet an attempt, at any instant of it; the others whatever a start is just doing.
        if (random() < 0.8) await until("an attempt", () => attempts() > before || isSettled(run) || undefined)
        await pause(random() * killWithinMs)
        await killed()
        before = attempts()
        runtime = start()
      }
      await until(`the end of ${run}`, () => isSettled(run) || undefined)
    }

    const effects = readEffects(readFileSync(book, "utf8"))
    const journal = events()
    return report({ runs, effects, journal, book: readFileSync(book, "utf8"), directory })
  } finally {
    await killed()
  }
}

/** The steps one after another; some take a while after their effect, so that a kill can come in between. */
const pipeline = (folder: string, book: string): void => {
  mkdirSync(folder, { recursive: true })
  const effect = `printf "%s,%s,%s,0,%s,%s\\n" "$HOLDFAST_RUN_ID" "$HOLDFAST_SLOT" "$HOLDFAST_ATTEMPT" "$1" "$HOLDFAST_STEP_KEY" >> '${book}'; sleep "$2"`
  const script = Array.from(
    { length: steps },
    (_, i) => `holdfast step part-${i} -- sh -c '${effect.replaceAll("'", `'\\''`)}' sh part-${i} 0.0${i}`
  )
  writeFileSync(join(folder, "go.sh"), `#!/bin/sh\nset -e\n${script.join("\n")}\n`, { mode: 0o755 })
  const settings = { run: ["./go.sh"], retry: { attempts: 1 }, grace: "1 second", quarantine: { failures: 0 } }
  writeFileSync(
    join(folder, "SKILL.md"),
    `---\nname: pipeline\ndescription: Ten steps.\nmetadata:\n  holdfast: ${JSON.stringify(settings)}\n---\n`
  )
}

interface Seen {
  readonly runs: number
  readonly effects: ReturnType<typeof readEffects>
  readonly journal: ReturnType<typeof journalIn>
  readonly book: string
  readonly directory: string
}

const report = ({ runs, effects, journal, book, directory }: Seen): StepStormReport => {
  const finished = journal.filter((event) => event.type === "step.finished")
  const attempts = journal.filter(({ type }) => type === "attempt.started").length
  const succeeded = new Set(journal.flatMap((event) => (event.type === "run.settled" && event.outcome === "success" ? [event.run] : [])))
  const wrongKeys = book
    .trim()
    .split("\n")
    .map((line) => line.split(","))
    .filter(([run, , , , step, key]) => key !== `${run}/${step}`)
  const done = new Set(effects.map(({ run, step }) => `${run} ${step}`))
  const violations: ReadonlyArray<Violation> = [
    ...checkRuns(journal),
    ...checkSteps(journal, effects),
    ...wrongKeys.map((line): Violation => ({ rule: "effect.unrecorded", subject: line.join(), detail: "not the key of its run and step" })),
    ...(succeeded.size === runs
      ? []
      : [{ rule: "run.unclaimed", subject: "pipeline", detail: `${succeeded.size} of ${runs} ended well` } as const]),
    ...(done.size === runs * steps
      ? []
      : [{ rule: "effect.missing", subject: "pipeline", detail: `${done.size} of ${runs * steps} steps` } as const])
  ]
  if (violations.length === 0) rmSync(directory, { recursive: true, force: true, maxRetries: 5 })
  const last = new Map(journal.flatMap((event) => (event.type === "attempt.started" ? [[event.run, event.attempt] as const] : [])))
  return {
    violations,
    runs,
    interruptedAttempts: attempts - succeeded.size,
    effects: effects.length,
    again: effects.length - done.size,
    replayed: finished.filter(({ run, attempt }) => attempt < (last.get(run) ?? 0)).length,
    directory
  }
}

/** The run's id; nothing while no runtime answers. */
const trigger = async (state: string, key: string): Promise<string | undefined> => {
  if (!existsSync(join(state, "control.sock"))) return undefined
  const asked = Effect.match(ask(state, { id: 1, do: "trigger", skill: "pipeline", key }), {
    onSuccess: String,
    onFailure: () => undefined
  })
  return Effect.runPromise(asked)
}

const pause = (ms: number): Promise<void> => new Promise((done) => setTimeout(done, ms))

/** Looks until there is something, for at most 60 s. */
const until = async <A>(what: string, look: () => A | undefined | Promise<A | undefined>): Promise<A> => {
  for (const deadline = Date.now() + 60_000; Date.now() < deadline; await pause(25)) {
    const found = await look()
    if (found !== undefined) return found
  }
  throw new Error(`did not come to pass: ${what}`)
}
