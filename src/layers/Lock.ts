/**
 * One runtime on one state directory.
 *
 * The lock is SQLite's on `lock/lock.db`: the system frees it when its holder dies and keeps it while the holder is only
 * stopped. Such a lock belongs to a process, so *any* open and close of that file inside the holder frees it: nobody but
 * this module opens it. Others judge by `owner.json` beside the folder, which is for messages and never trusted alone.
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import { hostname } from "node:os"
import { join } from "node:path"
import type { DatabaseSync } from "node:sqlite"
import { type DiskError, LockHeld, shown, StateUnusable } from "../domain/Errors.ts"
import { iso } from "../domain/Run.ts"
import { Disk } from "./Disk.ts"
import { processIdentity, processStopped } from "./platform.ts"
import { replace } from "./Views.ts"

/** Who holds a state directory: what `owner.json` says. `startTime` and `bootId` are as `processIdentity` gives them. */
export const Owner = Schema.Struct({
  pid: Schema.Int,
  startTime: Schema.String,
  bootId: Schema.String,
  since: Schema.String,
  host: Schema.String,
  version: Schema.optionalKey(Schema.String)
})
export type Owner = typeof Owner.Type

/** Holds the directory until the scope closes. The directory is there; `lock/` is made. */
export const hold = Effect.fnUntraced(function* (
  directory: string,
  version?: string
): Effect.fn.Return<void, LockHeld | StateUnusable | DiskError, Disk | Scope.Scope> {
  const disk = yield* Disk
  if (disk.simulated) return yield* holdSimulated(disk, directory)
  const folder = join(directory, "lock")
  const path = join(folder, "lock.db")
  yield* disk.makeDir(folder)
  yield* Effect.acquireRelease(locked(directory, path), (database) => Effect.sync(() => database.close()))
  const identity = yield* processIdentity(process.pid)
  const present: Owner = {
    pid: process.pid,
    startTime: identity?.startTime ?? "unknown",
    bootId: identity?.bootId ?? "unknown",
    since: iso(yield* Clock.currentTimeMillis),
    host: hostname(),
    ...(version === undefined ? {} : { version })
  }
  const name = join(directory, "owner.json")
  const text = `${JSON.stringify(present)}\n`
  // Gone before the lock is free, and only while it says this: where somebody removed the lock file it is the next holder's.
  const withdraw = Effect.flatMap(disk.read(name), (bytes) => (Buffer.from(bytes).toString() === text ? disk.remove(name) : Effect.void))
  yield* Effect.acquireRelease(replace(name, text), () => Effect.ignore(withdraw))
})

/** What `owner.json` says, if it is there and whole. It may speak of a holder that died: compare it with `processIdentity`. */
export const owner = Effect.fnUntraced(function* (directory: string): Effect.fn.Return<Owner | undefined, never, Disk> {
  const disk = yield* Disk
  const bytes = yield* Effect.result(disk.read(join(directory, "owner.json")))
  if (Result.isFailure(bytes)) return undefined
  const decoded = decodeOwner(Buffer.from(bytes.success).toString("utf8"))
  return Result.isSuccess(decoded) ? decoded.success : undefined
})
const decodeOwner = Schema.decodeUnknownResult(Schema.fromJsonString(Owner))

/**
 * The lock, on the file that has this name now. Should somebody remove or replace it between our opening and our locking,
 * we hold a lock that nobody else will ever meet; so the name is looked at before and after, never by opening it again.
 */
const locked = Effect.fnUntraced(function* (
  directory: string,
  path: string
): Effect.fn.Return<DatabaseSync, LockHeld | StateUnusable | DiskError, Disk> {
  const disk = yield* Disk
  for (let tries = 0; tries < triesMax; tries++) {
    const before = yield* disk.stat(path)
    if (before === undefined) {
      yield* Effect.ignore(disk.write(path, new Uint8Array())) // 0600, which SQLite would not.
      continue
    }
    const begun = Result.try(() => begin(path))
    if (Result.isFailure(begun)) {
      return yield* busy(begun.failure)
        ? Effect.flatMap(holder(directory), (known) => held(directory, known))
        : unusable(path, begun.failure)
    }
    if ((yield* disk.stat(path))?.inode === before.inode) return begun.success
    begun.success.close()
  }
  return yield* unusable(path, "it is replaced as often as it is locked")
})
/** How often a lock file may go while it is locked; a person does so once. */
const triesMax = 100

/** Loaded only here and only now: on Node 22 the module prints a warning. */
const begin = (path: string): DatabaseSync => {
  const { DatabaseSync } = process.getBuiltinModule("node:sqlite")
  const database = new DatabaseSync(path, { timeout: 0 })
  const begun = Result.try(() => database.exec("BEGIN EXCLUSIVE"))
  if (Result.isSuccess(begun)) return database
  database.close()
  throw begun.failure
}

/** SQLITE_BUSY, in any of its extended forms. */
const busy = (cause: unknown): boolean => ((cause as { readonly errcode?: number }).errcode ?? 0) % 256 === 5

/** What the holder does, as far as this machine can tell: `unknown` where no process here is the one that `owner.json` names. */
type Doing = "runs" | "stopped" | "unknown"

interface Holder extends Owner {
  readonly doing: Doing
}

const holder = Effect.fnUntraced(function* (directory: string): Effect.fn.Return<Holder | undefined, never, Disk> {
  const known = yield* owner(directory)
  if (known === undefined) return undefined
  const living = yield* processIdentity(known.pid)
  if (living?.startTime !== known.startTime || living.bootId !== known.bootId) return { ...known, doing: "unknown" }
  return { ...known, doing: (yield* processStopped(known.pid)) ? "stopped" : "runs" }
})

const held = (directory: string, known: Holder | undefined) => {
  const { pid, host, since, doing } = known ?? { pid: 0, host: "", since: "", doing: "unknown" as const }
  const named = `pid ${pid} on ${shown(host)} since ${shown(since)}`
  const asked = `lsof ${join(directory, "lock", "lock.db")}`
  const told: Readonly<Record<Doing, readonly [got: string, way: string]>> = {
    runs: [named, `stop it (kill ${pid})`],
    stopped: [`${named}, which is stopped`, `let it go on (kill -CONT ${pid}) or end it (kill -9 ${pid})`],
    unknown: [`another process${known === undefined ? "" : `; owner.json names ${named}, which is not here`}`, `end it (${asked} names it)`]
  }
  const [got, way] = told[doing]
  return Effect.fail(
    new LockHeld({
      code: "LOCK_HELD",
      where: directory,
      got,
      want: "no other runtime on this directory",
      fix: `${way}, or choose another --state`
    })
  )
}

const unusable = (path: string, cause: unknown) =>
  Effect.fail(
    new StateUnusable({
      code: "LOCK_UNUSABLE",
      where: path,
      got: shown(cause instanceof Error ? cause.message : String(cause)),
      want: "a lock file that SQLite can open and lock",
      fix: "use a local file system; if no runtime runs here, remove the lock folder"
    })
  )

const holdSimulated = (disk: Disk["Service"], directory: string) => {
  const directories = simulated.get(disk) ?? new Set()
  simulated.set(disk, directories)
  return Effect.asVoid(
    Effect.acquireRelease(
      Effect.suspend(() => (directories.has(directory) ? held(directory, undefined) : Effect.sync(() => directories.add(directory)))),
      () => Effect.sync(() => directories.delete(directory))
    )
  )
}
const simulated = new WeakMap<Disk["Service"], Set<string>>()
