/**
 * What differs between Linux and macOS, in one place: who a process is, who belongs to a run, what it holds of the memory, and
 * what is mounted where.
 *
 * A pid alone says little: it is used again, and a zombie keeps it for good where nobody reaps. Identity is pid, start
 * time and boot together, and a process that only waits to be reaped is not alive.
 */
import * as Effect from "effect/Effect"
import { execFile } from "node:child_process"
import { readdirSync, readFile, readFileSync } from "node:fs"
import { constants } from "node:os"
import type { ProcessIdentity } from "../domain/Attempt.ts"
import { type Mount, parseMountInfo, parseMounts } from "../domain/Place.ts"

/** Who the living process of this number is; nothing when there is none, when it is a zombie, or when it cannot be told. */
export const processIdentity = (pid: number): Effect.Effect<ProcessIdentity | undefined> => {
  if (!Number.isSafeInteger(pid) || pid <= 0) return Effect.succeed(undefined)
  return process.platform === "linux" ? linux(pid) : macos(pid)
}

/** Whether this very process lives, and not a later one of its number. */
export const isAlive = ({ pid, startTime, bootId }: ProcessIdentity): Effect.Effect<boolean> =>
  Effect.map(processIdentity(pid), (living) => living?.startTime === startTime && living.bootId === bootId)

/** Whether a living process was stopped by a signal, and does nothing until another one. */
export const processStopped = (pid: number): Effect.Effect<boolean> =>
  Effect.map(
    process.platform === "linux" ? textOf(`/proc/${pid}/stat`) : outputOf("/bin/ps", ["-o", "lstart=,state=", "-p", String(pid)]),
    (text) => /^[Tt]/.test((process.platform === "linux" ? parseProcStat(text) : parsePs(text))?.state ?? "")
  )

/** The system's own name for what it refused. Of some Node knows only the number: an exceeded quota is `Unknown system error -122`. */
export const errorCode = (error: NodeJS.ErrnoException): string | undefined =>
  error.code?.startsWith("Unknown system error") === true
    ? (Object.entries(constants.errno).find(([, number]) => number === -(error.errno ?? 0))?.[0] ?? error.code)
    : error.code

/** What is mounted where, the root first; nothing where that cannot be told. */
export const mountsOf: Effect.Effect<ReadonlyArray<Mount>> = Effect.suspend(() =>
  process.platform === "linux"
    ? Effect.map(textOf("/proc/self/mountinfo"), parseMountInfo)
    : Effect.map(outputOf("/sbin/mount", []), parseMounts)
)

/** The processes of a run: those of its process groups, and those that carry its folder in their environment. */
export interface Family {
  readonly groups: ReadonlySet<number>
  /** Values of `HOLDFAST_RUN_DIRECTORY`. Only Linux can be asked, and a process that replaced its environment is not seen. */
  readonly directories: ReadonlySet<string>
}

/** One living process. */
export interface Member {
  readonly pid: number
  readonly group: number
  /** Its `HOLDFAST_RUN_DIRECTORY`, where that can be seen. */
  readonly directory: string | undefined
}

/** All living processes, ourselves left out. On Linux about 40 us for each of them, during which nothing else happens here. */
export const census: Effect.Effect<ReadonlyArray<Member>> = Effect.suspend(() =>
  process.platform === "linux" ? Effect.sync(linuxCensus) : macosCensus
)

/** Those that belong to the family. */
export const membersAmong =
  ({ groups, directories }: Family) =>
  (all: ReadonlyArray<Member>): ReadonlyArray<Member> =>
    all.filter(({ group, directory }) => groups.has(group) || (directory !== undefined && directories.has(directory)))

/**
 * Resident memory of these processes together, in bytes. What they share is counted with each of them, unless only that makes it more
 * than `limit`: then each is asked for its part of it (Linux), which takes longer. One that has ended holds nothing.
 */
export const residentBytes = Effect.fnUntraced(function* (members: ReadonlyArray<Pick<Member, "pid">>, limit: number) {
  const pids = members.map(({ pid }) => pid)
  if (process.platform !== "linux") return psResidentBytes(yield* outputOf("/bin/ps", ["-o", "rss=", "-p", pids.join(",")]))
  const whole = yield* sumOf(pids, "status", /^VmRSS:\s+(\d+) kB$/m)
  if (whole <= limit) return whole
  const parts = yield* sumOf(pids, "smaps_rollup", /^Pss:\s+(\d+) kB$/m)
  return parts === 0 ? whole : parts // Of another user's process we are not told.
})

/** The sum of what `ps -o rss=` prints: 1,024 bytes each. */
export const psResidentBytes = (table: string): number => table.split("\n").reduce((sum, line) => sum + Number(line.trim()) * 1_024, 0)

/**
 * How often the kernel has ended a process of our control group for want of memory; nothing where that cannot be read (macOS,
 * the root group of version 2). It also counts those of other runs.
 */
