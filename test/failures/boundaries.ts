/** Scenarios on a real disk, with the program killed, or refused, at a chosen one of the calls that it makes of the system. */
import { spawn, spawnSync } from "node:child_process"
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { rolldown } from "rolldown"
import type { JournalEvent } from "../../src/domain/JournalEvent.ts"
import { diskNode } from "../../src/layers/DiskNode.ts"
import { ledgerOf, prefixes, verdict } from "./judge.ts"
import { mulberry32 } from "./mulberry32.ts"
import { recordedOf, type Scenario, scenarios } from "./scenarios.ts"

/** How a play is ended or disturbed, at its `at`-th boundary. */
export type Blow =
  | { readonly at: number; readonly when: "before" | "after" }
  | { readonly at: number; readonly torn: number }
  | { readonly at: number; readonly errno: number; readonly sticky: boolean }
  | { readonly at: 0 }

export interface Played {
  /** Of each start, in order: the events of each append. */
  readonly submitted: ReadonlyArray<ReadonlyArray<ReadonlyArray<JournalEvent>>>
  readonly acknowledged: ReadonlyArray<number>
  readonly ended: "over" | "killed"
}

/** What is needed to play; made once. */
export interface Kit {
  readonly folder: string
  readonly library: string
  readonly player: string
}

/** `ENOSPC`, `EDQUOT` and `EIO`, as Linux numbers them. */
export const errno = { full: 28, quota: 122, io: 5 } as const

/** Why there can be no boundaries here; nothing where there can. */
export const unable = (): string | undefined => {
  if (process.platform !== "linux") return "the library is for Linux"
  return spawnSync("gcc", ["--version"]).status === 0 ? undefined : "there is no gcc"
}

/** Compiles the library, and makes one file of the program: it starts in a third of the time. */
export const makeKit = async (): Promise<Kit> => {
  const folder = mkdtempSync(join(tmpdir(), "holdfast-boundary-"))
  const library = join(folder, "boundary.so")
  const source = join(import.meta.dirname, "../shim/boundary.c")
  const made = spawnSync("gcc", ["-shared", "-fPIC", "-O1", "-Wall", "-Werror", "-o", library, source, "-ldl"], { encoding: "utf8" })
  if (made.status !== 0) throw new Error(made.stderr)
  const bundle = await rolldown({ input: join(import.meta.dirname, "player.ts"), platform: "node", logLevel: "warn" })
  await bundle.write({ dir: folder, entryFileNames: "player.mjs", format: "esm", codeSplitting: false })
  return { folder, library, player: join(folder, "player.mjs") }
}

/** Puts there what the scenario begins with. */
export const prepare = (scenario: Scenario, directory: string): void => {
  const given = scenario.given?.() ?? new Map<string, Buffer>()
  mkdirSync(directory, { recursive: true })
  if (given.size > 0) mkdirSync(join(directory, "journal"))
  for (const [name, bytes] of given) writeFileSync(join(directory, "journal", name), bytes)
}

/** Plays it in a process of its own. `killAfterMs` ends it at an instant instead of a boundary. */
export const play = (
  { library, player }: Kit,
  scenario: Scenario,
  directory: string,
  blow: Blow,
  { log, killAfterMs }: { readonly log?: string; readonly killAfterMs?: number } = {}
): Promise<Played> =>
  new Promise((resolve, reject) => {
    const env: Record<string, string> = { BOUNDARY_DIR: `${directory}/`, BOUNDARY_AT: String(blow.at), LD_PRELOAD: library }
    if ("when" in blow) env["BOUNDARY_WHEN"] = blow.when
    if ("torn" in blow) env["BOUNDARY_TORN"] = String(blow.torn)
    if ("errno" in blow) {
      env["BOUNDARY_ERRNO"] = String(blow.errno)
      env["BOUNDARY_ONLY"] = scenario.fails === "sync" ? "sync" : "write"
      if (blow.sticky) env["BOUNDARY_STICKY"] = "1"
    }
    if (log !== undefined) env["BOUNDARY_LOG"] = log
    const child = spawn(process.execPath, [player, scenario.name, directory, "1"], { env, stdio: ["ignore", "pipe", "pipe"] })
    const timer = killAfterMs === undefined ? undefined : setTimeout(() => child.kill("SIGKILL"), killAfterMs)
    let [said, complained] = ["", ""]
    child.stdout.on("data", (data) => (said += String(data)))
    child.stderr.on("data", (data) => (complained += String(data)))
    child.once("close", (code, signal) => {
      clearTimeout(timer)
      if (code === 0 || signal === "SIGKILL") resolve(heard(said))
      else reject(new Error(`${scenario.name} left with ${code ?? signal}:\n${complained}`))
    })
  })

/** What is wrong with what a play left; nothing where it is as it has to be. */
export const judge = (scenario: Scenario, directory: string, { submitted, acknowledged }: Played): Promise<string | undefined> => {
  const given = new Map([...(scenario.given?.() ?? [])].map(([name, bytes]) => [`/state/journal/${name}`, bytes]))
  const states = prefixes(submitted, () => ledgerOf(given))
  return verdict({ ...diskNode, simulated: true }, directory, { acknowledged, submitted: submitted.map(({ length }) => length), states })
}

