/**
 * Processes that do a run's work: started in a group of their own, bounded in time and output, and never left behind.
 *
 * A run's processes are known by their group and by `HOLDFAST_RUN_DIRECTORY` in their environment (Linux), so that a daemon
 * which left the group is found too, and so that what an old runtime left is found after a crash.
 */
import * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import { type ChildProcess, spawn } from "node:child_process"
import * as fs from "node:fs"
import type { Duplex } from "node:stream"
import type { ProcessIdentity } from "../domain/Attempt.ts"
import type { Environment } from "../domain/Environment.ts"
import type { SpawnFailed } from "../domain/Errors.ts"
import type { Redaction } from "../domain/Redaction.ts"
import { type Census, makeCensus } from "./Census.ts"
import { type Channel, channelOver } from "./Channel.ts"
import { monotonicMs, sleepLong } from "./clock.ts"
import { limitMet, type LimitMet, type Limits } from "./Limits.ts"
import { openOutput, type Output, redactFiles, stateOf, takeOverOutput } from "./Output.ts"
import { type Family, isAlive, type Member, membersAmong, outOfMemoryKills, processIdentity, residentBytes } from "./platform.ts"
import { Secrets } from "./Secrets.ts"
import { checkProgram, spawnFailed } from "./spawn.ts"

/** What to start. */
export interface ProcessSpec<E, R> extends Limits {
  /** Never seen by a shell. The first word is a path (relative to `cwd`) or a program on the PATH of `env`. */
  readonly argv: readonly [string, ...ReadonlyArray<string>]
  readonly cwd: string
  /** The complete environment; `HOLDFAST_RUN_DIRECTORY` is set to `directory`. */
  readonly env: Environment
  /** The run's folder, absolute: `stdout.log` and `stderr.log` are made anew in it. */
  readonly directory: string
  /** Grows with each step that it comes to: a sign of life, as is whatever it prints. */
  readonly asked?: (() => number) | undefined
  /** Between TERM and KILL. */
  readonly graceMs: number
  /** Runs before anything of the process is believed; when it fails the process is stopped and the run fails with it. */
  readonly onSpawned: (identity: ProcessIdentity) => Effect.Effect<void, E, R>
  /** A file that the process reads as its input, absolute; without one the input is empty. */
  readonly stdin?: string
  /** Serves a pipe that the child has as descriptor 3, until the process has ended. */
  readonly serve?: (channel: Channel) => Effect.Effect<unknown, never, R>
}

/**
 * How a process ended. `OutOfMemory`: KILL, as the kernel ended something of our control group for want of memory.
 * `LeftChildren`: some of its family outlived KILL, and a person should look.
 */
export type ProcessEnd =
  | { readonly _tag: "Exited"; readonly code: number }
  | { readonly _tag: "Signalled"; readonly signal: NodeJS.Signals }
  | { readonly _tag: "OutOfMemory" }
  | LimitMet
  | { readonly _tag: "LeftChildren"; readonly pids: ReadonlyArray<number> }

/** A process of a runtime that has died: no child of ours, so that what it leaves with cannot be had. */
export interface Survivor extends Pick<ProcessSpec<never, never>, "directory" | "timeoutMs" | "graceMs"> {
  readonly process: ProcessIdentity
}

/** How a survivor ended. */
export type SurvivorEnd = { readonly _tag: "Ended" } | Extract<ProcessEnd, { readonly _tag: "TimedOut" | "LeftChildren" }>

/** A run as the journal knows it: its folder, and the process of its latest attempt, if it has one. */
export interface Orphan {
  readonly directory: string
  readonly process: ProcessIdentity | undefined
}

