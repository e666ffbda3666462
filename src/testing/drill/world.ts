/** Where a drill takes place: a folder of its own, real skills in it, and the runtime as a process that can be killed. */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { spawn } from "node:child_process"
import * as fs from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import type { JournalEvent } from "../../domain/JournalEvent.ts"
import type { Picture } from "../../domain/Picture.ts"
import { readEffects, readJournal, type SkillEffect, type Violation } from "../checkers/index.ts"
import { type DrillSkill, drillSkills } from "./skills.ts"

/** How to start a runtime: `state` and `skills` are folders, `gateway` an address; the token is in the environment. */
export type RuntimeCommand = (where: {
  readonly state: string
  readonly skills: string
  readonly gateway: string
}) => readonly [program: string, ...argv: ReadonlyArray<string>]

export interface World {
  readonly directory: string
  /** The gateway's own folder. */
  readonly gatewayDirectory: string
  readonly skills: ReadonlyArray<DrillSkill>
  /** Starts the runtime; it is killed when the scope closes, if it still lives. */
  readonly start: (gateway: string, token: string) => Effect.Effect<RuntimeProcess, never, Scope.Scope>
  /** Everything that can be seen from outside, read anew each time. */
  readonly journal: () => { readonly events: ReadonlyArray<JournalEvent>; readonly violations: ReadonlyArray<Violation> }
  readonly effects: () => ReadonlyArray<SkillEffect>
  readonly picture: () => Picture | undefined
  /** The last lines that the runtime wrote. */
  readonly lastWords: () => string
  readonly remove: () => void
}

export interface RuntimeProcess {
  /** What it left with; nothing while it lives. */
  readonly ended: () => string | undefined
  readonly signal: (signal: "SIGKILL" | "SIGTERM") => void
}

/** Makes the folder under the system's own for temporary files. It stays until it is removed. */
export const makeWorld = (name: string, command: RuntimeCommand): Effect.Effect<World> =>
  Effect.sync(() => {
    const directory = fs.mkdtempSync(join(fs.realpathSync(tmpdir()), `holdfast-drill-${name}-`))
    const at = (...path: ReadonlyArray<string>) => join(directory, ...path)
    const skills = drillSkills(at("effects.txt"), process.execPath)
    for (const { name, files } of skills) {
      fs.mkdirSync(at("skills", name), { recursive: true, mode: 0o700 })
      for (const [file, text] of Object.entries(files)) fs.writeFileSync(at("skills", name, file), text, { mode: 0o600 })
    }
    fs.writeFileSync(at("holdfast.config.json"), `${JSON.stringify({ restarts: { starts: 0 } })}\n`, { mode: 0o600 }) // It starts often.
    return {
      directory,
      skills,
      gatewayDirectory: at("gateway"),
      start: (gateway, token) =>
        Effect.acquireRelease(
          Effect.sync(() => started(command({ state: at("state"), skills: at("skills"), gateway }), directory, token)),
          (runtime) =>
            Effect.andThen(
              Effect.sync(() => runtime.signal("SIGKILL")),
              until(() => runtime.ended() !== undefined, 10_000)
            )
        ),
      journal: () => {
        const segments = listed(at("state", "journal"))
          .filter((file) => file.endsWith(".log"))
          .filter((file) => file.endsWith(".log"))
          .toSorted()
        return readJournal(segments.map((file) => fs.readFileSync(at("state", "journal", file))))
      },
      effects: () => readEffects(textOf(at("effects.txt"))),
      picture: () => {
        const text = textOf(at("state", "status.json"))
        return text === "" ? undefined : (JSON.parse(text) as Picture)
      },
      lastWords: () => textOf(at("runtime.log")).trimEnd().split("\n").slice(-5).join("\n"),
      remove: () => fs.rmSync(directory, { recursive: true, force: true, maxRetries: 5 })
    }
  })

/** Asks again and again, until it holds (true) or `withinMs` have passed (false). */
export const until = Effect.fnUntraced(function* (holds: () => boolean, withinMs: number) {
  const deadline = (yield* Clock.currentTimeMillis) + withinMs
  while (!holds()) {
    if ((yield* Clock.currentTimeMillis) > deadline) return false
    yield* Effect.sleep(50)
  }
  return true
})

/** In the drill's own folder: a config file where the drill was called is not meant for it. */
const started = ([program, ...argv]: ReturnType<RuntimeCommand>, cwd: string, token: string): RuntimeProcess => {
  const output = fs.openSync(join(cwd, "runtime.log"), "a", 0o600)
  const child = spawn(program, argv, { cwd, env: { ...process.env, HOLDFAST_GATEWAY_TOKEN: token }, stdio: ["ignore", output, output] })
  fs.closeSync(output)
  let failed: string | undefined
  child.once("error", (error) => {
    failed = error.message
  })
  const ended = () => failed ?? child.signalCode ?? (child.exitCode === null ? undefined : `exit ${child.exitCode}`)
  return {
    ended,
    signal: (signal) => {
      if (ended() === undefined) child.kill(signal)
    }
  }
}

const listed = (directory: string): ReadonlyArray<string> => (fs.existsSync(directory) ? fs.readdirSync(directory) : [])
const textOf = (file: string): string => (fs.existsSync(file) ? fs.readFileSync(file, "utf8") : "")
