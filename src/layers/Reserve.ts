/**
 * Room that is ours: a file of `reserve` bytes beside the journal. On a full disk it is given up, so that what runs can
 * still be put on record, and that the disk is full. The disk counts as full until the file is back.
 */
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import { randomFillSync } from "node:crypto"
import { join } from "node:path"
import type { DiskError } from "../domain/Errors.ts"
import { Disk } from "./Disk.ts"

export interface Reserve {
  /** Gives the room up. False where there is none to give. */
  readonly release: Effect.Effect<boolean>
  /** Takes the room again, if there is a quarter more than that; what the disk said, if not. */
  readonly restore: Effect.Effect<DiskError | undefined>
  /** The same, and where the room is held, whether the disk takes a new file: it may be out of inodes. */
  readonly room: Effect.Effect<DiskError | undefined>
  readonly held: () => boolean
}

/** Enough for a hundred results of usual size and the words about the disk, in bytes. */
export const reserveBytes = 1_048_576

/** Refusals that giving up the reserve may end. */
export const full: ReadonlySet<string> = new Set(["ENOSPC", "EDQUOT"])

/** The reserve of a state directory as it is found: `restore` makes one where there is none. */
export const reserveOf = Effect.fnUntraced(function* (
  directory: string,
  size: number = reserveBytes
): Effect.fn.Return<Reserve, never, Disk> {
  const disk = yield* Disk
  const path = join(directory, "reserve")
  const found = yield* Effect.result(disk.stat(path))
  let held = Result.isSuccess(found) && (found.success?.bytes ?? 0) >= size

  const release = Effect.gen(function* () {
    const given = held
    held = false // First: what refuses the removal may ask for the room itself.
    return given && Result.isSuccess(yield* Effect.result(disk.remove(path)))
  })

  const restore = Effect.gen(function* () {
    if (held) return undefined
    yield* Effect.ignore(disk.remove(path)) // A part that the full disk left.
    const tried = yield* Effect.result(
      Effect.scoped(
        Effect.gen(function* () {
          const file = yield* disk.open(path, { create: true })
          yield* file.append(noise(size + size / 4)) // Noise: a disk that compresses would keep no room for zeros.
          yield* file.datasync
          yield* file.truncate(size)
        })
      )
    )
    held = Result.isSuccess(tried)
    if (Result.isSuccess(tried)) return undefined
    yield* Effect.ignore(disk.remove(path))
    return tried.failure
  })

  const trial = join(directory, ".draft-0000000000000000")
  const probe = Effect.gen(function* () {
    yield* Effect.ignore(disk.remove(trial))
    const tried = yield* Effect.result(disk.write(trial, noise(1)))
    yield* Effect.ignore(disk.remove(trial))
    return Result.isSuccess(tried) ? undefined : tried.failure
  })

  return { release, restore, room: Effect.suspend(() => (held ? probe : restore)), held: () => held }
})

const noise = (bytes: number): Uint8Array => randomFillSync(new Uint8Array(Math.ceil(bytes)))