export class Process extends Context.Service<
  Process,
  {
    /**
     * Runs a process to its end. When it meets a limit, or when this is interrupted, its family gets TERM, `graceMs` later KILL, and
     * this waits until it is gone. There is no grace for one that takes too much memory; what a process leaves behind when it ends by
     * itself gets a second at most between the two.
     */
    readonly run: <E = never, R = never>(spec: ProcessSpec<E, R>) => Effect.Effect<ProcessEnd, SpawnFailed | E, R>
    /** Waits for the end of a survivor, under the rules of `run`; at once where it has ended already. */
    readonly follow: (survivor: Survivor) => Effect.Effect<SurvivorEnd>
    /** Ends a run's family without a grace, and returns once it is gone. */
    readonly terminate: (run: Orphan) => Effect.Effect<void>
    /**
     * Finds and stops what is left of runs whose runtime died, and takes known secrets out of what they have printed. Returns within
     * about six seconds; `alive` outlived KILL.
     */
    readonly survivors: (
      orphans: ReadonlyArray<Orphan>
    ) => Effect.Effect<{ readonly killed: number; readonly alive: ReadonlyArray<number> }>
  }
>()("holdfast/layers/Process") {
  static readonly layer = Layer.effect(
    Process,
    Effect.map(Effect.all([makeCensus(), Secrets]), ([census, secrets]) =>
      Process.of({
        run: (spec) => run(spec, census, secrets),
        follow: (survivor) => follow(survivor, census, secrets),
        terminate: (run) => Effect.asVoid(stopAll([run], 0, census)),
        survivors: (orphans) =>
          Effect.tap(stopAll(orphans, 1_000, census), () =>
            Effect.forEach(orphans, ({ directory }) => redactFiles(directory, [...outputs, "result.json"], secrets), { discard: true })
          )
      })
    )
  )
}

const run = Effect.fn("Process.run")(function* <E, R>(
  spec: ProcessSpec<E, R>,
  census: Census,
  secrets: Redaction
): Effect.fn.Return<ProcessEnd, SpawnFailed | E, R> {
  let left: ReadonlyArray<number> = []
  let graceMs = spec.graceMs
  const end = yield* Effect.scoped(
    Effect.gen(function* () {
      const killsBefore = yield* outOfMemoryKills
      const child = yield* Effect.acquireRelease(start(spec, secrets), (child) =>
        Effect.map(finish(child, spec.directory, graceMs, census), (alive) => {
          left = alive
        })
      )
      const identity = yield* processIdentity(child.pid)
      yield* spec.onSpawned(identity ?? { pid: child.pid, startTime: "unknown", bootId: "unknown" }) // It has ended already.
      const sign = () => [spec.asked?.(), ...child.outputs.map(stateOf)].join(" ")
      const members = Effect.map(census, membersAmong(familyOf(child, spec.directory)))
      const resident = (limit: number) => Effect.flatMap(members, (found) => residentBytes(found, limit))
      const end = yield* Effect.raceFirst(Deferred.await(child.ended), limitMet(spec, sign, resident))
      if (end._tag === "OverMemory") graceMs = 0 // It would go on taking more.
      return wasKilled(end) && (yield* outOfMemoryKills) !== killsBefore ? ({ _tag: "OutOfMemory" } as const) : end
    })
  )
  return left.length === 0 ? end : { _tag: "LeftChildren", pids: left }
})

/** KILL from outside; a shell says so of its child by the code 137. */
const wasKilled = (end: ProcessEnd): boolean =>
  (end._tag === "Signalled" && end.signal === "SIGKILL") || (end._tag === "Exited" && end.code === 137)

