/** Cron on the calendar of a zone: which instants its days hold, also where the clocks change. */
import type { Cron } from "./Cron.ts"
import { offsetAt } from "./Zone.ts"

/** The slots of a stretch of time, counted without listing them. */
export interface Slots {
  readonly count: number
  /** The oldest and the newest; nothing when there are none. */
  readonly firstMs: number | undefined
  readonly lastMs: number | undefined
  /** The newest `n` of them (all, if there are fewer), ascending. */
  readonly newest: (n: number) => ReadonlyArray<number>
}

export const noSlots: Slots = { count: 0, firstMs: undefined, lastMs: undefined, newest: () => [] }

const hourMs = 3_600_000
const dayMs = 24 * hourMs
/** Every date that exists comes again within 40 years: the 29th of February on a given weekday takes longest. */
const daysSearched = 41 * 366

/** Which days, and at which times of them, in milliseconds after midnight, ascending. */
export type DaysAndTimes = Pick<Cron, "days" | "months" | "weekdays" | "eitherDay" | "elapsed"> & { readonly times: ReadonlyArray<number> }

/** These times of every day. */
export const everyDay = (times: ReadonlyArray<number>): DaysAndTimes => ({ ...allDays, times })

/**
 * A cron schedule on the calendar of its zone. Days are named by the instant at which a clock on UTC would show their
 * midnight. A day on which the clocks stand still is its times of day and an offset; only the days around a change of
 * clocks are worked out slot by slot. The slots of two neighbouring days may interleave there.
 */
export class Calendar {
  readonly #cron: Omit<DaysAndTimes, "times">
  readonly #zone: string
  readonly #times: ReadonlyArray<number>
  readonly #recent = new Map<number, Day>()

  constructor(cron: Cron | DaysAndTimes, zone: string) {
    this.#cron = cron
    this.#zone = zone
    this.#times = "times" in cron ? cron.times : timesOf(cron)
  }

  next(afterMs: number): number | undefined {
    const start = this.#dayOf(afterMs) - dayMs
    for (let day = start; day < start + daysSearched * dayMs; day += dayMs) {
      const first = firstAfter(this.#day(day), afterMs)
      if (first === undefined) continue
      return Math.min(first, firstAfter(this.#day(day + dayMs), afterMs) ?? first)
    }
    return undefined
  }

  between(afterMs: number, throughMs: number): Slots {
    const firstDay = this.#dayOf(afterMs) - dayMs
    const lastDay = this.#dayOf(throughMs) + dayMs
    let count = 0
    for (let day = firstDay; day <= lastDay; day += dayMs) count += within(this.#day(day), afterMs, throughMs).count
    const newest = (n: number): ReadonlyArray<number> => {
      const found: Array<number> = []
      let spare = 1 // One day more than needed: its slots may lie between those of the day after it.
      for (let day = lastDay; day >= firstDay && (found.length < n || spare-- > 0); day -= dayMs) {
        const { from, to } = within(this.#day(day), afterMs, throughMs)
        const { times, shift } = this.#day(day)
        found.push(...times.slice(Math.max(from, to - n), to).map((time) => time + shift))
      }
      return n <= 0 ? [] : found.sort((a, b) => a - b).slice(-n)
    }
    return count === 0 ? noSlots : { count, firstMs: this.next(afterMs), lastMs: newest(1)[0], newest }
  }

  #dayOf(atMs: number): number {
    return Math.floor((atMs + offsetAt(this.#zone, atMs)) / dayMs) * dayMs
  }

  #day(day: number): Day {
    if (!this.#matches(day)) return emptyDay
    const kept = this.#recent.get(day)
    if (kept !== undefined) return kept
    const made = this.#work(day)
    if (this.#recent.size >= 8) this.#recent.clear()
    this.#recent.set(day, made)
    return made
  }

  #matches(day: number): boolean {
    const { months, days, weekdays, eitherDay } = this.#cron
    const date = new Date(day)
    if (!months.has(date.getUTCMonth() + 1)) return false
    const byDay = days.has(date.getUTCDate())
    const byWeekday = weekdays.has(date.getUTCDay())
    return eitherDay ? byDay || byWeekday : byDay && byWeekday
  }

  #work(day: number): Day {
    // Zones lie between 12 hours behind UTC and 14 ahead of it: the day begins and ends between these two instants.
    const [earliest, latest] = [day - 15 * hourMs, day + 37 * hourMs]
    const [before, after] = [offsetAt(this.#zone, earliest), offsetAt(this.#zone, latest)]
    if (before === after) return { times: this.#times, shift: -before + day }
    const changeMs = this.#change(earliest, latest, before)
    const times = this.#times.flatMap((time) => {
      const [early, late] = [day + time - before, day + time - after]
      const found = [...(early < changeMs ? [early] : []), ...(late >= changeMs ? [late] : [])]
      if (this.#cron.elapsed) return found
      if (found.length > 0) return [found[0]!]
      return this.#names(early + after) ? [] : [early] // Skipped by the clock, and so as much later, unless that is a slot already.
    })
    return { times: times.sort((a, b) => a - b), shift: 0 }
  }

  /** The first instant after the change of clocks between the two, to the second. */
  #change(earliest: number, latest: number, before: number): number {
    let [same, changed] = [earliest, latest]
    while (changed - same > 1000) {
      const middle = Math.floor((same + changed) / 2000) * 1000
      if (offsetAt(this.#zone, middle) === before) same = middle
      else changed = middle
    }
    return changed
  }

  /** Whether the expression names this time on the wall. */
  #names(wallMs: number): boolean {
    const day = Math.floor(wallMs / dayMs) * dayMs
    return this.#matches(day) && this.#times.includes(wallMs - day)
  }
}

const numbers = (from: number, to: number): ReadonlySet<number> => new Set(Array.from({ length: to - from + 1 }, (_, i) => from + i))
const allDays = { days: numbers(1, 31), months: numbers(1, 12), weekdays: numbers(0, 6), eitherDay: false, elapsed: false }

const timesOf = ({ hours, minutes, seconds }: Cron): ReadonlyArray<number> =>
  hours.flatMap((h) => minutes.flatMap((m) => seconds.map((s) => ((h * 60 + m) * 60 + s) * 1000)))

/** The slots of one calendar day: each of `times` plus `shift`, ascending. */
interface Day {
  readonly times: ReadonlyArray<number>
  readonly shift: number
}
const emptyDay: Day = { times: [], shift: 0 }

/** Which of a day's slots are after the one instant and not after the other. */
const within = (day: Day, afterMs: number, throughMs: number) => {
  const [from, to] = [countThrough(day, afterMs), countThrough(day, throughMs)]
  return { from, to, count: to - from }
}

const firstAfter = (day: Day, afterMs: number): number | undefined => {
  const time = day.times[countThrough(day, afterMs)]
  return time === undefined ? undefined : time + day.shift
}

/** How many of a day's slots are at or before this instant. */
const countThrough = ({ times, shift }: Day, atMs: number): number => {
  let [low, high] = [0, times.length]
  while (low < high) {
    const middle = (low + high) >> 1
    if (times[middle]! + shift <= atMs) low = middle + 1
    else high = middle
  }
  return low
}
