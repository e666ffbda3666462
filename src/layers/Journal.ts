/**
 * The writer of the journal: one fiber, one segment, one `datasync` for whatever arrived during the one before.
 *
 * Nothing is acknowledged before its sync has returned and no later start has been seen. What the disk refuses is kept in
 * memory and tried again; a sync that failed is never repeated, since the system may forget what it failed to write.
 */
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Latch from "effect/Latch"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import type * as Stream from "effect/Stream"
import * as SubscriptionRef from "effect/SubscriptionRef"
import { join } from "node:path"
import { type DiskError, StorageFailed } from "../domain/Errors.ts"
import { JournalEvent } from "../domain/JournalEvent.ts"
import { encodeLine, format, hex, type SegmentHeader } from "../domain/JournalLine.ts"
import { Disk } from "./Disk.ts"
import { type Recovered, segmentName } from "./Recovery.ts"
import type { StorageCondition } from "./StateStore.ts"

export interface Journal {
  /**
   * Appends all of them as one: after a crash either all are there or none. Resolves when they are durable and were given
   * to `onDurable`. An interrupted caller stops waiting; what it appended goes on.
   */
  readonly append: (events: ReadonlyArray<JournalEvent>) => Effect.Effect<void, StorageFailed>
  readonly condition: Stream.Stream<StorageCondition>
}

/** How long a refused write waits before it is tried again, in milliseconds. */
export const retryMs = 1_000

/**
 * Opens the next segment, numbered and fenced by `epoch`, and writes into it what older ones cannot prove. `onDurable` is
 * called with the events of each batch, in order, before anybody who waits for them goes on. Closing the scope writes what
 * is pending, then refuses.
 */
export const open = Effect.fnUntraced(
  function* (
    directory: string,
    recovered: Recovered,
    epoch: number,
    onDurable: (events: ReadonlyArray<JournalEvent>) => void
  ): Effect.fn.Return<Journal, DiskError, Disk | Scope.Scope> {
    const disk = yield* Disk
    const folder = join(directory, "journal")
    const path = join(folder, segmentName(epoch))
    const successor = join(folder, segmentName(epoch + 1))
    const birth = born(recovered, epoch)
    const file = yield* disk.open(path, { create: true })
    yield* file.append(birth.bytes)
    yield* file.datasync
    yield* disk.syncDir(folder)

    const condition = yield* SubscriptionRef.make<StorageCondition>({ _tag: "Writable" })
    const work = Latch.makeUnsafe(false)
    const closing = Latch.makeUnsafe(false)
    let pending: Array<Append> = []
    let dead: StorageFailed | undefined
    let { seq, chain } = birth
    let length = birth.bytes.length

    const append = (events: ReadonlyArray<JournalEvent>): Effect.Effect<void, StorageFailed> =>
      Effect.suspend(() => {
        if (dead !== undefined) return Effect.fail(dead)
        if (events.length === 0) return Effect.void
        const one: Append = { events, lines: events.map(lineOf), done: Deferred.makeUnsafe() }
        pending.push(one)
        work.openUnsafe()
        return Deferred.await(one.done)
      })

    /** Writes at the good end of the file, as often as it takes; a part left by a refusal is cut before the next try. */
    const write = Effect.fnUntraced(function* (bytes: Uint8Array): Effect.fn.Return<void, StorageFailed> {
      let tried = yield* Effect.result(file.append(bytes))
      while (Result.isFailure(tried)) {
        const { code, operation } = tried.failure
        if (!passing.has(code)) return yield* failed("STORAGE_FAILED", path, `${code} from ${operation}`)
        yield* SubscriptionRef.set(condition, { _tag: "Blocked", reason: code })
        if (closing.isOpen()) return yield* blockedAtClose(path, code)
        yield* Effect.raceFirst(Effect.sleep(retryMs), closing.await)
        tried = yield* Effect.result(Effect.andThen(file.truncate(length), file.append(bytes)))
      }
    })

    /**
     * One sync for the whole batch. Meanwhile two names are looked up: only a later start makes the segment after ours, and
     * where ours has no name any more, what we write is kept for nobody.
     */
    const prove = Effect.fnUntraced(function* (): Effect.fn.Return<void, StorageFailed> {
      const proof = yield* Effect.result(Effect.all([file.datasync, disk.stat(path), disk.stat(successor)], { concurrency: "unbounded" }))
      if (Result.isFailure(proof)) return yield* failed("STORAGE_FAILED", path, `${proof.failure.code} from ${proof.failure.operation}`)
      const [, present, later] = proof.success
      if (later !== undefined) return yield* failed("STATE_FENCED", successor, "a later runtime on this directory")
      if (present === undefined) return yield* failed("STATE_DIR_REPLACED", path, "no such file")
    })

    const commit = Effect.fnUntraced(function* (batch: ReadonlyArray<Append>) {
      const proven = seq
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
      length += bytes.length
      for (const { events } of batch) onDurable(events)
      for (const { done } of batch) Deferred.doneUnsafe(done, Effect.void)
      if (SubscriptionRef.getUnsafe(condition)._tag !== "Writable") yield* SubscriptionRef.set(condition, { _tag: "Writable" })
    })

    const writer = Effect.gen(function* () {
      while (true) {
        if (pending.length === 0) {
          if (closing.isOpen()) return yield* failed("STATE_CLOSED", path, "an append after the end")
          work.closeUnsafe()
          yield* work.await
          continue
        }
        const batch = pending
        pending = []
        yield* Effect.onError(commit(batch), () =>
          Effect.sync(() => {
            pending = [...batch, ...pending]
          })
        )
      }
    }).pipe(
      Effect.catchDefect((defect) => failed("STORAGE_FAILED", path, `a defect: ${String(defect)}`)),
      Effect.catch((failure: StorageFailed) =>
        Effect.gen(function* () {
          dead = failure
          if (failure.code !== "STATE_CLOSED") yield* SubscriptionRef.set(condition, { _tag: "Failed", reason: failure.got })
          for (const { done } of pending) Deferred.doneUnsafe(done, Effect.fail(failure))
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
    return { append, condition: SubscriptionRef.changes(condition) }
  },
  (opening) => Effect.uninterruptible(opening)
)

interface Append {
  readonly events: ReadonlyArray<JournalEvent>
  readonly lines: ReadonlyArray<string>
  readonly done: Deferred.Deferred<void, StorageFailed>
}

/** The first append of a segment: its header, and the records that no older one proves, under this epoch. */
const born = ({ proven, unproven }: Recovered, epoch: number) => {
  const header: SegmentHeader = { product: "holdfast", format, segment: epoch, epoch, after: proven.seq, chain: hex(proven.crc) }
  const of = (seq: number, json: string, previous: number) =>
    encodeLine({ seq, epoch, proven: proven.seq, more: proven.seq + unproven.length - seq }, json, previous)
  let { text, crc: chain } = of(proven.seq, JSON.stringify(header), 0)
  for (const [i, json] of unproven.entries()) {
    const line = of(proven.seq + 1 + i, json, chain)
    text += line.text
    chain = line.crc
  }
  return { bytes: Buffer.from(text), seq: proven.seq + unproven.length, chain }
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
const passing: ReadonlySet<string> = new Set([
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
