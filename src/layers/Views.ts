/**
 * Files that people and monitors read: each is derived, replaced whole, and can be deleted.
 *
 * A view's bytes are durable before it takes its name, so that no power cut leaves an empty one. Its name is not: the old
 * view may be back then, and the next start writes it anew. A draft is named at random and beside its view; what a crash
 * leaves of one is removed at the next start and never read.
 */
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Latch from "effect/Latch"
import * as Random from "effect/Random"
import * as Result from "effect/Result"
import type * as Scope from "effect/Scope"
import { dirname, join } from "node:path"
import type { DiskError } from "../domain/Errors.ts"
import type { Ledger } from "../domain/Ledger.ts"
import { statusLine } from "../domain/Status.ts"
import { Disk } from "./Disk.ts"

/** Replaces a file whole: readers see the old one or the new one, never a part. `modifiedAtMs` becomes its modification time. */
export const replace = Effect.fnUntraced(function* (
  path: string,
  text: string,
  modifiedAtMs?: number
): Effect.fn.Return<void, DiskError, Disk> {
  const disk = yield* Disk
  const draft = join(dirname(path), `.draft-${yield* randomName}`)
  const bytes = Buffer.from(text)
  const write = Effect.scoped(
    Effect.gen(function* () {
      const file = yield* disk.open(draft, { create: true })
      yield* file.append(bytes)
      yield* file.datasync
    })
  )
  yield* write.pipe(
    Effect.catchIf(
      (error) => error.code === "ENOENT",
      () => Effect.andThen(disk.makeDir(dirname(path)), write)
    ),
    Effect.andThen(modifiedAtMs === undefined ? Effect.void : disk.touch(draft, modifiedAtMs)),
    Effect.andThen(disk.rename(draft, path)),
    Effect.tapError(() => Effect.ignore(disk.remove(draft))),
    Effect.uninterruptible
  )
})

/** Removes the drafts that a crash left in these folders. */
export const sweep = Effect.fnUntraced(function* (folders: ReadonlyArray<string>) {
  const disk = yield* Disk
  for (const folder of folders) {
    const drafts = (yield* Effect.orElseSucceed(disk.list(folder), () => [])).filter((name) => draftRule.test(name))
    yield* Effect.forEach(drafts, (name) => Effect.ignore(disk.remove(join(folder, name))), { discard: true })
  }
})

export interface StatusFiles {
  /** The skill's line has changed: its file will be replaced. Costs the caller nothing. */
  readonly changed: (skill: string) => void
  /** Returns once every change up to now has been written, or tried. */
  readonly flushed: Effect.Effect<void>
  /** The disk takes files again: those that it refused are written now. */
  readonly again: Effect.Effect<void>
}

/** Kept by nobody. */
export const noStatusFiles: StatusFiles = { changed: () => {}, flushed: Effect.void, again: Effect.void }

/**
 * The status file of each skill, `<folder>/<skill>.txt`, kept as the ledger has it. Files that are missing or different at
 * the start are made anew. One fiber writes; of several changes of one skill it sees the last. A file that cannot be
 * written is logged and tried again with any change, after half a minute, and at the next start.
 */
export const statusFiles = Effect.fnUntraced(function* (
  folder: string,
  ledger: Ledger
): Effect.fn.Return<StatusFiles, never, Disk | Scope.Scope> {
  const disk = yield* Disk
  const work = Latch.makeUnsafe(false)
  let changed = new Set<string>()
  let refused = new Set<string>()
  let waiting: Array<Deferred.Deferred<void>> = []

  const write = Effect.fnUntraced(
    function* (skill: string) {
      const record = ledger.skills.get(skill)
      const line = record && statusLine(record)
      if (line === undefined) return
      yield* Effect.tapError(replace(join(folder, `${skill}.txt`), line, record?.last?.settled?.atMs), () =>
        Effect.sync(() => refused.add(skill))
      )
    },
    (effect, skill) => logged(effect, `${skill}.txt`)
  )

  const pass = Effect.gen(function* () {
    yield* refused.size === 0 ? work.await : Effect.raceFirst(work.await, Effect.sleep(againMs))
    work.closeUnsafe()
    const [skills, served] = [new Set([...refused, ...changed]), waiting]
    refused = new Set()
    changed = new Set()
    waiting = []
    yield* Effect.forEach(skills, write, { concurrency: 2, discard: true })
    for (const waiter of served) Deferred.doneUnsafe(waiter, Effect.void)
  })

  for (const record of ledger.skills.values()) {
    const line = statusLine(record)
    if (line === undefined) continue
    const path = join(folder, `${record.name}.txt`)
    const [text, stat] = [yield* Effect.result(disk.read(path)), yield* Effect.result(disk.stat(path))]
    const same =
      Result.isSuccess(text) &&
      Buffer.from(text.success).toString("utf8") === line &&
      Result.isSuccess(stat) &&
      stat.success?.modifiedAtMs === record.last?.settled?.atMs
    if (!same) yield* write(record.name)
  }
  yield* Effect.forkScoped(Effect.forever(pass))

  const flushed = Effect.suspend(() => {
    const waiter = Deferred.makeUnsafe<void>()
    waiting.push(waiter)
    work.openUnsafe()
    return Deferred.await(waiter)
  })
  yield* Effect.addFinalizer(() => flushed)
  return {
    flushed,
    again: Effect.sync(() => {
      if (refused.size > 0) work.openUnsafe()
    }),
    changed: (skill) => {
      changed.add(skill)
      work.openUnsafe()
    }
  }
})

/** A view that cannot be written is no failure of anybody's work: the journal has the fact. */
export const logged = <R>(replacing: Effect.Effect<void, DiskError, R>, view: string): Effect.Effect<void, never, R> =>
  Effect.catch(replacing, ({ code, operation }) =>
    Effect.logWarning("A view could not be written and keeps its old text", { view, code, operation })
  )

const againMs = 30_000

const draftRule = /^\.draft-[0-9a-f]{16}$/

const randomName = Effect.map(Effect.all([Random.nextIntBetween(0, 0xffff_ffff), Random.nextIntBetween(0, 0xffff_ffff)]), (halves) =>
  halves.map((half) => half.toString(16).padStart(8, "0")).join("")
)
