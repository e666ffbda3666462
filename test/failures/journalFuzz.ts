/** Journals with something wrong in them, and the one rule for all: a start is refused by name, or comes to a state that was. */
import { Effect, Exit, Logger } from "effect"
import { hashOf } from "../../src/domain/canonical.ts"
import { StateUnusable } from "../../src/domain/Errors.ts"
import { Disk } from "../../src/layers/Disk.ts"
import { readState, type StateOptions } from "../../src/layers/StateStore.ts"
import { adopted, paused, session } from "../contracts/state.ts"
import { mulberry32 } from "./mulberry32.ts"

export interface Sample {
  readonly name: string
  /** Its files, by path: about 4 kB. */
  readonly files: ReadonlyMap<string, Buffer>
  /** The state's hash after each append, the empty one first. */
  readonly hashes: ReadonlyArray<string>
}

/** One segment; several over three starts; several with a checkpoint. */
export const samples = async (): Promise<ReadonlyArray<Sample>> => [
  await sample("one segment", 1, 23, {}, false),
  await sample("three starts and several segments", 3, 5, { segmentBytes: 600 }, false),
  await sample("two checkpoints", 3, 5, { segmentBytes: 600, history: { runs: 0, days: 0 } }, true)
]

/**
 * Every `every`-th bit of every file flipped, each alone. Gives what there was to complain of. Since every append but the
 * last is proven by the one after it, no more than that one may be missing unnoticed.
 */
export const flips = async (
  sample: Sample,
  every = 1
): Promise<{ readonly tried: number; readonly judge: Judge; readonly wrong: string | undefined }> => {
  const judge = new Judge(sample)
  let tried = 0
  for (const [path, whole] of sample.files) {
    for (let bit = 0; bit < whole.length * 8; bit += every) {
      const flipped = Buffer.from(whole)
      flipped[bit >> 3]! ^= 1 << (bit & 7)
      judge.put(new Map([[path, flipped]]))
      tried += 1
      const verdict = await judge.verdict(sample.hashes.length - 2)
      if (verdict !== undefined) return { tried, judge, wrong: `${path}, bit ${bit & 7} of byte ${bit >> 3}: ${verdict}` }
    }
    judge.put(new Map([[path, whole]]))
  }
  return { tried, judge, wrong: undefined }
}

/** So many random mutations, from a seed. */
export const mutations = async (
  sample: Sample,
  times: number,
  seed: number
): Promise<{ readonly judge: Judge; readonly wrong: string | undefined }> => {
  const judge = new Judge(sample)
  const chance = mulberry32(seed)
  for (let n = 0; n < times; n++) {
    const { changed, local } = mutated(sample.files, chance)
    for (const [path, content] of changed) {
      if (content === undefined) judge.remove(path)
      else judge.put(new Map([[path, content]]))
    }
    const verdict = await judge.verdict(local ? sample.hashes.length - 2 : 0)
    if (verdict !== undefined) return { judge, wrong: `number ${n}: ${verdict}` }
    judge.put(sample.files)
  }
  return { judge, wrong: undefined }
}

/**
 * What is wrong with what is read of these files; nothing where all is as it should be. `least` is how many appends have to
 * be there where the start is not refused.
 */
export class Judge {
  readonly #memory = Disk.memory()
  readonly #sample: Sample
  readonly came = { refused: 0, whole: 0, shorter: 0 }
  slowestMs = 0

  constructor(sample: Sample) {
    this.#sample = sample
    this.put(sample.files)
  }

  put(files: ReadonlyMap<string, Buffer>): void {
    for (const [path, bytes] of files) this.#memory.put(path, bytes)
  }

