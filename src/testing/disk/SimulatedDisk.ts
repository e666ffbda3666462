/** A disk in memory that knows what a crash would leave of it, and crashes, fills up and fails to sync when told to. */
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import { DiskError } from "../../domain/Errors.ts"
import type { Disk, OpenFile, Stat } from "../../layers/Disk.ts"
import { type DiskMemory, diskMemory } from "../../layers/DiskMemory.ts"
import { Durability, type Image } from "./Durability.ts"

export interface SimulatedDisk {
  readonly disk: Disk["Service"]
  readonly durability: Durability
  /** Files and folders as a running program sees them. */
  readonly memory: DiskMemory
  /** The `n`-th call from now on, of those that change something, is refused with this code; a write leaves half of its bytes. */
  readonly refuse: (n: number, code: string) => void
  /** The `n`-th sync of a file from now on fails, and what it was to keep is forgotten though it can be read. */
  readonly failSync: (n: number) => void
}

/**
 * Begins with what a crash left, or empty. `onChange` is called after each call that changes what a crash would leave;
 * `pieceBytes` survive or vanish together, a sector's unless given.
 */
export const simulatedDisk = (from?: Image, onChange: () => void = () => {}, pieceBytes?: number): SimulatedDisk => {
  const memory = diskMemory()
  const durability = new Durability(pieceBytes)
  const { disk } = memory
  let refusal: { left: number; readonly code: string } | undefined
  let syncFailure = 0

  const statOf = (path: string) => Effect.map(Effect.orDie(disk.stat(path)), (stat) => stat!)
  const refused = (operation: string, path: string) =>
    Effect.suspend(() => {
      if (refusal === undefined || --refusal.left > 0) return Effect.void
      const { code } = refusal
      refusal = undefined
      return new DiskError({ operation, path, code })
    })
  const noted = (note: () => void) =>
    Effect.sync(() => {
      note()
      onChange()
    })

  const handle = (path: string, file: OpenFile, { inode, bytes: lengthNow }: Stat): OpenFile => {
    let length = lengthNow
    const written = (bytes: Uint8Array) =>
      Effect.tap(file.append(bytes), () =>
        noted(() => {
          durability.wrote(inode, length, bytes)
          length += bytes.length
        })
      )
    return {
      named: file.named,
      append: (bytes) =>
        Effect.catch(Effect.andThen(refused("append", path), written(bytes)), (error) =>
          Effect.andThen(written(bytes.subarray(0, bytes.length >> 1)), Effect.fail(error))
        ),
      truncate: (to) =>
        Effect.andThen(
          refused("truncate", path),
          Effect.tap(file.truncate(to), () =>
            noted(() => {
              durability.truncated(inode, to)
              length = Math.min(length, to)
            })
          )
        ),
      datasync: Effect.suspend(() => {
        if (syncFailure > 0 && --syncFailure === 0) {
          return Effect.andThen(
            noted(() => durability.forgot(inode)),
            Effect.fail(new DiskError({ operation: "datasync", path, code: "EIO" }))
          )
        }
        return Effect.andThen(
          file.datasync,
          noted(() => durability.synced(inode))
        )
      })
    }
  }

  const parents = (folder: string): ReadonlyArray<string> =>
    folder === "/" ? [] : [...parents(folder.slice(0, folder.lastIndexOf("/")) || "/"), folder]

  const simulated: Disk["Service"] = {
    ...disk,
    open: (path, options) =>
      Effect.gen(function* () {
        if (options.create) yield* refused("open", path)
        const file = yield* disk.open(path, options)
        const stat = yield* statOf(path)
        if (options.create) yield* noted(() => durability.created(path, stat.inode))
        return handle(path, file, stat)
      }),
    write: (path, bytes) =>
      Effect.gen(function* () {
        yield* refused("write", path)
        yield* disk.write(path, bytes)
        const { inode } = yield* statOf(path)
        yield* noted(() => {
          durability.created(path, inode)
          durability.wrote(inode, 0, bytes)
        })
      }),
    rename: (from, to) =>
      Effect.gen(function* () {
        yield* refused("rename", to)
        const inode = Result.getOrUndefined(yield* Effect.result(disk.stat(from)))?.inode
        yield* disk.rename(from, to)
        yield* noted(() => durability.renamed(from, to, inode!))
      }),
    remove: (path) => Effect.tap(disk.remove(path), () => noted(() => durability.removed(path))),
    makeDir: (folder) =>
      Effect.gen(function* () {
        yield* disk.makeDir(folder)
        for (const path of parents(folder)) yield* noted(() => durability.madeFolder(path))
      }),
    syncDir: (folder) =>
      Effect.andThen(
        disk.syncDir(folder),
        noted(() => durability.syncedFolder(folder))
      ),
    removeTree: (folder) =>
      Effect.gen(function* () {
        const inside = [...memory.files().keys()].filter((path) => path.startsWith(`${folder}/`))
        for (const path of inside) yield* simulated.remove(path)
        yield* disk.removeTree(folder)
      })
  }

  if (from !== undefined) plant(memory, durability, from, parents)
  return {
    disk: simulated,
    durability,
    memory,
    refuse: (left, code) => {
      refusal = { left, code }
    },
    failSync: (n) => {
      syncFailure = n
    }
  }
}

/** What survived a crash is there for good. */
const plant = (memory: DiskMemory, durability: Durability, image: Image, parents: (folder: string) => ReadonlyArray<string>): void => {
  for (const folder of image.folders) {
    Effect.runSync(Effect.ignore(memory.disk.makeDir(folder)))
    for (const path of parents(folder)) durability.madeFolder(path)
  }
  for (const [path, bytes] of image.files) {
    memory.put(path, bytes)
    const inode = Effect.runSync(memory.disk.stat(path))!.inode
    durability.created(path, inode)
    durability.wrote(inode, 0, bytes)
    durability.synced(inode)
  }
  for (const folder of image.folders) durability.syncedFolder(folder)
}
