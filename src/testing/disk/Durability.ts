/**
 * What of a disk survives a crash, under the weakest rules that we accept.
 *
 * A file's bytes are kept once that file was synced, a name once its folder was. Of everything since then any part may be
 * there: each piece of a write by itself, in any order, as data or, where only the length was kept, as zeros; each change
 * of a name by itself.
 */
import { posix } from "node:path"

/** A disk after a crash: files by path, and folders. */
export interface Image {
  readonly files: ReadonlyMap<string, Buffer>
  readonly folders: ReadonlySet<string>
}

/** Bytes that survive or vanish together: as many as a disk writes at once. */
export const sectorBytes = 512

export class Durability {
  readonly #files = new Map<number, Contents>()
  readonly #folders = new Map<string, Entries>([["/", { kept: new Map(), pending: [] }]])
  readonly #pieceBytes: number

  /** Pieces smaller than a sector tear lines as well as batches, and leave more disks than can all be made. */
  constructor(pieceBytes = sectorBytes) {
    this.#pieceBytes = pieceBytes
  }

  created(path: string, inode: number): void {
    this.#files.set(inode, { kept: Buffer.alloc(0), pending: [] })
    this.#entries(path).pending.push([[posix.basename(path), { _tag: "File", inode }]])
  }
  madeFolder(path: string): void {
    if (this.#folders.has(path)) return
    this.#folders.set(path, { kept: new Map(), pending: [] })
    this.#entries(path).pending.push([[posix.basename(path), { _tag: "Folder", path }]])
  }
  wrote(inode: number, offset: number, bytes: Uint8Array): void {
    const { pending } = this.#files.get(inode)!
    for (let at = 0; at < bytes.length;) {
      const end = Math.min(bytes.length, at + this.#pieceBytes - ((offset + at) % this.#pieceBytes))
      pending.push({ _tag: "Piece", offset: offset + at, bytes: Buffer.from(bytes.subarray(at, end)) })
      at = end
    }
  }
  truncated(inode: number, length: number): void {
    this.#files.get(inode)!.pending.push({ _tag: "Cut", length })
  }
  renamed(from: string, to: string, inode: number): void {
    const [here, there] = [this.#entries(from), this.#entries(to)]
    const [gone, came]: [Change, Change] = [
      [posix.basename(from), undefined],
      [posix.basename(to), { _tag: "File", inode }]
    ]
    if (here === there) here.pending.push([gone, came])
    else {
      here.pending.push([gone])
      there.pending.push([came])
    }
  }
  removed(path: string): void {
    this.#entries(path).pending.push([[posix.basename(path), undefined]])
  }
  synced(inode: number): void {
    const contents = this.#files.get(inode)!
    contents.kept = applied(
      contents.kept,
      contents.pending.map((change) => [change, "kept"])
    )
    contents.pending = []
  }
  /** A sync failed: what was pending is forgotten, and later syncs will not know of it. */
  forgot(inode: number): void {
    this.#files.get(inode)!.pending = []
  }
  syncedFolder(path: string): void {
    const entries = this.#folders.get(path)
    if (entries === undefined) return
    for (const change of entries.pending) rename(entries.kept, change)
    entries.pending = []
  }

  /**
   * Every disk that a crash at this moment can leave. Where there are more than `most`, that many of them: with nothing
   * pending kept, with all of it, with all but one, and others by chance (`random` gives numbers from 0 to below 1).
   */
  *images(most: number, random: () => number): Generator<Image, { readonly all: boolean }> {
    const choices: Array<{ readonly options: number; pick: number }> = []
    const choice = (options: number) => {
      const made = { options, pick: 0 }
      choices.push(made)
      return made
    }
    const names = [...this.#folders].map(([path, { kept, pending }]) => ({
      path,
      kept,
      pending: pending.map((change) => [change, choice(2)] as const)
    }))
    const files = [...this.#files].map(([inode, { kept, pending }]) => ({
      inode,
      kept,
      pending: pending.map((change) => [change, choice(change._tag === "Piece" ? 3 : 2)] as const)
    }))
    const image = (): Image => {
      const bytes = new Map(
        files.map(({ inode, kept, pending }) => [
          inode,
          applied(
            kept,
            pending.map(([change, { pick }]) => [change, fates[pick]!])
          )
        ])
      )
      const entries = new Map(
        names.map(({ path, kept, pending }) => {
          const found = new Map(kept)
          for (const [change, { pick }] of pending) if (pick > 0) rename(found, change)
          return [path, found] as const
        })
      )
      return reachable(entries, bytes)
    }
    const count = choices.reduce((product, { options }) => product * options, 1)
    if (count <= most) {
      for (let n = 0; n < count; n++) {
        let rest = n
        for (const one of choices) {
          one.pick = rest % one.options
          rest = Math.floor(rest / one.options)
        }
        yield image()
      }
      return { all: true }
    }
    const set = (pick: (one: { readonly options: number }, i: number) => number) => {
      for (const [i, one] of choices.entries()) one.pick = pick(one, i)
      return image()
    }
    yield set(() => 0)
    yield set(() => 1)
    const singles = Math.min(choices.length, most >> 1)
    for (let left = 0; left < singles; left++) yield set((_, i) => (i === left ? 0 : 1))
    for (let n = singles + 2; n < most; n++) yield set(({ options }) => Math.floor(random() * options))
    return { all: false }
  }

  #entries(path: string): Entries {
    return this.#folders.get(posix.dirname(path))!
  }
}

