/** What a benchmark is: it measures, and says what was hoped for. Nothing here passes or fails. */
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"

/** How much is asked of a run of the benchmarks: a look, the usual, or also what takes minutes. */
export type Effort = "quick" | "usual" | "full"

export interface Figure {
  /** What it is about, in half a sentence. */
  readonly about: string
  readonly measure: (effort: Effort) => Promise<ReadonlyArray<Row>>
}

/** One line of the table. */
export interface Row {
  readonly what: string
  readonly unit: string
  /** Every sample; the table shows their median and range. */
  readonly samples: ReadonlyArray<number>
  readonly goal?: string
  /** What a reader has to know beside the number. */
  readonly note?: string
}

/** How often to repeat, by effort. */
export const times = (effort: Effort, { quick, usual }: { readonly quick: number; readonly usual: number }): number =>
  effort === "quick" ? quick : usual

/** The value that this share (0 to 1) of the samples does not exceed. */
export const quantile = (samples: ReadonlyArray<number>, share: number): number => {
  const sorted = [...samples].sort((a, b) => a - b)
  return sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? Number.NaN
}

/** The middle one; of an even count the mean of the two in the middle. */
export const median = (samples: ReadonlyArray<number>): number => (quantile(samples, 0.5) + quantile(samples, 0.5 + 1e-9)) / 2

/** A folder on the disk of the system's temporary files, and how to remove it. */
export const temporaryFolder = (): { readonly path: string } & Disposable => {
  const path = mkdtempSync(join(tmpdir(), "holdfast-bench-"))
  return { path, [Symbol.dispose]: () => rmSync(path, { recursive: true, force: true }) }
}

/** Asks again and again until there is an answer; fails after `withinMs`. */
export const until = async <A>(what: string, ask: () => A | undefined | Promise<A | undefined>, withinMs = 30_000): Promise<A> => {
  for (const endsAt = performance.now() + withinMs; performance.now() < endsAt;) {
    const answer = await ask()
    if (answer !== undefined) return answer
    await pause(1)
  }
  throw new Error(`${what}: not within ${withinMs} ms`)
}

export const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))
