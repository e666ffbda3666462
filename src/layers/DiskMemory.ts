/** A disk in memory: a tree that outlives the stores built on it, can be looked at, and fails when told to. */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import { posix } from "node:path"
import { DiskError } from "../domain/Errors.ts"
import type { Disk, OpenFile } from "./Disk.ts"

/** What can be made to fail. */
export type DiskOperation = keyof OpenFile | Exclude<keyof Disk["Service"], "simulated">

export interface DiskMemory {
  readonly disk: Disk["Service"]
  /** A copy of every file, by path. */
  readonly files: () => Map<string, Buffer>
  /** Puts a file there whatever was there before, as somebody else's hand would. */
  readonly put: (path: string, content: Uint8Array | string) => void
  /** The next call of the operation fails with this code; a failing `append` leaves half of its bytes. */
  readonly failNext: (operation: DiskOperation, code: string) => void
  /** Every call of the operation fails with this code until `heal`. */
  readonly fail: (operation: DiskOperation, code: string) => void
  readonly heal: () => void
}

export const diskMemory = (): DiskMemory => {
  const tree = new Map<string, File | Folder>([["/", new Folder()]])
  const once = new Map<DiskOperation, string>()
  const always = new Map<DiskOperation, string>()

  const step = <A>(operation: DiskOperation, path: string, work: (atMs: number) => A, broken?: (atMs: number) => void) =>
    Effect.flatMap(Clock.currentTimeMillis, (atMs) => {
      const code = once.get(operation) ?? always.get(operation)
      once.delete(operation)
      if (code !== undefined) broken?.(atMs)
      const answer = code === undefined ? work(atMs) : new Refusal(code)
      return answer instanceof Refusal
        ? Effect.fail(new DiskError({ operation, path, code: answer.code }))
        : Effect.succeed(answer as Exclude<A, Refusal>)
    })

  const fileAt = (path: string): File | Refusal => {
    const found = tree.get(path)
    if (found instanceof File) return found
    return new Refusal(found !== undefined ? "EISDIR" : tree.get(posix.dirname(path)) instanceof File ? "ENOTDIR" : "ENOENT")
  }

  const link = <Node extends File | Folder>(path: string, node: Node): Node => {
    ;(tree.get(posix.dirname(path)) as Folder).names.add(posix.basename(path))
    tree.set(path, node)
    return node
  }

  const unlink = (path: string): undefined => {
    ;(tree.get(posix.dirname(path)) as Folder).names.delete(posix.basename(path))
    tree.delete(path)
  }

  const create = (path: string, atMs: number): File | Refusal => {
    const parent = tree.get(posix.dirname(path))
    if (!(parent instanceof Folder)) return new Refusal(parent === undefined ? "ENOENT" : "ENOTDIR")
    return tree.has(path) ? new Refusal("EEXIST") : link(path, new File(atMs))
  }

  const handle = (path: string, file: File): OpenFile => ({
    append: (bytes) =>
      step(
        "append",
        path,
        (atMs) => file.append(bytes, atMs),
        (atMs) => file.append(bytes.subarray(0, bytes.length >> 1), atMs)
      ),
    truncate: (length) => step("truncate", path, (atMs) => file.truncate(length, atMs)),
    datasync: step("datasync", path, () => undefined),
    named: step("named", path, () => [...tree.values()].includes(file))
  })

  const makeDir = (folder: string): undefined | Refusal => {
    const found = tree.get(folder)
    if (found !== undefined) return found instanceof Folder ? undefined : new Refusal("EEXIST")
    const above = makeDir(posix.dirname(folder))
    if (above !== undefined) return above.code === "EEXIST" ? new Refusal("ENOTDIR") : above
    link(folder, new Folder())
    return undefined
  }

  const disk: Disk["Service"] = {
    simulated: true,
    open: (path, options) =>
      step("open", path, (atMs) => {
        const file = options.create ? create(path, atMs) : fileAt(path)
        return file instanceof Refusal ? file : handle(path, file)
      }),
    read: (path) =>
      step("read", path, () => {
        const file = fileAt(path)
        return file instanceof Refusal ? file : file.copy()
      }),
    write: (path, bytes) =>
      step("write", path, (atMs) => {
        const file = create(path, atMs)
        return file instanceof Refusal ? file : file.append(bytes, atMs)
      }),
    rename: (from, to) =>
      step("rename", to, () => {
        const file = fileAt(from)
        if (file instanceof Refusal) return file
        if (!(tree.get(posix.dirname(to)) instanceof Folder)) return new Refusal("ENOENT")
        if (tree.get(to) instanceof Folder) return new Refusal("EISDIR")
        unlink(from)
        link(to, file)
        return undefined
      }),
    remove: (path) =>
      step("remove", path, () => {
        const file = fileAt(path)
        return file instanceof Refusal ? file : unlink(path)
      }),
    removeTree: (folder) =>
      step("removeTree", folder, () => {
        for (const path of [...tree.keys()].filter((path) => path === folder || path.startsWith(`${folder}/`)).reverse()) unlink(path)
      }),
    list: (folder) =>
      step("list", folder, () => {
        const found = tree.get(folder)
        return found instanceof File ? new Refusal("ENOTDIR") : [...(found?.names ?? [])].sort()
      }),
    makeDir: (folder) => step("makeDir", folder, () => makeDir(folder)),
    syncDir: (folder) => step("syncDir", folder, () => (tree.get(folder) instanceof Folder ? undefined : new Refusal("ENOENT"))),
    touch: (path, modifiedAtMs) =>
      step("touch", path, () => {
        const file = fileAt(path)
        if (file instanceof Refusal) return file
        file.modifiedAtMs = modifiedAtMs
        return undefined
      }),
    stat: (path) =>
      step("stat", path, () => {
        const found = tree.get(path)
        if (found === undefined) return undefined
        const { inode } = found
        return found instanceof File
          ? { bytes: found.length, modifiedAtMs: found.modifiedAtMs, inode, device: 0, link: false }
          : { bytes: 0, modifiedAtMs: 0, inode, device: 0, link: false }
      })
  }

  return {
    disk,
    files: () => new Map([...tree].flatMap(([path, file]) => (file instanceof Folder ? [] : [[path, file.copy()] as const]))),
    put: (path, content) => {
      makeDir(posix.dirname(path))
      const file = new File(0)
      file.append(Buffer.from(content), 0)
      link(path, file)
    },
    failNext: (operation, code) => once.set(operation, code),
    fail: (operation, code) => always.set(operation, code),
    heal: () => {
      once.clear()
      always.clear()
    }
  }
}

/** What the system would say instead of doing it. */
class Refusal {
  readonly code: string
  constructor(code: string) {
    this.code = code
  }
}

let inodes = 0

class Folder {
  readonly inode = ++inodes
  readonly names = new Set<string>()
}

class File {
  readonly inode = ++inodes
  length = 0
  modifiedAtMs: number
  #bytes = Buffer.alloc(256)
  constructor(modifiedAtMs: number) {
    this.modifiedAtMs = modifiedAtMs
  }
  append(bytes: Uint8Array, atMs: number): undefined {
    if (this.length + bytes.length > this.#bytes.length) {
      const roomier = Buffer.alloc(2 * (this.length + bytes.length))
      this.#bytes.copy(roomier, 0, 0, this.length)
      this.#bytes = roomier
    }
    this.#bytes.set(bytes, this.length)
    this.length += bytes.length
    this.modifiedAtMs = atMs
  }
  truncate(length: number, atMs: number): undefined {
    this.#bytes.fill(0, Math.min(length, this.length))
    this.length = Math.min(length, this.length)
    this.modifiedAtMs = atMs
  }
  copy(): Buffer {
    return Buffer.from(this.#bytes.subarray(0, this.length))
  }
}