export interface Tried {
  readonly boundaries: number
  readonly kills: number
  /** Plays that came to their end, since the boundary was not met: their threads took another order. */
  readonly missed: number
  readonly violations: ReadonlyArray<string>
}

/** Every boundary of a scenario: killed before and after it, and in the middle of each write; or refused, once and from then on. */
export const everyBoundary = async (kit: Kit, scenario: Scenario, each: (blow: Blow) => boolean = () => true): Promise<Tried> => {
  const calls = await boundariesOf(kit, scenario)
  const blows = calls.flatMap((call, i): ReadonlyArray<Blow> => {
    const at = i + 1
    if (scenario.fails === "full")
      return [errno.full, errno.quota].flatMap((errno) => [false, true].map((sticky) => ({ at, errno, sticky })))
    if (scenario.fails === "sync") return [false, true].map((sticky) => ({ at, errno: errno.io, sticky }))
    return [{ at, when: "before" }, { at, when: "after" }, ...(call.startsWith("write") ? [1, 50, 99].map((torn) => ({ at, torn })) : [])]
  })
  const violations: Array<string> = []
  let [kills, missed] = [0, 0]
  const left = blows.filter(each)
  const hand = async (n: number) => {
    const directory = join(kit.folder, `state-${n}`)
    for (let blow = left.shift(); blow !== undefined; blow = left.shift()) {
      rmSync(directory, { recursive: true, force: true })
      prepare(scenario, directory)
      // What is refused for good is waited for without end; so is the one who looks.
      const played = await play(kit, scenario, directory, blow, "sticky" in blow && blow.sticky ? { killAfterMs: 700 } : {})
      kills += 1
      if (played.ended === "over" && !("errno" in blow)) missed += 1
      const wrong = await judge(scenario, directory, played)
      if (wrong !== undefined) violations.push(`${scenario.name}, ${JSON.stringify(blow)} (${calls[blow.at - 1]}): ${wrong}`)
    }
  }
  await Promise.all([hand(1), hand(2)])
  return { boundaries: calls.length, kills, missed, violations }
}

/**
 * So many kills at random: in the middle of a scenario, by a call or by the clock, and again in the middle of the start
 * after it; gives what was wrong. Every other play is killed a second time.
 */
export const randomKills = async (kit: Kit, scenario: Scenario, kills: number, seed: number): Promise<Tried> => {
  const random = mulberry32(seed)
  const below = (n: number) => Math.floor(random() * n)
  const boundaries = (await boundariesOf(kit, scenario)).length
  const start = scenarios.find(({ name }) => name === "first boot")!
  const directory = join(kit.folder, `state-${scenario.name}`)
  const violations: Array<string> = []
  let [made, missed] = [0, 0]
  while (made < kills) {
    rmSync(directory, { recursive: true, force: true })
    prepare(scenario, directory)
    const byClock = random() < 0.3
    const blow: Blow = byClock
      ? { at: 0 }
      : random() < 0.5
        ? { at: 1 + below(boundaries), when: "after" }
        : { at: 1 + below(boundaries), torn: below(100) }
    const played = await play(kit, { ...scenario, fails: undefined }, directory, blow, byClock ? { killAfterMs: 60 + below(120) } : {})
    made += 1
    if (played.ended === "over") missed += 1
    const again: Blow = { at: 1 + below(12), torn: below(100) }
    if (made < kills && random() < 0.5) {
      await play(kit, start, directory, again)
      made += 1
    }
    const wrong = await judge(scenario, directory, played)
    if (wrong !== undefined) violations.push(`${scenario.name}, seed ${seed}, kill ${made}, ${JSON.stringify([blow, again])}: ${wrong}`)
  }
  rmSync(directory, { recursive: true, force: true })
  return { boundaries, kills: made, missed, violations }
}

/** The calls that a play makes when nobody disturbs it. */
export const boundariesOf = async (
  kit: Kit,
  scenario: Scenario,
  directory = join(kit.folder, `calls-${scenario.name}`)
): Promise<ReadonlyArray<string>> => {
  const log = `${directory}.log`
  rmSync(directory, { recursive: true, force: true })
  rmSync(log, { force: true })
  prepare(scenario, directory)
  await play(kit, scenario, directory, { at: 0 }, { log })
  const only = scenario.fails === "sync" ? /^(fsync|fdatasync) / : scenario.fails === "full" ? /^(create|write|mkdir|rename|link) / : / /
  return readFileSync(log, "utf8")
    .trimEnd()
    .split("\n")
    .map((line) => line.replace(/^\d+ /, ""))
    .filter((line) => only.test(line))
}

const heard = (said: string): Played => {
  const submitted: Array<Array<ReadonlyArray<JournalEvent>>> = []
  const durable: Array<Set<number>> = []
  let ended: Played["ended"] = "killed"
  for (const line of said.split("\n").slice(0, -1)) {
    const [word, start = "", number = "", ...name] = line.split(" ")
    if (word === "begin") {
      submitted.push([])
      durable.push(new Set())
    }
    if (word === "+") submitted[Number(start)]!.push(recordedOf(name.join(" "), Number(number)))
    if (word === "=") durable[Number(start)]!.add(Number(number))
    if (word === "over") ended = "over"
  }
  const acknowledged = durable.map((set) => {
    let n = 0
    while (set.has(n)) n += 1
    return n
  })
  return { submitted, acknowledged, ended }
}
