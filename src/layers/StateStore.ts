/**
 * The one public state service: append what happened, read what it adds up to, and keep the views that people read.
 *
 * `append` resolves when its events are durable *and* part of the ledger. What is not durable is in no ledger, no view
 * and no stream, so nobody can act on a fact that a crash could take back.
 */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Latch from "effect/Latch"
import * as Layer from "effect/Layer"
import * as PubSub from "effect/PubSub"
import type * as Scope from "effect/Scope"
import * as Semaphore from "effect/Semaphore"
import * as Stream from "effect/Stream"
import { dirname, isAbsolute, join, resolve } from "node:path"
import { DiskError, type LockHeld, shown, StateUnusable, StorageFailed } from "../domain/Errors.ts"
import type { JournalEvent } from "../domain/JournalEvent.ts"
import { format } from "../domain/JournalLine.ts"
import type { Damage } from "../domain/JournalReading.ts"
import type { Ledger } from "../domain/Ledger.ts"
import { compact, due, type Retention, retention } from "./Compaction.ts"
import { Disk } from "./Disk.ts"
import { housed } from "./Home.ts"
import * as Journal from "./Journal.ts"
import { hold } from "./Lock.ts"
import { keepFormat } from "./Migration.ts"
import { acceptable } from "./Place.ts"
import { mend, newestFormat, survey } from "./Recovery.ts"
import { full, reserveBytes, reserveOf } from "./Reserve.ts"
import { Secrets } from "./Secrets.ts"
import { fence } from "./Segment.ts"
import { logged, noStatusFiles, replace, statusFiles, sweep } from "./Views.ts"

/** Whether the disk takes what we write. `blocked` ends by itself; `failed` only with a new start. */
export type StorageCondition =
  | { readonly _tag: "Writable" }
  | { readonly _tag: "Blocked"; readonly reason: string }
  | { readonly _tag: "Failed"; readonly reason: string }

/** An event before it is stamped: the store adds the version and, where none is given, the instant. */
export type NewEvent = JournalEvent extends infer E
  ? E extends JournalEvent
    ? Omit<E, "v" | "atMs"> & { readonly atMs?: number }
    : never
  : never

export class StateStore extends Context.Service<
  StateStore,
  {
    /** The state directory, absolute. */
    readonly directory: string
    /** Grows with every start on this directory. */
    readonly epoch: number
    /** Appends all of them, in this order and in one batch, without the secrets that are known. While the disk is blocked this waits; it fails once the disk has failed. */
    readonly append: (...events: ReadonlyArray<NewEvent>) => Effect.Effect<void, StorageFailed>
    /** What every durable event adds up to. Shared and live: read it, never change it. */
    readonly ledger: Ledger
    /** Durable events from now on, in order. The stream is bounded by nothing: take them as they come. */
    readonly events: Stream.Stream<JournalEvent>
    /** Whether the disk takes what we write; first the present condition, then each change. */
    readonly condition: Stream.Stream<StorageCondition>
    /** Replaces a view (a path relative to the state directory, or absolute) whole; `modifiedAtMs` becomes its mtime. Known secrets are left out. A view that cannot be written is logged and rebuilt later: the journal has the fact. */
    readonly view: (path: string, text: string, modifiedAtMs?: number) => Effect.Effect<void>
    /** Makes a folder, a path relative to the state directory; fails where the disk refuses it, or the directory is away. */
    readonly folder: (path: string) => Effect.Effect<void, DiskError>
    /** Returns once the status files show everything that is in the ledger now. */
    readonly flushed: Effect.Effect<void>
    /** Writes a checkpoint of everything but the present segment and lets old history go; done now and then unasked. */
    readonly compact: Effect.Effect<void, StateUnusable>
    /** The instant of the last event before this start, in milliseconds since the Unix epoch; 0 where there was none. */
    readonly lastAtMs: number
    /** Torn tails that this start found, moved to `damaged/` and cut. */
    readonly damage: ReadonlyArray<Damage>
  }
>()("holdfast/layers/StateStore") {
  /**
   * The state service on this directory (absolute): locks it, recovers it, opens a new segment. `statusDirectory` (absolute)
   * is where the status files go instead of `skills/status`; of what else is there nothing is touched.
   */
  static layer(directory: string, options: StateOptions = {}): Layer.Layer<StateStore, StateUnusable | LockHeld | StorageFailed, Disk> {
    return Layer.effect(StateStore, make(directory, options))
  }
}

