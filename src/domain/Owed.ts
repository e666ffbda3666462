/** What a skill owes at some instant: its slots that have no record yet, sorted into those that may run and those that may not. */
import { type Schedule, slotsBetween } from "./Schedule.ts"
import type { Stretch } from "./Timing.ts"
import type { Owed, SlotRange } from "./policies/catchUp.ts"

export interface OwedSlots {
  /** Those that may run. */
  readonly open: Owed
  /** The others, with what they are settled as. */
  readonly closed: ReadonlyArray<SlotRange & { readonly verdict: Stretch["verdict"] }>
  /** A range of open slots as ranges that leave out the closed ones between them. */
  readonly cut: <Range extends SlotRange>(range: Range) => ReadonlyArray<Range>
}

/** The slots after `afterMs` and not after `throughMs`. `stretches` are ascending and apart; of the open slots the newest `listed` are listed. */
export const owedSlots = (
  schedule: Schedule,
  { afterMs, throughMs, listed }: { readonly afterMs: number; readonly throughMs: number; readonly listed: number },
  stretches: ReadonlyArray<Stretch>
): OwedSlots => {
  const within = (fromMs: number, toMs: number) => slotsBetween(schedule, Math.max(fromMs, afterMs), Math.min(toMs, throughMs))
  const gaps = stretches.map(({ throughMs: fromMs }, i) => within(fromMs, stretches[i + 1]?.afterMs ?? Infinity))
  const pieces = [within(-Infinity, stretches[0]?.afterMs ?? Infinity), ...gaps].filter(({ count }) => count > 0)
  return {
    open: {
      count: pieces.reduce((sum, { count }) => sum + count, 0),
      firstMs: pieces[0]?.firstMs ?? 0,
      lastMs: pieces.at(-1)?.lastMs ?? 0,
      newest: pieces.flatMap(({ newest }) => newest(listed)).slice(-listed)
    },
    closed: stretches.flatMap(({ verdict, reason, ...stretch }) =>
      rangesOf([within(stretch.afterMs, stretch.throughMs)], { verdict, reason })
    ),
    cut: (range) =>
      stretches.length === 0
        ? [range]
        : rangesOf(
            [-Infinity, ...stretches.map((stretch) => stretch.throughMs)].map((fromMs, i) =>
              slotsBetween(schedule, Math.max(fromMs, range.slot - 1), Math.min(stretches[i]?.afterMs ?? Infinity, range.through))
            ),
            range
          )
  }
}

const rangesOf = <Rest extends object>(pieces: ReadonlyArray<ReturnType<typeof slotsBetween>>, rest: Rest) =>
  pieces.flatMap(({ count, firstMs, lastMs }) =>
    firstMs === undefined || lastMs === undefined ? [] : [{ ...rest, slot: firstMs, through: lastMs, count }]
  )
