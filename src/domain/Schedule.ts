/** When a skill is due: pure arithmetic from a schedule to its slots. Instants are milliseconds since the Unix epoch. */
import * as Result from "effect/Result"
import { Calendar, type DaysAndTimes, everyDay, noSlots, type Slots } from "./Calendar.ts"
import { type Cron, readCron } from "./Cron.ts"
import type { Outcome } from "./Outcome.ts"
import { ScheduleInvalid, shown } from "./Errors.ts"
import { readZone } from "./Zone.ts"

/** A schedule as it is adopted: zone and grid resolved, so that the journal alone says which slots were owed. */
export type Schedule =
  /** Five or six cron fields in an IANA zone. */
  | { readonly _tag: "Cron"; readonly expression: string; readonly zone: string }
  /** Every `everyMs` (1 s to 366 days) on the grid that passes through `anchorMs`. */
  | { readonly _tag: "Every"; readonly everyMs: number; readonly anchorMs: number }
  /** Once. */
  | { readonly _tag: "At"; readonly atMs: number }
  | Paced
  | After

/** Whenever a run of another skill has ended so. The slots are the instants at which such runs were settled. */
export interface After {
  readonly _tag: "After"
  readonly skill: string
  readonly on: "success" | "failure" | "end"
  /** Those instants, ascending: they are history, which nothing but the journal knows. */
  readonly knownMs?: ReadonlyArray<number>
}

/** The instant of the slot that an end at `atMs` makes: each end its own, also where two come together or the clock was set back. */
export const slotAfter = (latestMs: number, atMs: number): number => Math.max(atMs, latestMs + 1)

/** Whether a run with this outcome makes a slot. */
export const follows = ({ on }: After, outcome: Outcome): boolean =>
  on === "end" || (on === "success" ? outcome === "success" : outcome !== "success" && outcome !== "cancelled")

/**
 * So many times a day, spread over some hours of it, at least `apartMs` apart. A slot is a time of the day; what could not
 * begin at its own begins later that day, with the same distance from the one before it, or not at all.
 */
export interface Paced {
  readonly _tag: "Paced"
  /** 1 to 1,440; the first at `fromMinute` after midnight, the last at `toMinute`. */
  readonly times: number
  readonly fromMinute: number
  readonly toMinute: number
  readonly apartMs: number
  readonly zone: string
}

/** The first slot strictly after `afterMs`; nothing when there is no further one. */
export const next = (schedule: Schedule, afterMs: number): number | undefined => {
  switch (schedule._tag) {
    case "At":
      return schedule.atMs > afterMs ? schedule.atMs : undefined
    case "After":
      return schedule.knownMs?.find((atMs) => atMs > afterMs)
    case "Every":
      return onGrid(schedule, gridIndex(schedule, afterMs) + 1)
    case "Cron":
    case "Paced":
      return calendarOf(schedule)?.next(afterMs)
  }
}

/**
 * The slots after `afterMs` and not after `throughMs`. `every` is arithmetic; a cron schedule takes a few microseconds
 * a day, however many slots a day has, so that a runtime that was away for a month is not held up by counting.
 */
export const slotsBetween = (schedule: Schedule, afterMs: number, throughMs: number): Slots => {
  if (throughMs <= afterMs) return noSlots
  switch (schedule._tag) {
    case "At":
      return schedule.atMs > afterMs && schedule.atMs <= throughMs ? slotsOnGrid(1, () => schedule.atMs) : noSlots
    case "After": {
      const known = (schedule.knownMs ?? []).filter((atMs) => atMs > afterMs && atMs <= throughMs)
      return slotsOnGrid(known.length, (back) => known[known.length - 1 - back]!)
    }
    case "Every": {
      const last = gridIndex(schedule, throughMs)
      return slotsOnGrid(last - gridIndex(schedule, afterMs), (back) => onGrid(schedule, last - back))
    }
    case "Cron":
    case "Paced":
      return calendarOf(schedule)?.between(afterMs, throughMs) ?? noSlots
  }
}