export interface StateOptions {
  readonly statusDirectory?: string
  /** False: keeps no status files, for who only puts something on record. */
  readonly statusFiles?: false
  /** Ours, for whoever asks who holds the directory. */
  readonly version?: string
  /** How long history stays, in runs and days; 100,000 and 90 unless given. */
  readonly history?: Retention
  /** The length of a segment of the journal, in bytes; 8 MiB unless given. */
  readonly segmentBytes?: number
  /** Room kept for the day the disk is full, in bytes; 1 MiB unless given. */
  readonly reserveBytes?: number
}

const segmentBytesDefault = 8 * 1_048_576

/** What a state directory adds up to, for those who only look. */
export interface StateRead {
  readonly ledger: Ledger
  /** What a start would cut. While a runtime is at work this may be a line that it is just writing. */
  readonly damage?: Damage
  /** Records of types this version does not know; they stay in the journal. */
  readonly unknown: number
}

/** Reads a state directory beside a runtime or without one: no lock, no change; a tail that is torn or just being written is left out. */
export const readState = Effect.fnUntraced(function* (directory: string): Effect.fn.Return<StateRead, StateUnusable, Disk> {
  yield* ours(directory)
  yield* newestFormat(directory).pipe(unreadable(directory))
  const { ledger, damage, unknown } = yield* survey(directory).pipe(
    Effect.retry({ times: 3, while: (error) => error instanceof DiskError && error.code === "ENOENT" }), // Compacted as we read.
    unreadable(directory)
  )
  return { ledger, unknown, ...(damage[0] === undefined ? {} : { damage: damage[0] }) }
})

const make = Effect.fnUntraced(function* (
  directory: string,
  options: StateOptions
): Effect.fn.Return<StateStore["Service"], StateUnusable | LockHeld | StorageFailed, Disk | Scope.Scope> {
  const { statusDirectory = join(directory, "skills", "status"), segmentBytes = segmentBytesDefault } = options
  const services = yield* Effect.context<Disk>()
  const disk = yield* Disk
  const secrets = yield* Secrets
  yield* ours(directory)
  if (!disk.simulated) yield* acceptable(directory)
  const found = yield* newestFormat(directory).pipe(unreadable(directory)) // Before anything is made: a newer state stays as it is.
  yield* storage(disk.makeDir(join(directory, "journal")))
  yield* storage(disk.syncDir(directory))
  yield* Effect.ignore(disk.syncDir(dirname(directory))) // A parent we may not open is not ours to make durable.
  yield* storage(hold(directory, options.version))

  let refused = (_code: string): Effect.Effect<void> => Effect.void // Until there is a journal to tell.
  const home = yield* storage(housed(disk, directory, (code) => refused(code)))
  const reserve = yield* Effect.provideService(reserveOf(directory, options.reserveBytes ?? reserveBytes), Disk, home)
  const roomy = <A, E, R>(starting: Effect.Effect<A, E | DiskError, R>) =>
    storage(
      Effect.catchIf(
        starting,
        (error) => error instanceof DiskError && full.has(error.code),
        (error) => Effect.flatMap(reserve.release, (released) => (released ? starting : Effect.fail(error)))
      )
    )
  const segment = yield* roomy(fence(directory))
  return yield* Effect.gen(function* () {
    const epoch = segment.number
    const recovered = yield* survey(directory).pipe(unreadable(directory))
    const { ledger, damage, unusable, atMs: lastAtMs } = recovered
    if (found !== undefined && found < format) yield* roomy(keepFormat(directory, found, epoch))
    yield* roomy(mend(directory, recovered, epoch))
    for (const torn of damage) yield* Effect.logWarning("The journal had a torn tail; its bytes are in damaged/", torn)
    for (const name of unusable) yield* Effect.logWarning("A checkpoint was not whole; it is in damaged/", { name })
    yield* sweep([directory, statusDirectory])
    const events = yield* Effect.acquireRelease(PubSub.unbounded<JournalEvent>(), PubSub.shutdown)
    const status =
      options.statusFiles === false ? noStatusFiles : yield* Effect.provideService(statusFiles(statusDirectory, ledger), Disk, home)
    const sealed = Latch.makeUnsafe(true)
    let listeners = 0

    const journal = yield* roomy(
      Journal.open({
        directory,
        recovered,
        segment,
        reserve,
        segmentBytes,
        onSealed: () => sealed.openUnsafe(),
        onDurable: (durable) => {
          for (const event of durable) {
            const run = event.type === "run.settled" ? ledger.runs.get(event.run) : undefined
            ledger.apply(event)
            if (run !== undefined) status.changed(run.skill)
            if (listeners > 0) PubSub.publishUnsafe(events, event)
          }
        }
      })
    )
    refused = journal.refused
    yield* Effect.forkScoped(Stream.runForEach(journal.condition, ({ _tag }) => (_tag === "Writable" ? status.again : Effect.void)))
    const one = yield* Semaphore.make(1)
    const compacting = Effect.suspend(() => compact(directory, journal.segment(), ledger, options.history ?? retention)).pipe(
      unreadable(directory),
      one.withPermits(1),
      Effect.provideContext(services)
    )
    const whenDue = Effect.gen(function* () {
      yield* sealed.await
      sealed.closeUnsafe()
      if (yield* due(directory, journal.segment())) yield* compacting
    }).pipe(Effect.catch((error) => Effect.logWarning("The journal could not be compacted; it is whole, only longer", { ...error })))
    yield* Effect.forkScoped(Effect.forever(whenDue))

    return StateStore.of({
      directory,
      epoch,
      ledger,
      lastAtMs,
      damage,
      append: (...given) =>
        Effect.flatMap(Clock.currentTimeMillis, (now) => journal.append(given.map((event) => secrets.event(stamp(event, now))))),
      events: Stream.unwrap(
        Effect.gen(function* () {
          yield* Effect.acquireRelease(
            Effect.sync(() => {
              listeners += 1
            }),
            () =>
              Effect.sync(() => {
                listeners -= 1
              })
          )
          return Stream.fromSubscription(yield* PubSub.subscribe(events))
        })
      ),
      condition: journal.condition,
      compact: compacting,
      view: (path, text, modifiedAtMs) =>
        logged(replace(resolve(directory, path), secrets.text(text), modifiedAtMs), path).pipe(Effect.provideService(Disk, home)),
      folder: (path) => home.makeDir(join(directory, path)),
      flushed: status.flushed
    })
  }).pipe(
    Effect.onError(() => Effect.andThen(segment.close, Effect.ignore(disk.remove(segment.path)))) // Refused: nothing of ours stays.
  )
})