export const outOfMemoryKills: Effect.Effect<number | undefined> = Effect.gen(function* () {
  const [, version2] = /^0::(.*)$/m.exec(yield* ownGroups) ?? []
  const [, version1] = /^\d+:(?:.+,)?memory(?:,.+)?:(.*)$/m.exec(yield* ownGroups) ?? []
  const texts = yield* Effect.forEach(
    [`/sys/fs/cgroup${version2}/memory.events`, `/sys/fs/cgroup/memory${version1}/memory.oom_control`],
    textOf
  )
  const [, kills] = /^oom_kill (\d+)$/m.exec(texts.join("\n")) ?? []
  return kills === undefined ? undefined : Number(kills)
})

/**
 * State and start time (clock ticks since boot) from `/proc/<pid>/stat`. The program's name stands in parentheses and may
 * itself hold spaces and parentheses, so fields are counted from the last one that closes.
 */
export const parseProcStat = (stat: string): { readonly state: string; readonly startTime: string } | undefined => {
  const fields = stat
    .slice(stat.lastIndexOf(")") + 2)
    .trim()
    .split(" ")
  const state = fields[0]
  const startTime = fields[19] // Field 22 of the whole line; the first one after the name is field 3.
  return state === undefined || startTime === undefined || !/^\d+$/.test(startTime) ? undefined : { state, startTime }
}

/** The same from `ps -o lstart=,state=`: a date of five words, then the state. */
export const parsePs = (line: string): { readonly state: string; readonly startTime: string } | undefined => {
  const words = line.trim().split(/\s+/)
  return words.length < 6 ? undefined : { state: words[5]!, startTime: words.slice(0, 5).join(" ") }
}

const linux = Effect.fnUntraced(function* (pid: number) {
  const found = parseProcStat(yield* textOf(`/proc/${pid}/stat`))
  if (found === undefined || gone(found.state)) return undefined
  const bootId = (yield* textOf("/proc/sys/kernel/random/boot_id")).trim()
  return bootId === "" ? undefined : { pid, startTime: found.startTime, bootId }
})

const macos = Effect.fnUntraced(function* (pid: number) {
  const found = parsePs(yield* outputOf("/bin/ps", ["-o", "lstart=,state=", "-p", String(pid)]))
  if (found === undefined || gone(found.state)) return undefined
  // `{ sec = 1763791200, usec = 5 } Sat Nov 22 ...`: the microseconds and the date follow the clock when it is set.
  const bootId = /sec = (\d+)/.exec(yield* outputOf("/usr/sbin/sysctl", ["-n", "kern.boottime"]))?.[1]
  return bootId === undefined ? undefined : { pid, startTime: found.startTime, bootId }
})

/** Synchronous: these files are made by the kernel as they are read, about 20 us each, and a scan must not see two moments. */
const linuxCensus = (): ReadonlyArray<Member> =>
  readdirSync("/proc").flatMap((name) => {
    const pid = Number(name)
    if (!Number.isSafeInteger(pid) || pid === process.pid) return []
    const stat = textNow(`/proc/${name}/stat`)
    const [state, , group] = stat.slice(stat.lastIndexOf(")") + 2).split(" ")
    if (state === undefined || state === "" || gone(state)) return []
    const entry = textNow(`/proc/${name}/environ`)
      .split("\0")
      .find((one) => one.startsWith(runDirectory))
    return [{ pid, group: Number(group), directory: entry?.slice(runDirectory.length) }]
  })

const runDirectory = "HOLDFAST_RUN_DIRECTORY="

const macosCensus = Effect.gen(function* () {
  const table = yield* outputOf("/bin/ps", ["-axo", "pid=,pgid=,state="])
  return table.split("\n").flatMap((line): ReadonlyArray<Member> => {
    const [pid, group, state] = line.trim().split(/\s+/)
    const member = { pid: Number(pid), group: Number(group), directory: undefined }
    return state === undefined || gone(state) || member.pid === process.pid ? [] : [member]
  })
})

/** The sum of a figure in kB over the files of that name. */
const sumOf = (pids: ReadonlyArray<number>, name: string, figure: RegExp) =>
  Effect.map(
    Effect.forEach(pids, (pid) => textOf(`/proc/${pid}/${name}`), { concurrency: 8 }),
    (texts) => texts.reduce((sum, text) => sum + Number(figure.exec(text)?.[1] ?? 0) * 1_024, 0)
  )

/** Zombie, or dead: the number is taken and nothing runs under it. */
const gone = (state: string): boolean => state.startsWith("Z") || state.startsWith("X") || state.startsWith("x")

const textOf = (path: string) =>
  Effect.callback<string>((resume) => {
    readFile(path, "utf8", (error, text) => resume(Effect.succeed(error === null ? text : "")))
  })

const textNow = (path: string): string => {
  try {
    return readFileSync(path, "utf8")
  } catch {
    return "" // It has ended meanwhile, or it is somebody else's.
  }
}

const ownGroups = textOf("/proc/self/cgroup")

const outputOf = (program: string, args: ReadonlyArray<string>) =>
  Effect.callback<string>((resume) => {
    const options = { env: { LC_ALL: "C", TZ: "UTC" }, timeout: 5_000 }
    execFile(program, args, options, (error, stdout) => resume(Effect.succeed(error === null ? stdout : "")))
  })
