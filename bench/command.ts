/** The built command as a process: what a person or a service manager starts. */
import { type ChildProcess, spawn, spawnSync } from "node:child_process"
import { once } from "node:events"
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs"
import { join, resolve } from "node:path"
import type { Picture } from "../src/index.ts"
import { until } from "./figure.ts"

const root = resolve(import.meta.dirname, "..")
const bin = join(root, "dist", "bin.js")

/** Builds `dist` when there is none; one that is there is taken as it is, however old. */
export const built = (): void => {
  if (existsSync(bin)) return
  console.error("There is no dist: building it.")
  spawnSync(process.execPath, [join(root, "scripts", "build.ts")], { cwd: root, stdio: ["ignore", "ignore", "inherit"] })
  if (!existsSync(bin)) throw new Error("the build failed: run `npm run build` to see why")
}

/** `node` with these arguments, from before its start until after its end: the time between in milliseconds. */
export const lasting = async (...args: ReadonlyArray<string>): Promise<number> => {
  const startedAt = performance.now()
  const child = spawn(process.execPath, args, { stdio: "ignore" })
  const [code] = (await once(child, "exit")) as [number | null]
  if (code !== 0) throw new Error(`node ${args.join(" ")} left with ${code}`)
  return performance.now() - startedAt
}

export const statusOf = (state: string): Promise<number> => lasting(bin, "status", "--state", state)

/** A folder of skills that do nothing, each a process of its own, all on one schedule. */
export const writeSkills = (folder: string, count: number, every: string): void => {
  for (let i = 0; i < count; i++) {
    const name = `skill-${i}`
    mkdirSync(join(folder, name), { recursive: true })
    const settings = `metadata:\n  holdfast:\n    schedule: { every: "${every}" }\n    run: ["true"]\n    catchUp: latest`
    writeFileSync(join(folder, name, "SKILL.md"), `---\nname: ${name}\ndescription: Does nothing.\n${settings}\n---\n`)
  }
}

export interface Up extends AsyncDisposable {
  readonly child: ChildProcess
  /** When the process was about to be started, in milliseconds since the Unix epoch. */
  readonly startedAtMs: number
}

/** Starts `holdfast up`; it is asked to stop, and waited for, when this is disposed of. */
export const up = (state: string, skills: string): Up => {
  const startedAtMs = Date.now()
  const child = spawn(process.execPath, [bin, "up", "--state", state, "--skills", skills], { stdio: "ignore" })
  const ended = once(child, "exit")
  return {
    child,
    startedAtMs,
    [Symbol.asyncDispose]: async () => {
      if (child.exitCode === null) child.kill("SIGTERM")
      await ended
    }
  }
}

/** Returns once `status.json` is of this process and past its start. */
export const isUp = ({ child }: Up, state: string): Promise<Picture> =>
  until("holdfast up", () => {
    if (child.exitCode !== null) throw new Error(`holdfast up left with ${child.exitCode}`)
    const picture = pictureIn(state)
    return picture?.pid === child.pid && picture?.mode !== "starting" ? picture : undefined
  })

const pictureIn = (state: string): Picture | undefined => {
  try {
    return JSON.parse(readFileSync(join(state, "status.json"), "utf8")) as Picture
  } catch {
    return undefined // Not there yet: it is never there in part.
  }
}