  remove(path: string): void {
    Effect.runSync(Effect.ignore(this.#memory.disk.remove(path)))
  }

  async verdict(least: number): Promise<string | undefined> {
    const beganAt = performance.now()
    const read = await Effect.runPromise(Effect.exit(readState("/state")).pipe(Effect.provide(this.#memory.layer)))
    this.slowestMs = Math.max(this.slowestMs, performance.now() - beganAt)
    if (Exit.isFailure(read)) {
      const failure = read.cause.reasons[0]
      if (failure?._tag !== "Fail" || !(failure.error instanceof StateUnusable)) return `a crash: ${JSON.stringify(read.cause)}`
      this.came.refused += 1
      return undefined
    }
    const state = this.#sample.hashes.lastIndexOf(hashOf(read.value.ledger))
    if (state < 0) return "a state that never was"
    if (state < least) return `${this.#sample.hashes.length - 1 - state} appends are gone, and nobody is told`
    this.came[state === this.#sample.hashes.length - 1 ? "whole" : "shorter"] += 1
    return undefined
  }
}

/** One to three wrongs at random places; `local` where there is one, small, and not a loss of the end. */
const mutated = (
  files: ReadonlyMap<string, Buffer>,
  random: () => number
): { readonly changed: Map<string, Buffer | undefined>; readonly local: boolean } => {
  const below = (n: number) => Math.floor(random() * n)
  const paths = [...files.keys()]
  const changed = new Map<string, Buffer | undefined>()
  const wrongs = 1 + below(3)
  let local = wrongs === 1
  for (let i = 0; i < wrongs; i++) {
    const path = paths[below(paths.length)]!
    const bytes = changed.get(path) ?? files.get(path)!
    const at = below(bytes.length)
    const length = 1 + below(random() < 0.5 ? 4 : 200)
    const kind = below(9)
    if (kind > 3) local = false
    changed.set(path, wrong(kind, bytes, at, length, { random, other: files.get(paths[below(paths.length)]!)! }))
  }
  return { changed, local }
}

const wrong = (
  kind: number,
  bytes: Buffer,
  at: number,
  length: number,
  { random, other }: { readonly random: () => number; readonly other: Buffer }
): Buffer | undefined => {
  const before = bytes.subarray(0, at)
  const after = bytes.subarray(at)
  switch (kind) {
    case 0: // A bit.
      return Buffer.concat([before, Buffer.from([after[0]! ^ (1 << Math.floor(random() * 8))]), after.subarray(1)])
    case 1: // A byte.
      return Buffer.concat([before, Buffer.from([Math.floor(random() * 256)]), after.subarray(1)])
    case 2: {
      // A digit for the next digit.
      const digit = bytes.findIndex((byte, i) => i >= at && byte >= 48 && byte < 58)
      const changed = Buffer.from(bytes)
      if (digit >= 0) changed[digit] = 48 + Math.floor(random() * 10)
      return changed
    }
    case 3: // Something more.
      return Buffer.concat([before, Buffer.from(String(Math.floor(random() * 1e6))), after])
    case 4: // Something less.
      return Buffer.concat([before, after.subarray(length)])
    case 5: // Zeros.
      return Buffer.concat([before, Buffer.alloc(Math.min(length, after.length)), after.subarray(length)])
    case 6: // A piece from elsewhere.
      return Buffer.concat([before, other.subarray(at % other.length, (at % other.length) + length), after.subarray(length)])
    case 7: // Its end.
      return before
    default: // The whole, or another file in its place.
      return random() < 0.5 ? undefined : other
  }
}

const sample = async (name: string, starts: number, appends: number, options: StateOptions, compacting: boolean): Promise<Sample> => {
  const memory = Disk.memory()
  const hashes: Array<string> = []
  for (let start = 0; start < starts; start++) {
    await Effect.runPromise(
      session(
        "/state",
        (store) =>
          Effect.gen(function* () {
            if (start === 0) hashes.push(hashOf(store.ledger))
            for (let n = start * appends; n < (start + 1) * appends; n++) {
              yield* store.append(adopted(`s${n}`), ...(n % 2 === 0 ? [] : [paused(`s${n}`, n % 3 === 0 ? "é" : "")]))
              hashes.push(hashOf(store.ledger))
            }
            if (compacting) yield* store.compact
          }),
        { reserveBytes: 64, ...options }
      ).pipe(Effect.provide(memory.layer), Effect.provide(Logger.layer([])))
    )
  }
  return { name, hashes, files: new Map([...memory.files()].filter(([path]) => path.startsWith("/state/journal/"))) }
}
