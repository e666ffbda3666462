/** Whether one more may begin within what a day may have. A day is the last 24 hours, not a date. */

export interface BudgetQuestion {
  /** When earlier ones began, in milliseconds since the Unix epoch, in any order. */
  readonly begunAtMs: ReadonlyArray<number>
  /** How many a day may have: at least 1. */
  readonly perDay: number
  readonly nowMs: number
}

/** Nothing where one more may begin now; else the instant from which it may. */
export const decideBudget = ({ begunAtMs, perDay, nowMs }: BudgetQuestion): number | undefined => {
  const counted = begunAtMs.filter((atMs) => sameDay(atMs, nowMs)).sort((a, b) => a - b)
  return counted.length < perDay ? undefined : counted.at(-perDay)! + dayMs
}

/**
 * Whether an instant counts at another: they are less than a day apart. What seems yet to come counts as well, so that a clock that is
 * set back a little frees nothing; what is a day or more ahead does not, so that a clock that was wrong by years blocks nothing.
 */
export const sameDay = (atMs: number, nowMs: number): boolean => Math.abs(nowMs - atMs) < dayMs

const dayMs = 86_400_000
