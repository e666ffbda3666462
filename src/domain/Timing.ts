/** When the work of a slot may begin, beyond the slot itself: late work and its limits, days off, and a delay of the skill's own. */
import { next } from "./Schedule.ts"
import { offsetAt } from "./Zone.ts"

export interface Timing {
  /** The zone of the hours and dates here, an IANA name. */
  readonly zone: string
  /** How long after its slot the work begins, in milliseconds: the same for every slot of the skill. */
  readonly delayMs: number
  /** A missed slot that is older than this is not made good. */
  readonly catchUpWindowMs: number
  /** A run that has not begun this long after its slot does not begin any more, whatever it waited for. */
  readonly startWithinMs: number
  /** Late work begins only between these times of the day; over midnight where the first is the later one. */
  readonly lateHours: Hours | undefined
  /** Slots on these dates are skipped. */
  readonly daysOff: ReadonlyArray<Dates>
}

/** Times of the day in minutes after midnight, both included. */
export interface Hours {
  readonly fromMinute: number
  readonly toMinute: number
}

/** Dates as people write them, `2026-12-24`, both included. */
export interface Dates {
  readonly from: string
  readonly through: string
}

/** A stretch of time whose slots get no run, and what they are settled as. `afterMs` is not part of it, `throughMs` is. */
export interface Stretch {
  readonly afterMs: number
  readonly throughMs: number
  readonly verdict: "skipped" | "missed"
  readonly reason: string
}

/** Where nothing is said, work begins with its slot and late work at once. */
export const anyTime: Timing = {
  zone: "UTC",
  delayMs: 0,
  catchUpWindowMs: Infinity,
  startWithinMs: Infinity,
  lateHours: undefined,
  daysOff: []
}

/**
 * The stretches without runs, ascending and apart from each other: days off, and what is too old at `nowMs`. Where a schedule
 * plans day by day, slots from before `dayBeginsMs` are too old as well.
 */
export const stretchesWithout = (timing: Timing, nowMs: number, dayBeginsMs = -Infinity): ReadonlyArray<Stretch> => {
  const { delayMs, catchUpWindowMs, startWithinMs, daysOff, zone } = timing
  const [oldestMs, reason] = latest(
    [dayBeginsMs, "its day is over"],
    [nowMs - delayMs - catchUpWindowMs, "older than the catch-up window"],
    [nowMs - delayMs - startWithinMs, "too late to begin"]
  )
  const tooOldMs = oldestMs - 1
  const off = daysOff
    .map(({ from, through }): Stretch => ({
      afterMs: midnight(zone, from, 0) - 1,
      throughMs: midnight(zone, through, 1) - 1,
      verdict: "skipped",
      reason: from === through ? `${from} is a day off` : `${from} to ${through} are days off`
    }))
    .sort((a, b) => a.afterMs - b.afterMs)
  const stretches: Array<Stretch> = []
  let freeMs = -Infinity
  for (const day of [...off, end]) {
    const afterMs = Math.max(day.afterMs, freeMs)
    const throughMs = Math.min(tooOldMs, afterMs)
    if (throughMs > freeMs) stretches.push({ afterMs: freeMs, throughMs, verdict: "missed", reason })
    if (day !== end && day.throughMs > afterMs) stretches.push({ ...day, afterMs })
    freeMs = Math.max(freeMs, day.throughMs)
  }
  return stretches
}

/** The instant from which late work may begin; nothing where it may at once. */
export const lateOpening = ({ lateHours, zone }: Timing, nowMs: number): number | undefined => {
  if (lateHours === undefined) return undefined
  const { fromMinute, toMinute } = lateHours
  const minute = ((((nowMs + offsetAt(zone, nowMs)) % dayMs) + dayMs) % dayMs) / 60_000
  const within = fromMinute <= toMinute ? fromMinute <= minute && minute <= toMinute : minute >= fromMinute || minute <= toMinute
  return within ? undefined : next({ _tag: "Cron", expression: `${fromMinute % 60} ${Math.floor(fromMinute / 60)} * * *`, zone }, nowMs)
}

/** `06:30`. */
export const clockTime = (minute: number): string =>
  `${String(Math.floor(minute / 60)).padStart(2, "0")}:${String(minute % 60).padStart(2, "0")}`

const dayMs = 86_400_000
const hourMs = 3_600_000

/** The first instant of a date, or of the date `later` days after it. The date must exist. */
const midnight = (zone: string, date: string, later: number): number => {
  const wallMs = Date.parse(`${date}T00:00:00Z`) + later * dayMs
  const nearMs = wallMs - offsetAt(zone, wallMs - 14 * hourMs)
  return wallMs - offsetAt(zone, nearMs - hourMs) // The offset before midnight: where the clock skips it, the day begins with the change.
}

const latest = (...limits: ReadonlyArray<readonly [number, string]>) => limits.reduce((a, b) => (b[0] > a[0] ? b : a))

const end: Stretch = { afterMs: Infinity, throughMs: Infinity, verdict: "missed", reason: "" }