const follow = Effect.fn("Process.follow")(function* (
  survivor: Survivor,
  census: Census,
  secrets: Redaction
): Effect.fn.Return<SurvivorEnd> {
  const { directory, process: known, timeoutMs } = survivor
  const metAlive = yield* isAlive(known)
  let left: ReadonlyArray<number> = []
  const end = yield* Effect.scoped(
    Effect.gen(function* () {
      yield* Effect.forEach(outputs, (name) => takeOverOutput(`${directory}/${name}`, secrets), { discard: true })
      yield* Effect.addFinalizer(() =>
        Effect.map(endSurvivor(survivor, metAlive, census), (alive) => {
          left = alive
        })
      )
      if (!metAlive) return { _tag: "Ended" } as const // Also where its time has run out since.
      const gone = Effect.repeat(Effect.delay(isAlive(known), lookEveryMs), { while: (alive) => alive })
      return yield* Effect.raceFirst(
        Effect.as(gone, { _tag: "Ended" } as const),
        Effect.as(sleepLong(timeoutMs), { _tag: "TimedOut" } as const)
      )
    })
  )
  return left.length === 0 ? end : { _tag: "LeftChildren", pids: left }
})

/**
 * Ends what is left of a survivor. Its group is signalled while its leader is that very process, and also when the number of a leader that
 * was met alive is nobody's: while there is a group, no process gets its number.
 */
const endSurvivor = Effect.fnUntraced(function* ({ directory, process: known, graceMs }: Survivor, metAlive: boolean, census: Census) {
  const running = yield* isAlive(known)
  const ours = running || (metAlive && (yield* processIdentity(known.pid)) === undefined)
  const family = { groups: new Set(ours ? [known.pid] : []), directories: new Set([directory]) }
  const { alive } = yield* stop(family, running ? graceMs : Math.min(graceMs, leftGraceMs), census)
  if (alive.length > 0) yield* Effect.logError(`RUN_LEFT_CHILDREN ${directory}: processes ${alive.join(", ")} outlived KILL`)
  return alive
})

const stopAll = Effect.fnUntraced(function* (orphans: ReadonlyArray<Orphan>, graceMs: number, census: Census) {
  const groups = new Set<number>()
  for (const { process: known } of orphans) {
    if (known !== undefined && (yield* isAlive(known))) groups.add(known.pid)
  }
  return yield* stop({ groups, directories: new Set(orphans.map((orphan) => orphan.directory)) }, graceMs, census)
})

interface Child {
  readonly pid: number
  readonly process: ChildProcess
  readonly ended: Deferred.Deferred<ProcessEnd>
  readonly serving: Fiber.Fiber<unknown> | undefined
  readonly outputs: ReadonlyArray<Output>
}

const familyOf = ({ pid }: Child, directory: string): Family => ({ groups: new Set([pid]), directories: new Set([directory]) })

const start = Effect.fnUntraced(function* <E, R>(
  spec: ProcessSpec<E, R>,
  secrets: Redaction
): Effect.fn.Return<Child, SpawnFailed, R | Scope.Scope> {
  yield* checkProgram(spec)
  const files = yield* Effect.forEach(outputs, (name) => openOutput(`${spec.directory}/${name}`, secrets)).pipe(
    Effect.mapError((cause) => spawnFailed(spec, cause, spec.directory))
  )
  const input =
    spec.stdin === undefined ? "ignore" : yield* Effect.mapError(openInput(spec.stdin), (cause) => spawnFailed(spec, cause, spec.directory))
  const process = yield* Effect.callback<ChildProcess & { readonly pid: number }, SpawnFailed>((resume) => {
    const refuse = (cause: NodeJS.ErrnoException) => resume(Effect.fail(spawnFailed(spec, cause)))
    try {
      // Some refusals are thrown (E2BIG), the others are told as an event.
      const process = spawn(spec.argv[0], spec.argv.slice(1), {
        cwd: spec.cwd,
        env: { ...spec.env, HOLDFAST_RUN_DIRECTORY: spec.directory },
        detached: true,
        stdio: [input, files[0]!.fd, files[1]!.fd, ...(spec.serve === undefined ? [] : ["pipe" as const])]
      })
      process.on("error", refuse)
      if (process.pid !== undefined) resume(Effect.succeed(process as typeof process & { readonly pid: number }))
    } catch (cause) {
      refuse(cause as NodeJS.ErrnoException)
    }
  })
  const ended = Deferred.makeUnsafe<ProcessEnd>()
  // Not `close`: whatever holds a descriptor of the child would delay that one.
  process.once("exit", (code, signal) => {
    Deferred.doneUnsafe(ended, Exit.succeed(signal === null ? { _tag: "Exited", code: code! } : { _tag: "Signalled", signal }))
  })
  const serving =
    spec.serve === undefined ? undefined : yield* Effect.forkDetach(spec.serve(channelOver(process.stdio[3] as Duplex, lineLengthMax)))
  return { pid: process.pid, process, ended, serving, outputs: files }
})

