/** What the fuzzers of readers share: chance from a seed, small changes of a text, and the count of what came of it. */
import { mulberry32 } from "../failures/mulberry32.ts"

/** No input may keep the processor longer. */
export const slowMs = 100

export interface FuzzReport {
  readonly accepted: number
  /** How often each code. */
  readonly refused: Readonly<Record<string, number>>
  readonly slowestMs: number
  readonly wrong: string | undefined
}

export class Fuzz implements FuzzReport {
  accepted = 0
  readonly refused: Record<string, number> = {}
  slowestMs = 0
  wrong: string | undefined

  refuse(code: string): void {
    this.refused[code] = (this.refused[code] ?? 0) + 1
  }

  /** Takes the time that a call keeps the processor. One that seems slow is tried again: it may have been the turn of the collector. */
  timed<A>(call: () => A): A {
    let least = Infinity
    for (let tries = 0; ; tries++) {
      const before = process.threadCpuUsage()
      const answer = call()
      const { user, system } = process.threadCpuUsage(before)
      least = Math.min(least, (user + system) / 1_000)
      if (least < slowMs / 5 || tries === 4) {
        this.slowestMs = Math.max(this.slowestMs, least)
        return answer
      }
    }
  }
}

/** Choices. */
export interface Pick {
  readonly below: (n: number) => number
  readonly chance: (share: number) => boolean
  readonly of: <A>(from: ReadonlyArray<A>) => A
}

export const picks = (seed: number): Pick => {
  const random = mulberry32(seed)
  const below = (n: number) => Math.floor(random() * n)
  return { below, chance: (share) => random() < share, of: (from) => from[below(from.length)]! }
}

/** One to three small changes: a piece put in, in place of another, or taken away; a stretch said twice or moved. */
export const mutated = (pick: Pick, text: string, pieces: ReadonlyArray<string>): string => {
  let changed = text
  for (let left = 1 + (pick.chance(0.3) ? pick.below(3) : 0); left > 0; left--) {
    const at = pick.below(changed.length + 1)
    const [before, after] = [changed.slice(0, at), changed.slice(at)]
    const length = 1 + pick.below(pick.chance(0.8) ? 2 : 40)
    const [stretch, rest] = [after.slice(0, length), before + after.slice(length)]
    const to = pick.below(rest.length + 1)
    changed = pick.of([
      () => before + pick.of(pieces) + after,
      () => before + pick.of(pieces) + after.slice(1),
      () => rest,
      () => before + stretch + after,
      () => rest.slice(0, to) + stretch + rest.slice(to)
    ])()
  }
  return changed
}

/** One line of what a fuzzer came to. */
export const told = (name: string, times: number, seed: number, { accepted, refused, slowestMs }: FuzzReport): string => {
  const codes = Object.entries(refused).sort(([, a], [, b]) => b - a)
  const share = Math.round((100 * accepted) / times)
  return `${name}: ${times} inputs, seed ${seed}, ${accepted} accepted (${share}%), slowest ${slowestMs.toFixed(1)} ms, refused ${codes.map(([code, n]) => `${code} ${n}`).join(", ")}`
}
