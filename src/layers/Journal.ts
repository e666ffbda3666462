/**
 * The writer of the journal: one fiber, one open segment, one `datasync` for whatever arrived during the one before.
 *
 * Nothing is acknowledged before its sync has returned and no later start has been seen. What the disk refuses is kept in
 * memory and tried again; a sync that failed is never repeated, since the system may forget what it failed to write.
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Latch from "effect/Latch"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import type * as Stream from "effect/Stream"
import * as SubscriptionRef from "effect/SubscriptionRef"
import { type DiskError, StorageFailed } from "../domain/Errors.ts"
import { JournalEvent } from "../domain/JournalEvent.ts"
import { encodeLine } from "../domain/JournalLine.ts"
import { Disk } from "./Disk.ts"
import type { Recovered } from "./Recovery.ts"
import { full, type Reserve } from "./Reserve.ts"
import { type Birth, bear, create, type OpenSegment, type Standing } from "./Segment.ts"
import type { StorageCondition } from "./StateStore.ts"

export interface Journal {
  /**
   * Appends all of them as one: after a crash either all are there or none. Resolves when they are durable and were given
   * to `onDurable`. An interrupted caller stops waiting; what it appended goes on.
   */
  readonly append: (events: ReadonlyArray<JournalEvent>) => Effect.Effect<void, StorageFailed>
  readonly condition: Stream.Stream<StorageCondition>
  /** The disk refused somebody else's write with this code: what passes by itself blocks until the disk takes a new file again. */
  readonly refused: (code: string) => Effect.Effect<void>
  /** The number of the segment that is written now; older ones never change again. */
  readonly segment: () => number
}

export interface JournalOptions {
  readonly directory: string
  readonly recovered: Recovered
  /** Empty and ours: what is recovered was read after it was made. Its number is the epoch of this start. */
  readonly segment: OpenSegment
  readonly reserve: Reserve
  /** A segment that is longer than this, in bytes, is followed by another one. */
  readonly segmentBytes: number
  /** Given the events of each batch, in order, before anybody who waits for them goes on. */
  readonly onDurable: (events: ReadonlyArray<JournalEvent>) => void
  readonly onSealed: () => void
}

/** How long a refused write waits before it is tried again, in milliseconds. */
export const retryMs = 1_000
/** The longest that one segment is written to, in milliseconds: a day. */
export const segmentAgeMs = 86_400_000
/** Records that are written before those who wait for them are told: about two milliseconds of work. */
const batchMax = 1_000

/**
 * Writes into the new segment what older ones cannot prove, then takes appends. Closing the scope writes what is pending,
 * then refuses.
 */