const stamp = (event: NewEvent, now: number): JournalEvent => Object.assign({ type: event.type, v: 1, atMs: now }, event) as JournalEvent

/** Every name that this version puts into a state directory. */
const known: ReadonlySet<string> = new Set([
  "journal",
  "skills",
  "status.json",
  "runs",
  "damaged",
  "lock",
  "owner.json",
  "control.sock",
  "bin",
  "history.json",
  "demo",
  "backup",
  "reserve",
  ".DS_Store"
])

/** Refuses what cannot be a state directory, and what is somebody else's. */
const ours = Effect.fnUntraced(function* (directory: string): Effect.fn.Return<void, StateUnusable, Disk> {
  const disk = yield* Disk
  if (!isAbsolute(directory)) {
    return yield* refused("STATE_DIR_RELATIVE", directory, "a relative path", "an absolute path", "write the whole path, from /")
  }
  const names = yield* disk.list(directory).pipe(unreadable(directory))
  const strange = names.find((name) => !known.has(name) && !name.startsWith(".draft-"))
  if (strange !== undefined && !names.includes("journal")) {
    const fix = "choose another --state: these files are not ours to mix with"
    return yield* refused("STATE_DIR_FOREIGN", directory, strange, "an empty directory or one of ours", fix)
  }
})

const refused = (code: string, where: string, got: string, want: string, fix: string) =>
  Effect.fail(new StateUnusable({ code, where, got: shown(got), want, fix }))

/** Reading failed: the directory cannot be used as it is. */
const unreadable =
  (directory: string) =>
  <A, E, R>(reading: Effect.Effect<A, E | DiskError, R>) =>
    Effect.catch(reading, (error): Effect.Effect<never, Exclude<E, DiskError> | StateUnusable> => {
      if (!(error instanceof DiskError)) return Effect.fail(error as Exclude<E, DiskError>)
      const { code, operation, path } = error
      return code === "ENOTDIR"
        ? refused("STATE_DIR_NOT_DIR", directory, "a file", "a directory", "choose another --state, or move the file away")
        : refused(
            "STATE_DIR_UNREADABLE",
            path,
            `${code} from ${operation}`,
            "a directory we may read",
            "give this user the right to read it"
          )
    })

/** Writing failed while starting: there is no state service, and trying again may help. */
const storage = <A, E, R>(starting: Effect.Effect<A, E | DiskError, R>): Effect.Effect<A, Exclude<E, DiskError> | StorageFailed, R> =>
  Effect.mapError(starting, (error) =>
    error instanceof DiskError
      ? new StorageFailed({
          code: "STORAGE_FAILED",
          where: error.path,
          got: `${error.code} from ${error.operation}`,
          retryable: true,
          want: "a directory we may write",
          fix: "free space, or give this user the right to write there"
        })
      : (error as Exclude<E, DiskError>)
  )
