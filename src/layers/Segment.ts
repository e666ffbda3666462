/** One segment of the journal while it is written: where its good end is, what it holds so far, and whether it is still ours. */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Result from "effect/Result"
import * as Scope from "effect/Scope"
import { createHash, type Hash } from "node:crypto"
import { join } from "node:path"
import type { DiskError } from "../domain/Errors.ts"
import { encodeLine, format, hex, type Seal, type SegmentHeader } from "../domain/JournalLine.ts"
import type { Place } from "../domain/JournalReading.ts"
import { Disk, same } from "./Disk.ts"
import { segmentName, segmentsIn } from "./Recovery.ts"

export interface OpenSegment {
  readonly number: number
  readonly path: string
  /** Writes behind the last bytes that were taken; what an earlier try left there is cut first. */
  readonly write: (bytes: Uint8Array) => Effect.Effect<void, DiskError>
  readonly datasync: Effect.Effect<void, DiskError>
  /** These bytes, written last, are durable. */
  readonly took: (bytes: Uint8Array) => void
  readonly length: () => number
  /** Whether anything was taken since its birth. */
  readonly grew: () => boolean
  /** What it holds. */
  readonly seal: () => Seal
  readonly standing: Effect.Effect<Standing>
  readonly close: Effect.Effect<void>
}

/** Whether what is written into a segment is kept for us: the file has to have its name, and be the last one. */
export type Standing =
  | { readonly _tag: "Ours" }
  /** The directory cannot be seen: moved away, unmounted, or closed to us. It may come back. */
  | { readonly _tag: "Away"; readonly code: string }
  /** A later start has made the next segment. */
  | { readonly _tag: "Fenced"; readonly path: string }
  /** The name stands for something else, or for nothing in a folder that is still ours. */
  | { readonly _tag: "Replaced"; readonly path: string; readonly got: string }

/** Makes an empty segment, and its name durable. Fails with EEXIST where a later start was quicker. */
export const create = Effect.fnUntraced(function* (directory: string, number: number): Effect.fn.Return<OpenSegment, DiskError, Disk> {
  const disk = yield* Disk
  const folder = join(directory, "journal")
  const path = join(folder, segmentName(number))
  const successor = join(folder, segmentName(number + 1))
  const scope = yield* Scope.make()
  const file = yield* Scope.provide(disk.open(path, { create: true }), scope)
  const made = yield* Effect.result(Effect.andThen(disk.syncDir(folder), Effect.all([disk.stat(path), disk.stat(folder)] as const)))
  if (Result.isFailure(made)) {
    yield* Scope.close(scope, Exit.void)
    yield* Effect.ignore(disk.remove(path))
    return yield* made.failure
  }
  const [itself, itsFolder] = made.success
  const hash: Hash = createHash("sha256")
  let length = 0
  let born = 0
  let clean = true

  const standing = Effect.gen(function* (): Effect.fn.Return<Standing> {
    const [present, later] = yield* Effect.all([Effect.result(disk.stat(path)), Effect.result(disk.stat(successor))], {
      concurrency: "unbounded"
    })
    if (Result.isSuccess(later) && later.success !== undefined) return { _tag: "Fenced", path: successor }
    if (Result.isFailure(present)) return { _tag: "Away", code: present.failure.code }
    if (Result.isFailure(later)) return { _tag: "Away", code: later.failure.code }
    if (same(present.success, itself)) return { _tag: "Ours" }
    if (present.success !== undefined) return { _tag: "Replaced", path, got: "another file" }
    const around = yield* Effect.result(disk.stat(folder))
    if (Result.isFailure(around)) return { _tag: "Away", code: around.failure.code }
    if (around.success === undefined) {
      const [home, named] = [yield* Effect.result(disk.stat(directory)), yield* Effect.result(file.named)]
      if (Result.isSuccess(home) && home.success?.link === true) return { _tag: "Replaced", path: directory, got: "a link" }
      return Result.isSuccess(named) && !named.success
        ? { _tag: "Replaced", path: directory, got: "nothing: it was deleted" } // What is deleted does not come back.
        : { _tag: "Away", code: "ENOENT" }
    }
    if (!same(around.success, itsFolder)) return { _tag: "Replaced", path, got: "another directory" }
    const again = yield* Effect.result(disk.stat(path)) // The directory may have come back between the two looks.
    return Result.isSuccess(again) && same(again.success, itself) ? { _tag: "Ours" } : { _tag: "Replaced", path, got: "no such file" }
  })

  return {
    number,
    path,
    write: (bytes) =>
      Effect.suspend(() => {
        const writing = clean ? file.append(bytes) : Effect.andThen(file.truncate(length), file.append(bytes))
        clean = false
        return writing
      }),
    datasync: file.datasync,
    took: (bytes) => {
      hash.update(bytes)
      if (length === 0) born = bytes.length
      length += bytes.length
      clean = true
    },
    length: () => length,
    grew: () => length > born,
    seal: () => ({ segment: number, bytes: length, sha256: hash.copy().digest("hex") }),
    standing,
    close: Scope.close(scope, Exit.void)
  }
})

/**
 * The segment after all others, empty. From the moment it is there an older runtime acknowledges nothing more, so what is
 * read of its segments afterwards is all that it ever acknowledged.
 */
export const fence = Effect.fnUntraced(function* (directory: string): Effect.fn.Return<OpenSegment, DiskError, Disk> {
  const disk = yield* Disk
  for (;;) {
    const folder = join(directory, "journal")
    const last = segmentsIn(yield* disk.list(folder)).at(-1) ?? 0
    yield* disk.syncDir(folder) // An older writer may just have made that name: lost in a crash, it would be a gap before ours.
    const made = yield* Effect.result(create(directory, last + 1))
    if (Result.isSuccess(made)) return made.success
    if (made.failure.code !== "EEXIST") return yield* made.failure // Else the older one has just begun it: ours is the next.
  }
})

/** What a segment begins with. */
export interface Birth {
  readonly proven: Place
  readonly unproven: ReadonlyArray<string>
  readonly sealed: Seal | undefined
  readonly epoch: number
}

/** Writes the header and the records that no older segment proves, under this epoch, as one append, and makes them durable. */
export const bear = Effect.fnUntraced(function* (segment: OpenSegment, { proven, unproven, sealed, epoch }: Birth) {
  const header: SegmentHeader = {
    product: "holdfast",
    format,
    segment: segment.number,
    epoch,
    after: proven.seq,
    chain: hex(proven.crc),
    sealed: sealed ?? null
  }
  const of = (seq: number, json: string, previous: number) =>
    encodeLine({ seq, epoch, proven: 0, more: proven.seq + unproven.length - seq }, json, previous)
  let { text, crc: chain } = of(proven.seq, JSON.stringify(header), 0)
  for (const [i, json] of unproven.entries()) {
    const line = of(proven.seq + 1 + i, json, chain)
    text += line.text
    chain = line.crc
  }
  const bytes = Buffer.from(text)
  yield* segment.write(bytes)
  yield* segment.datasync
  segment.took(bytes)
  return { seq: proven.seq + unproven.length, chain }
})
