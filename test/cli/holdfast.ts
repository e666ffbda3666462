/** The real command as it is built, in a home of its own. */
import { spawn } from "node:child_process"
import { mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { onTestFinished } from "vitest"
import { bin } from "../built.ts"

export interface World {
  /** Home and working directory, empty at first. */
  readonly home: string
  readonly state: string
  readonly skills: string
  /** Writes a skill; `settings` stand below `holdfast:`, in YAML's JSON form. */
  readonly skill: (name: string, settings: object) => void
  /** Runs a command to its end. */
  readonly run: (...args: ReadonlyArray<string>) => Promise<Ended>
  /** Starts a command; it is killed with the test if it is still there. */
  readonly start: (...args: ReadonlyArray<string>) => Running
  readonly env: Record<string, string>
}

export interface Ended {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

export interface Running {
  readonly pid: number
  readonly stdout: () => string
  readonly stderr: () => string
  /** Resolves once stdout matches. */
  readonly says: (pattern: RegExp) => Promise<RegExpExecArray>
  readonly kill: (signal: NodeJS.Signals) => void
  readonly closeStdout: () => void
  readonly ended: Promise<Ended>
}

export const makeWorld = (env: Record<string, string> = {}): World => {
  const home = realpathSync(mkdtempSync(join(tmpdir(), "holdfast-cli-")))
  onTestFinished(() => rmSync(home, { recursive: true, force: true, maxRetries: 5 }))
  const inherited = Object.fromEntries(
    Object.entries(process.env).filter(([name]) => !/^(HOLDFAST_|POSTS_|VITEST|NODE_OPTIONS|XDG_)/.test(name))
  ) as Record<string, string>
  const world: Record<string, string> = { ...inherited, HOME: home, XDG_STATE_HOME: join(home, ".state"), NO_COLOR: "1", ...env }
  const start = (...args: ReadonlyArray<string>): Running => {
    const child = spawn(process.execPath, [bin, ...args], {
      cwd: home,
      env: world,
      stdio: ["ignore", "pipe", "pipe"]
    })
    const text = { stdout: "", stderr: "" }
    for (const name of ["stdout", "stderr"] as const)
      child[name].setEncoding("utf8").on("data", (chunk: string) => {
        text[name] += chunk
      })
    const ended = new Promise<Ended>((done) => child.once("close", (code) => done({ code, ...text })))
    onTestFinished(async () => {
      if (child.exitCode === null && child.signalCode === null) child.kill("SIGKILL")
      await ended
    })
    return {
      pid: child.pid!,
      stdout: () => text.stdout,
      stderr: () => text.stderr,
      says: (pattern) =>
        until(
          () => {
            const found = pattern.exec(text.stdout)
            if (found === null && child.exitCode !== null)
              throw new Error(`ended with ${child.exitCode} before it said ${pattern}:\n${text.stdout}${text.stderr}`)
            return found ?? undefined
          },
          () => `no ${pattern} in:\n${text.stdout}${text.stderr}`
        ),
      kill: (signal) => {
        child.kill(signal)
      },
      closeStdout: () => {
        child.stdout.destroy()
      },
      ended
    }
  }
  return {
    home,
    state: join(home, "state"),
    skills: join(home, "skills"),
    env: world,
    start,
    run: (...args) => start(...args).ended,
    skill: (name, settings) => {
      const folder = join(home, "skills", name)
      mkdirSync(folder, { recursive: true })
      writeFileSync(
        join(folder, "SKILL.md"),
        `---\nname: ${name}\ndescription: A skill.\nmetadata:\n  holdfast: ${JSON.stringify(settings)}\n---\n`
      )
    }
  }
}

/** Looks until there is something, for at most 30 s. */
export const until = async <A>(look: () => A | undefined | Promise<A | undefined>, why: () => string = () => "in vain"): Promise<A> => {
  const deadline = Date.now() + 30_000
  for (;;) {
    const found = await look()
    if (found !== undefined) return found
    if (Date.now() > deadline) throw new Error(why())
    await new Promise((resume) => setTimeout(resume, 25))
  }
}