const openInput = (path: string): Effect.Effect<number, NodeJS.ErrnoException, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.try({
      try: () => fs.openSync(path, fs.constants.O_RDONLY | fs.constants.O_NOFOLLOW),
      catch: (cause) => cause as NodeJS.ErrnoException
    }),
    (fd) => Effect.sync(() => fs.closeSync(fd))
  )

/** Stops what is still there, then waits for the child to be reaped. Returns the pids that outlived even KILL. */
const finish = Effect.fnUntraced(function* (child: Child, directory: string, graceMs: number, census: Census) {
  const running = child.process.exitCode === null && child.process.signalCode === null
  const { killed, alive } = yield* stop(familyOf(child, directory), running ? graceMs : Math.min(graceMs, leftGraceMs), census)
  if (!running && killed > 0) yield* Effect.logWarning(`RUN_LEFT_CHILDREN ${directory}: ${killed} processes stopped after the run ended`)
  if (alive.length > 0) yield* Effect.logError(`RUN_LEFT_CHILDREN ${directory}: processes ${alive.join(", ")} outlived KILL`)
  else yield* Deferred.await(child.ended)
  if (child.serving !== undefined) yield* Fiber.interrupt(child.serving)
  child.process.stdio[3]?.destroy()
  return alive
})

/** TERM, a grace, then KILL as long as anybody is there, for five seconds. */
const stop = Effect.fnUntraced(function* (family: Family, graceMs: number, census: Census) {
  const members = Effect.map(census, membersAmong(family))
  const seen = new Set<number>()
  let alive = yield* members
  yield* signal(family, alive, "SIGTERM", seen)
  const killAtMs = (yield* monotonicMs) + graceMs
  for (let pauseMs = 10, leftMs = graceMs; alive.length > 0 && leftMs > 0; pauseMs = Math.min(pauseMs * 2, 250)) {
    yield* Effect.sleep(Math.min(pauseMs, leftMs))
    alive = yield* members
    leftMs = killAtMs - (yield* monotonicMs)
  }
  const untilMs = (yield* monotonicMs) + killedWithinMs
  while (alive.length > 0 && (yield* monotonicMs) < untilMs) {
    yield* signal(family, alive, "SIGKILL", seen)
    yield* Effect.sleep(50)
    alive = yield* members // Each time anew: what forks in between is found as well.
  }
  return { killed: seen.size - alive.length, alive: alive.map(({ pid }) => pid) }
})

/** Signals each group once, and each member that has left its group. */
const signal = Effect.fnUntraced(function* (
  { groups }: Family,
  members: ReadonlyArray<Member>,
  name: "SIGTERM" | "SIGKILL",
  seen: Set<number>
) {
  const targets = new Set(members.map(({ pid, group }) => (groups.has(group) ? -group : pid)))
  for (const target of targets) yield* Effect.ignore(Effect.try(() => process.kill(target, name))) // It may have ended meanwhile.
  for (const { pid } of members) seen.add(pid)
})

const outputs = ["stdout.log", "stderr.log"]
const lookEveryMs = 250
const leftGraceMs = 1_000
const killedWithinMs = 5_000
const lineLengthMax = 1_048_576 + 65_536 // The longest result of a step, and its envelope.