export const open = Effect.fnUntraced(
  function* (options: JournalOptions): Effect.fn.Return<Journal, DiskError, Disk | Scope.Scope> {
    const { directory, recovered, reserve, segmentBytes, onDurable, onSealed } = options
    const disk = yield* Disk
    const next = (number: number) => Effect.provideService(create(directory, number), Disk, disk)
    const epoch = options.segment.number
    let segment = options.segment
    yield* Effect.addFinalizer(() => segment.close)
    let { seq, chain } = yield* bear(segment, { ...recovered, epoch })
    let bornAtMs = yield* Clock.currentTimeMillis

    const short = yield* reserve.restore
    const condition = yield* SubscriptionRef.make<StorageCondition>(
      short === undefined ? { _tag: "Writable" } : { _tag: "Blocked", reason: short.code }
    )
    const blocked = (reason: string) => SubscriptionRef.set(condition, { _tag: "Blocked", reason })
    const writable = SubscriptionRef.set(condition, { _tag: "Writable" })
    const work = Latch.makeUnsafe(false)
    const closing = Latch.makeUnsafe(false)
    let pending: Array<Append> = []
    let writing: ReadonlyArray<Append> = []
    let dead: StorageFailed | undefined

    const append = (events: ReadonlyArray<JournalEvent>): Effect.Effect<void, StorageFailed> =>
      Effect.suspend(() => {
        if (events.length === 0) return Effect.void
        const lines = events.map(lineOf)
        return Effect.callback<void, StorageFailed>((resume) => {
          if (dead !== undefined) return resume(Effect.fail(dead))
          pending.push({ events, lines, resume })
          if (pending.length === 1) work.openUnsafe()
        })
      })

    /** Waits until something is worth another try; at the end of all there is none. */
    const patience = Effect.fnUntraced(function* (code: string): Effect.fn.Return<void, StorageFailed> {
      yield* blocked(code)
      if (closing.isOpen()) return yield* blockedAtClose(segment.path, code)
      yield* Effect.raceFirst(Effect.sleep(retryMs), closing.await)
    })

    /** Writes at the good end of the file, as often as it takes; a part left by a refusal is cut before the next try. */
    const write = Effect.fnUntraced(function* (bytes: Uint8Array): Effect.fn.Return<void, StorageFailed> {
      for (;;) {
        const tried = yield* Effect.result(segment.write(bytes))
        if (Result.isSuccess(tried)) return
        const { code } = tried.failure
        if (!passing.has(code)) return yield* failedBy(tried.failure)
        if (full.has(code) && (yield* reserve.release)) yield* blocked(code)
        else yield* patience(code)
      }
    })

    /** Why the directory cannot be seen for now; nothing where it is there and ours. */
    const away = Effect.fnUntraced(function* (standing: Standing): Effect.fn.Return<string | undefined, StorageFailed> {
      if (standing._tag === "Fenced") return yield* failed("STATE_FENCED", standing.path, "a later runtime on this directory")
      if (standing._tag === "Replaced") return yield* failed("STATE_DIR_REPLACED", standing.path, standing.got)
      return standing._tag === "Away" ? standing.code : undefined
    })

    /** Returns once what was written is durable, under a name that is still ours. */
    const prove = Effect.fnUntraced(function* (): Effect.fn.Return<void, StorageFailed> {
      const [synced, standing] = yield* Effect.all([Effect.result(segment.datasync), segment.standing], { concurrency: "unbounded" })
      if (Result.isFailure(synced)) return yield* failedBy(synced.failure)
      for (let code = yield* away(standing); code !== undefined; code = yield* away(yield* segment.standing)) yield* patience(code)
    })

    const commit = Effect.fnUntraced(function* (batch: ReadonlyArray<Append>) {
      const proven = segment.length()
      let text = ""
      for (const { lines } of batch) {
        for (let i = 0; i < lines.length; i++) {
          seq += 1
          const line = encodeLine({ seq, epoch, proven, more: lines.length - 1 - i }, lines[i]!, chain)
          text += line.text
          chain = line.crc
        }
      }
      const bytes = Buffer.from(text)
      yield* write(bytes)
      yield* prove()
      segment.took(bytes)
      for (const { events } of batch) onDurable(events)
      for (const { resume } of batch) resume(Effect.void)
    })

    /** The next segment, made while nothing is pending in this one. What the disk refuses for now is tried again with the next batch. */
    const rotate = Effect.fnUntraced(function* (): Effect.fn.Return<void, StorageFailed> {
      const made = yield* Effect.result(next(segment.number + 1))
      if (Result.isFailure(made)) {
        const { code, path } = made.failure
        if (code === "EEXIST") return yield* failed("STATE_FENCED", path, "a later runtime on this directory")
        return passing.has(code) ? undefined : yield* failedBy(made.failure)
      }
      const fresh = made.success
      const birth: Birth = { proven: { seq, crc: chain }, unproven: [], sealed: segment.seal(), epoch }
      const born = yield* Effect.result(bear(fresh, birth))
      if (Result.isFailure(born)) {
        yield* fresh.close
        if (!passing.has(born.failure.code) || syncs.has(born.failure.operation)) return yield* failedBy(born.failure)
        return yield* Effect.catch(disk.remove(fresh.path), failedBy) // Left there it would fence us.
      }
      yield* segment.close
      segment = fresh
      chain = born.success.chain
      bornAtMs = yield* Clock.currentTimeMillis
      onSealed()
    })
    const ripe = (nowMs: number) => segment.length() > segmentBytes || (nowMs - bornAtMs >= segmentAgeMs && segment.grew())

    const writer = Effect.gen(function* () {
      while (true) {
        if (pending.length > 0) {
          writing = pending.splice(0, batchMax)
          yield* commit(writing)
          writing = []
          if (ripe(yield* Clock.currentTimeMillis)) yield* rotate()
          if (SubscriptionRef.getUnsafe(condition)._tag !== "Writable" && reserve.held() && (yield* reserve.room) === undefined)
            yield* writable
          continue
        }
        if (closing.isOpen()) return yield* failed("STATE_CLOSED", segment.path, "an append after the end")
        work.closeUnsafe()
        if (SubscriptionRef.getUnsafe(condition)._tag === "Writable") yield* work.await
        else {
          yield* Effect.raceFirst(Effect.sleep(retryMs), work.await)
          if (pending.length > 0) continue
          // Asked although nothing waits: what is never written to would never be missed.
          if ((yield* away(yield* segment.standing)) === undefined && (yield* reserve.room) === undefined) yield* writable
        }
      }
    }).pipe(
      Effect.catchDefect((defect) => failed("STORAGE_FAILED", segment.path, `a defect: ${String(defect)}`)),
      Effect.catch((failure: StorageFailed) =>
        Effect.gen(function* () {
          dead = failure
          if (failure.code !== "STATE_CLOSED")
            yield* SubscriptionRef.set(condition, {
              _tag: "Failed",
              reason: `${failure.code} at ${failure.where}: ${failure.got}`
            })
          for (const { resume } of [...writing, ...pending]) resume(Effect.fail(failure))
          pending = []
        })
      )
    )
    const fiber = yield* Effect.forkScoped(writer)
    yield* Effect.addFinalizer(() =>
      Effect.suspend(() => {
        closing.openUnsafe()
        work.openUnsafe()
        return Fiber.await(fiber)
      })
    )
    const refused = (code: string) =>
      Effect.suspend(() => {
        if (dead !== undefined || !passing.has(code) || SubscriptionRef.getUnsafe(condition)._tag !== "Writable") return Effect.void
        // In this order: woken before, the writer may look too early and wait for an append to look again.
        return Effect.andThen(
          blocked(code),
          Effect.sync(() => work.openUnsafe())
        )
      })
    return { append, condition: SubscriptionRef.changes(condition), refused, segment: () => segment.number }
  },
  (opening) => Effect.uninterruptible(opening)
)

