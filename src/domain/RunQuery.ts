/** Which runs are asked for, of those that are remembered. */
import type { RunRecord } from "./Ledger.ts"
import type { Outcome } from "./Outcome.ts"

export interface RunQuery {
  readonly skill: string | undefined
  /** Those that came to one of these; and with `waiting` those that have no outcome yet. Neither: all. */
  readonly outcomes: ReadonlySet<Outcome> | undefined
  readonly waiting: boolean
  /** The first and the last instant at which one may have been claimed, in milliseconds since the Unix epoch. */
  readonly sinceMs: number
  readonly untilMs: number
  readonly limit: number
}

/** The runs that are asked for, the latest claims first. */
export const latestRuns = (
  runs: Iterable<RunRecord>,
  { skill, outcomes, waiting, sinceMs, untilMs, limit }: RunQuery
): ReadonlyArray<RunRecord> => {
  const any = outcomes === undefined && !waiting
  return [...runs]
    .filter((run) => skill === undefined || run.skill === skill)
    .filter(({ settled }) => any || (settled === undefined ? waiting : outcomes?.has(settled.outcome) === true))
    .filter(({ claimedAtMs }) => claimedAtMs >= sinceMs && claimedAtMs <= untilMs)
    .toSorted((a, b) => b.claimedAtMs - a.claimedAtMs)
    .slice(0, limit)
}
