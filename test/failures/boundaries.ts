/** Scenarios on a real disk, with the program killed, or refused, at a chosen one of the calls that it makes of the system. */
import { type ChildProcess, spawn, spawnSync } from "node:child_process"
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { rolldown } from "rolldown"
import type { JournalEvent } from "../../src/domain/JournalEvent.ts"
import { diskNode } from "../../src/layers/DiskNode.ts"
import { ledgerOf, prefixes, verdict } from "./judge.ts"
import { mulberry32 } from "./mulberry32.ts"
import { recordedOf, type Scenario, scenarios } from "./scenarios.ts"
import { copyOf } from "./stage.ts"

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
  /** What had been acknowledged when a backup began that is durable. */
  readonly copied: ReadonlyArray<number> | undefined
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

/** Of the folder that is watched: the state directory in it. A backup goes beside it. */
export const directoryIn = (folder: string): string => join(folder, "state")

/** Puts there what the scenario begins with, and nothing else. */
export const prepare = (scenario: Scenario, folder: string): void => {
  const directory = directoryIn(folder)
  for (const old of [directory, copyOf(directory)]) rmSync(old, { recursive: true, force: true })
  const given = scenario.given?.() ?? new Map<string, Buffer>()
  mkdirSync(directory, { recursive: true, mode: 0o700 })
  if (given.size > 0) mkdirSync(join(directory, "journal"))
  for (const [name, bytes] of given) writeFileSync(join(directory, "journal", name), bytes)
}

/** Longer than any play on a machine under load: one that does not end is a fault. */
const longestMs = 60_000

export interface Playing {
  /** Where the calls are written. */
  readonly log?: string
  /** Ends it at an instant instead of a boundary, so many milliseconds after its first start begins. */
  readonly killAfterMs?: number
  /** Told of each line that it says; then what it reads may be written to the process. */
  readonly onLine?: (line: string, child: ChildProcess) => void
}

/** Plays it in a process of its own. */
export const play = (
  { library, player }: Kit,
  scenario: Scenario,
  folder: string,
  blow: Blow,
  { log, killAfterMs, onLine }: Playing = {}
): Promise<Played> =>
  new Promise((resolve, reject) => {
    const directory = directoryIn(folder)
    const env: Record<string, string> = {
      BOUNDARY_DIR: `${folder}/`,
      BOUNDARY_BUT: join(directory, "lock"), // SQLite's, who never writes to it.
      BOUNDARY_AT: String(blow.at),
      LD_PRELOAD: library
    }
    if ("when" in blow) env["BOUNDARY_WHEN"] = blow.when
    if ("torn" in blow) env["BOUNDARY_TORN"] = String(blow.torn)
    if ("errno" in blow) {
      env["BOUNDARY_ERRNO"] = String(blow.errno)
      env["BOUNDARY_ONLY"] = scenario.fails === "sync" ? "sync" : "write"
      if (blow.sticky) env["BOUNDARY_STICKY"] = "1"
    }
    if (log !== undefined) env["BOUNDARY_LOG"] = log
    const input = onLine === undefined ? "ignore" : "pipe"
    const child = spawn(process.execPath, [player, scenario.name, directory, "1"], { env, stdio: [input, "pipe", "pipe"] })
    child.stdin?.on("error", () => {}) // It is dead, which is what it is for.
    let timer: NodeJS.Timeout | undefined
    const deadline = setTimeout(() => {
      child.kill("SIGKILL")
      reject(new Error(`${scenario.name} does not end: ${JSON.stringify(blow)}`))
    }, longestMs)
    let [said, complained, heardTo] = ["", "", 0]
    child.stdout!.on("data", (data) => {
      if (killAfterMs !== undefined) timer ??= setTimeout(() => child.kill("SIGKILL"), killAfterMs)
      said += String(data)
      for (let end = said.indexOf("\n", heardTo); end >= 0; end = said.indexOf("\n", heardTo)) {
        onLine?.(said.slice(heardTo, end), child)
        heardTo = end + 1
      }
    })
    child.stderr!.on("data", (data) => (complained += String(data)))
    child.once("close", (code, signal) => {
      clearTimeout(timer)
      clearTimeout(deadline)
      if (code === 0 || signal === "SIGKILL") resolve(heard(said))
      else reject(new Error(`${scenario.name} left with ${code ?? signal}:\n${complained}`))
    })
  })

/** What is wrong with what a play left; nothing where it is as it has to be. */
export const judge = (scenario: Scenario, folder: string, played: Played): Promise<string | undefined> => {
  const { submitted, acknowledged, copied } = played
  const given = new Map([...(scenario.given?.() ?? [])].map(([name, bytes]) => [`/state/journal/${name}`, bytes]))
  const states = prefixes(submitted, () => ledgerOf(given))
  return verdict(diskNode, directoryIn(folder), { acknowledged, submitted: submitted.map(({ length }) => length), copied, states })
}

export interface Tried {
  readonly boundaries: number
  readonly kills: number
  /** Plays that came to their end, since the boundary was not met: their threads took another order. */
  readonly missed: number
  readonly violations: ReadonlyArray<string>
}

export interface Choice {
  /** On which sides of a call it is killed: to a disk, after one call is before the next. */
  readonly sides?: ReadonlyArray<"before" | "after">
  /** The calls of another scenario: where this one begins with the same ones, they are left out. */
  readonly beyond?: ReadonlyArray<string>
  /** How many per cent of a write are made, one after the other. */
  readonly torn?: ReadonlyArray<number>
}

