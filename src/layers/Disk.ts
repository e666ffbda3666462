/**
 * The few operations that the state service needs of a disk, with what each one promises.
 *
 * Data is durable once `datasync` of its file has returned; a name is durable once `syncDir` of its folder has. Nothing
 * else may be assumed. Paths are absolute. The real disk and the one in memory pass one suite: `test/contracts/disk.ts`.
 */
import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import type { DiskError } from "../domain/Errors.ts"
import { diskMemory, type DiskMemory } from "./DiskMemory.ts"
import { diskNode } from "./DiskNode.ts"

/** A file open for appending. Closed with the scope that opened it. */
export interface OpenFile {
  /** Writes all of it at the end, or fails; after a failure some part may be there (see `truncate`). */
  readonly append: (bytes: Uint8Array) => Effect.Effect<void, DiskError>
  readonly truncate: (length: number) => Effect.Effect<void, DiskError>
  /** Returns once every byte written before is durable. After a failure nothing more may be believed of this file. */
  readonly datasync: Effect.Effect<void, DiskError>
  /** Whether it has a name anywhere. What is in a file without one is lost when it is closed. */
  readonly named: Effect.Effect<boolean, DiskError>
}

export interface Stat {
  readonly bytes: number
  readonly modifiedAtMs: number
  /** Two names of the same number, at the same time and on the same device, are one file. */
  readonly inode: number
  readonly device: number
  /** The name is a symbolic link. */
  readonly link: boolean
}

/** Whether both are there and one file or folder: a disk mounted in the place of another one begins with the same numbers. */
export const same = (one: Stat | undefined, other: Stat | undefined): boolean =>
  one !== undefined && one.inode === other?.inode && one.device === other.device

export class Disk extends Context.Service<
  Disk,
  {
    /** Opens for appending; `create` demands that the file is new (0600). */
    readonly open: (path: string, options: { readonly create: boolean }) => Effect.Effect<OpenFile, DiskError, Scope.Scope>
    readonly read: (path: string) => Effect.Effect<Uint8Array, DiskError>
    /** Writes a whole new file (0600), not yet durable. Fails if it exists. */
    readonly write: (path: string, bytes: Uint8Array) => Effect.Effect<void, DiskError>
    /** Replaces `to` in one step for every reader. */
    readonly rename: (from: string, to: string) => Effect.Effect<void, DiskError>
    readonly remove: (path: string) => Effect.Effect<void, DiskError>
    /** Removes a folder and everything below it; one that is not there is gone already. */
    readonly removeTree: (folder: string) => Effect.Effect<void, DiskError>
    /** Names in a folder, sorted; a folder that does not exist has none. */
    readonly list: (folder: string) => Effect.Effect<ReadonlyArray<string>, DiskError>
    /** Makes a folder and its parents (0700). */
    readonly makeDir: (folder: string) => Effect.Effect<void, DiskError>
    readonly syncDir: (folder: string) => Effect.Effect<void, DiskError>
    /** Sets a file's modification time, in milliseconds since the Unix epoch. */
    readonly touch: (path: string, modifiedAtMs: number) => Effect.Effect<void, DiskError>
    /** What a name stands for now, links not followed; nothing where it stands for nothing. */
    readonly stat: (path: string) => Effect.Effect<Stat | undefined, DiskError>
    /** The tree is in memory of this process: no lock of the system guards it, and none is needed. */
    readonly simulated?: true
  }
>()("holdfast/layers/Disk") {
  /** The disk of this machine. */
  static readonly layerNode: Layer.Layer<Disk> = Layer.sync(Disk, () => diskNode)

  /** An empty disk in memory, each time it is built. */
  static readonly layerMemory: Layer.Layer<Disk> = Layer.sync(Disk, () => diskMemory().disk)

  /** A disk in memory to keep: build store after store on its layer as restarts do, look at its files, make it fail. */
  static memory(): DiskMemory & { readonly layer: Layer.Layer<Disk> } {
    const memory = diskMemory()
    return { ...memory, layer: Layer.succeed(Disk, memory.disk) }
  }
}