interface Append {
  readonly events: ReadonlyArray<JournalEvent>
  readonly lines: ReadonlyArray<string>
  readonly resume: (answer: Effect.Effect<void, StorageFailed>) => void
}

/**
 * JSON writes what is no number as null, and a record that cannot be read refuses the next start. So an event with a null
 * in it is looked at closely, and a wrong one is a defect of its author, here and not then.
 */
const lineOf = (event: JournalEvent): string => {
  const json = JSON.stringify(event)
  if (json.includes(":null")) check(JSON.parse(json))
  return json
}
const check = Schema.decodeUnknownSync(JournalEvent)

/** Refusals that end by themselves or by a person's hand. All others, and any of a sync, end this writer. */
export const passing: ReadonlySet<string> = new Set([
  "ENOSPC",
  "EDQUOT",
  "EROFS",
  "EACCES",
  "EPERM",
  "ENOENT",
  "EMFILE",
  "ENFILE",
  "EAGAIN",
  "ENOMEM",
  "EINTR",
  "EBUSY",
  "EFBIG"
])
const syncs: ReadonlySet<string> = new Set(["datasync", "syncDir"])

const failedBy = ({ path, code, operation }: DiskError) => failed("STORAGE_FAILED", path, `${code} from ${operation}`)

const failed = (code: string, where: string, got: string) =>
  Effect.fail(
    new StorageFailed({
      code,
      where,
      got,
      retryable: false,
      want: "a durable append",
      fix: "look at the disk, then start again: what was acknowledged is kept"
    })
  )

const blockedAtClose = (where: string, code: string) =>
  Effect.fail(
    new StorageFailed({
      code: "STORAGE_BLOCKED",
      where,
      got: code,
      retryable: true,
      want: "a durable append",
      fix: "free the disk, then start again"
    })
  )