/** Every boundary of a scenario: killed before and after it, and in the middle of each write; or refused, once and from then on. */
export const everyBoundary = async (
  kit: Kit,
  scenario: Scenario,
  { sides = ["before", "after"], beyond = [], torn = [1, 50, 80, 99] }: Choice = {}
): Promise<Tried> => {
  const calls = await boundariesOf(kit, scenario)
  const differs = calls.findIndex((call, i) => call !== beyond[i])
  const own = differs < 0 ? calls.length : differs
  const blows = calls.flatMap((call, i): ReadonlyArray<Blow> => {
    const at = i + 1
    if (scenario.fails === "full")
      return [errno.full, errno.quota].flatMap((errno) => [false, true].map((sticky) => ({ at, errno, sticky })))
    if (scenario.fails === "sync") return [false, true].map((sticky) => ({ at, errno: errno.io, sticky }))
    return [...sides.map((when) => ({ at, when })), ...(call.startsWith("write") ? torn.map((torn) => ({ at, torn })) : [])]
  })
  const violations: Array<string> = []
  let [kills, missed] = [0, 0]
  const left = blows.filter(({ at }) => at > own)
  const hand = async (n: number) => {
    const folder = join(kit.folder, `play-${n}`)
    for (let blow = left.shift(); blow !== undefined; blow = left.shift()) {
      prepare(scenario, folder)
      // What is refused for good is waited for without end; so is the one who looks.
      const played = await play(kit, scenario, folder, blow, "sticky" in blow && blow.sticky ? { killAfterMs: 700 } : {})
      kills += 1
      if (played.ended === "over" && !("errno" in blow)) missed += 1
      const wrong = await judge(scenario, folder, played)
      if (wrong !== undefined) violations.push(`${scenario.name}, ${JSON.stringify(blow)} (${calls[blow.at - 1]}): ${wrong}`)
    }
  }
  await Promise.all([hand(1), hand(2)])
  return { boundaries: calls.length - own, kills, missed, violations }
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
  const folder = join(kit.folder, `play-${scenario.name}`)
  const violations: Array<string> = []
  let [made, missed] = [0, 0]
  while (made < kills) {
    prepare(scenario, folder)
    const byClock = random() < 0.3
    const blow: Blow = byClock
      ? { at: 0 }
      : random() < 0.5
        ? { at: 1 + below(boundaries), when: "after" }
        : { at: 1 + below(boundaries), torn: below(100) }
    const played = await play(kit, { ...scenario, fails: undefined }, folder, blow, byClock ? { killAfterMs: below(80) } : {})
    made += 1
    if (played.ended === "over") missed += 1
    const again: Blow = { at: 1 + below(24), torn: below(100) }
    if (made < kills && random() < 0.5) {
      await play(kit, start, folder, again)
      made += 1
    }
    const wrong = await judge(scenario, folder, played)
    if (wrong !== undefined) violations.push(`${scenario.name}, seed ${seed}, kill ${made}, ${JSON.stringify([blow, again])}: ${wrong}`)
  }
  return { boundaries, kills: made, missed, violations }
}

/** The calls that a play makes when nobody disturbs it. */
export const boundariesOf = async (
  kit: Kit,
  scenario: Scenario,
  folder = join(kit.folder, `calls-${scenario.name}`)
): Promise<ReadonlyArray<string>> => {
  const log = `${folder}.log`
  rmSync(log, { force: true })
  prepare(scenario, folder)
  await play(kit, scenario, folder, { at: 0 }, { log })
  const only = scenario.fails === "sync" ? /^(fsync|fdatasync) / : scenario.fails === "full" ? /^(create|write|mkdir|rename|link) / : / /
  return readFileSync(log, "utf8")
    .trimEnd()
    .split("\n")
    .map((line) => line.replace(/^\d+ /, "").replace(/\.draft-\w+/, ".draft")) // Named at random.
    .filter((line) => only.test(line))
}

/** What two processes were asked for and acknowledged, one after the other: of the later one, the start that was let in. */
export const joined = (before: Played, after: Played): Played => ({
  submitted: [...before.submitted, ...after.submitted.slice(-1)],
  acknowledged: [...before.acknowledged, ...after.acknowledged.slice(-1)],
  copied: before.copied && [...before.copied, ...after.submitted.slice(-1).map(() => 0)],
  ended: after.ended
})

const heard = (said: string): Played => {
  const submitted: Array<Array<ReadonlyArray<JournalEvent>>> = []
  const durable: Array<Set<number>> = []
  const copies: Array<number> = []
  let ended: Played["ended"] = "killed"
  for (const line of said.split("\n").slice(0, -1)) {
    const [word, start = "", number = "", ...name] = line.split(" ")
    if (word === "begin") {
      submitted.push([])
      durable.push(new Set())
    }
    if (word === "+") submitted[Number(start)]!.push(recordedOf(name.join(" "), Number(number)))
    if (word === "=") durable[Number(start)]!.add(Number(number))
    if (word === "copied") copies[Number(start)] = Number(number)
    if (word === "over") ended = "over"
  }
  const acknowledged = durable.map((set) => {
    let n = 0
    while (set.has(n)) n += 1
    return n
  })
  const copied = copies.length === 0 ? undefined : submitted.map((_, i) => copies[i] ?? 0)
  return { submitted, acknowledged, copied, ended }
}