interface Contents {
  kept: Buffer
  pending: Array<Piece | Cut>
}
interface Piece {
  readonly _tag: "Piece"
  readonly offset: number
  readonly bytes: Buffer
}
interface Cut {
  readonly _tag: "Cut"
  readonly length: number
}
type Node = { readonly _tag: "File"; readonly inode: number } | { readonly _tag: "Folder"; readonly path: string }
/** A name and what it stands for from now on. */
type Change = readonly [name: string, node: Node | undefined]
interface Entries {
  readonly kept: Map<string, Node>
  /** Each is one step: a rename within a folder changes two names or none. */
  pending: Array<ReadonlyArray<Change>>
}

type Fate = "lost" | "kept" | "zeros"
const fates: ReadonlyArray<Fate> = ["lost", "kept", "zeros"]

/** What these changes make of a file, each with its fate. */
const applied = (kept: Buffer, changes: ReadonlyArray<readonly [change: Piece | Cut, fate: Fate]>): Buffer => {
  const endOf = (change: Piece | Cut) => (change._tag === "Cut" ? 0 : change.offset + change.bytes.length)
  const bytes = Buffer.alloc(changes.reduce((end, [change]) => Math.max(end, endOf(change)), kept.length))
  kept.copy(bytes)
  let length = kept.length
  for (const [change, fate] of changes) {
    if (fate === "lost") continue
    if (change._tag === "Cut") {
      bytes.fill(0, change.length, length)
      length = Math.min(length, change.length)
      continue
    }
    if (fate === "kept") change.bytes.copy(bytes, change.offset)
    length = Math.max(length, endOf(change))
  }
  return bytes.subarray(0, length)
}

const rename = (entries: Map<string, Node>, changes: ReadonlyArray<Change>): void => {
  for (const [name, node] of changes) {
    if (node === undefined) entries.delete(name)
    else entries.set(name, node)
  }
}

/** What has a name from the root on; the rest is lost. */
const reachable = (entries: ReadonlyMap<string, ReadonlyMap<string, Node>>, bytes: ReadonlyMap<number, Buffer>): Image => {
  const files = new Map<string, Buffer>()
  const folders = new Set<string>()
  const visit = (folder: string): void => {
    folders.add(folder)
    for (const [name, node] of entries.get(folder) ?? []) {
      const path = posix.join(folder, name)
      if (node._tag === "Folder") visit(node.path)
      else files.set(path, bytes.get(node.inode)!)
    }
  }
  visit("/")
  return { files, folders }
}