/**
 * Reads a cron schedule; `where` names its place in the errors: those of `readCron`, TIMEZONE_UNKNOWN, and CRON_NEVER for
 * dates that do not exist, such as the 31st of February.
 *
 * Where minute or hour is a wildcard, the schedule means elapsed time: when clocks change, every instant whose wall clock
 * matches is a slot, and no other. A fixed time is one slot a day: in the repeated hour the first, in the skipped hour as
 * much later as the clock was put forward. (The rule of Debian's cron. Effect's `Cron` knows the repeated hour, but names
 * instants that do not match after a skipped one, and takes a quarter of a millisecond a slot.)
 */
export const parseCron = (expression: string, zone: string, where: string): Result.Result<Schedule, ScheduleInvalid> =>
  Result.flatMap(readCron(expression, where), () =>
    Result.flatMap(readZone(zone, where), () => {
      const schedule: Schedule = { _tag: "Cron", expression: expression.trim(), zone }
      return next(schedule, 0) !== undefined
        ? Result.succeed(schedule)
        : Result.fail(
            new ScheduleInvalid({
              code: "CRON_NEVER",
              where,
              got: shown(expression),
              want: "dates that exist",
              fix: "correct the day-of-month or the month"
            })
          )
    })
  )

type Every = Extract<Schedule, { readonly _tag: "Every" }>
/** The number of the last grid point at or before this instant. */
const gridIndex = ({ everyMs, anchorMs }: Every, atMs: number): number => Math.floor((atMs - anchorMs) / everyMs)
const onGrid = ({ everyMs, anchorMs }: Every, index: number): number => anchorMs + index * everyMs

const slotsOnGrid = (count: number, fromEnd: (back: number) => number): Slots =>
  count === 0
    ? noSlots
    : {
        count,
        firstMs: fromEnd(count - 1),
        lastMs: fromEnd(0),
        newest: (n) => {
          const length = Math.max(0, Math.min(n, count))
          return Array.from({ length }, (_, i) => fromEnd(length - 1 - i))
        }
      }

/** The day of the schedule's zone at this instant: its first instant, and that of the last slot in it. */
export const dayOf = ({ zone, toMinute }: Paced, atMs: number): { readonly beginsMs: number; readonly endsMs: number } => {
  const daily = (minute: number): Schedule => ({ _tag: "Cron", expression: `${minute % 60} ${Math.floor(minute / 60)} * * *`, zone })
  const beginsMs = slotsBetween(daily(0), atMs - 2 * dayMs, atMs).lastMs ?? atMs
  return { beginsMs, endsMs: next(daily(toMinute), beginsMs - 1) ?? atMs }
}
const dayMs = 86_400_000

/**
 * Calendars are kept: making one costs more than asking it. A schedule that cannot be read names no slot; loading it says
 * why.
 */
const calendarOf = (schedule: Extract<Schedule, { readonly _tag: "Cron" | "Paced" }>): Calendar | undefined => {
  const key = schedule._tag === "Cron" ? `${schedule.zone} ${schedule.expression}` : JSON.stringify(schedule)
  const kept = calendars.get(key)
  if (kept !== undefined) return kept
  if (Result.isFailure(readZone(schedule.zone, "journal"))) return undefined
  const times: Result.Result<Cron | DaysAndTimes, ScheduleInvalid> =
    schedule._tag === "Cron" ? readCron(schedule.expression, "journal") : Result.succeed(everyDay(timesOf(schedule)))
  if (Result.isFailure(times)) return undefined
  const made = new Calendar(times.success, schedule.zone)
  if (calendars.size >= 2_000) calendars.clear()
  calendars.set(key, made)
  return made
}
const calendars = new Map<string, Calendar>()

const timesOf = ({ times, fromMinute, toMinute }: Paced): ReadonlyArray<number> =>
  Array.from(
    { length: times },
    (_, i) => (fromMinute + (times === 1 ? 0 : Math.round((i * (toMinute - fromMinute)) / (times - 1)))) * 60_000
  )
