/** Real processes for tests: a folder of a run, small programs in it, and what is alive. */
import * as Effect from "effect/Effect"
import { execFileSync } from "node:child_process"
import * as fs from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { onTestFinished } from "vitest"

/** A folder that is gone after the test. */
export const folder = (): string => {
  const made = fs.mkdtempSync(join(fs.realpathSync(tmpdir()), "holdfast-"))
  onTestFinished(() => fs.rmSync(made, { recursive: true, force: true }))
  return made
}

/** A file with this text, executable where it is a program. */
export const program = (directory: string, name: string, text: string): string => {
  const file = join(directory, name)
  fs.writeFileSync(file, text, { mode: 0o755 })
  return file
}

export const fixture = (name: string): string => fileURLToPath(new URL(`../fixtures/skills/${name}`, import.meta.url))

export { definition, facts } from "../fixtures/skills/attempt.ts"

/** Pids of living processes (no zombies) whose command line holds this text. */
export const living = (text: string): ReadonlyArray<number> =>
  execFileSync("ps", ["-axo", "pid=,stat=,args="], { encoding: "utf8" })
    .split("\n")
    .flatMap((line) => {
      const [, pid, stat, args] = /^\s*(\d+)\s+(\S+)\s+(.*)$/.exec(line) ?? []
      return args?.includes(text) === true && !stat!.startsWith("Z") && !args.startsWith("ps ") ? [Number(pid)] : []
    })

/** Returns once the condition holds; dies after ten seconds, or as long as is said. */
export const until = (condition: () => boolean, what: string, withinMs = 10_000): Effect.Effect<void> =>
  Effect.gen(function* () {
    for (let waited = 0; !condition(); waited += 20) {
      if (waited > withinMs) return yield* Effect.die(new Error(`did not come to pass: ${what}`))
      yield* Effect.sleep(20)
    }
  })
