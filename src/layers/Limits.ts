/** What ends a process before it ends by itself: its time, its silence, its memory. */
import * as Effect from "effect/Effect"
import { sleepLong } from "./clock.ts"

/** Which limit was met. */
export type LimitMet =
  | { readonly _tag: "TimedOut" }
  | { readonly _tag: "Silent" }
  /** So many bytes were held at the last look. */
  | { readonly _tag: "OverMemory"; readonly bytes: number }

/** Limits of one process with all it starts. What is left out is not limited. */
export interface Limits {
  readonly timeoutMs: number
  /** The longest time without a sign of life. */
  readonly silenceMs?: number | undefined
  /** The most resident memory, in bytes. */
  readonly memoryBytes?: number | undefined
}

/** Waits for the first limit that is met. `sign` gives another text after each sign of life, `resident` the bytes held now, exactly where they are more than it is told. */
export const limitMet = (
  { timeoutMs, silenceMs, memoryBytes }: Limits,
  sign: () => string,
  resident: (limitBytes: number) => Effect.Effect<number>
): Effect.Effect<LimitMet> =>
  Effect.raceAllFirst<Effect.Effect<LimitMet>>([
    Effect.as(sleepLong(timeoutMs), { _tag: "TimedOut" }),
    ...(silenceMs === undefined ? [] : [silent(silenceMs, sign)]),
    ...(memoryBytes === undefined ? [] : [overMemory(memoryBytes, resident)])
  ])

/** Silence is counted in looks and not by the clock: a machine that slept meanwhile was not listening. */
const silent = Effect.fnUntraced(function* (silenceMs: number, sign: () => string): Effect.fn.Return<LimitMet> {
  const pauseMs = Math.min(lookMs, silenceMs / 4)
  let last = sign()
  for (let quietMs = 0; quietMs < silenceMs;) {
    yield* Effect.sleep(pauseMs)
    const now = sign()
    quietMs = now === last ? quietMs + pauseMs : 0
    last = now
  }
  return { _tag: "Silent" }
})

/** Over it for two looks in a row: a peak that is over by the next look harms nobody. */
const overMemory = Effect.fnUntraced(function* (
  limitBytes: number,
  resident: (limitBytes: number) => Effect.Effect<number>
): Effect.fn.Return<LimitMet> {
  for (let over = 0; ;) {
    yield* Effect.sleep(lookMs)
    const bytes = yield* resident(limitBytes)
    over = bytes > limitBytes ? over + 1 : 0
    if (over === 2) return { _tag: "OverMemory", bytes }
  }
})

const lookMs = 1_000
