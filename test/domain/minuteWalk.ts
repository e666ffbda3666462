/**
 * The slots of cron schedules around changes of clocks, found a second time by asking for every minute what the wall shows. It takes
 * the offset from the name of the zone's time, not from its clock, as the schedules do.
 */
import { Cron, Result } from "effect"
import { expect } from "vitest"
import { next, parseCron, slotsBetween } from "../../src/domain/Schedule.ts"

const expressions = [
  "*/15 * * * *",
  "10 * * * *",
  "*/20 0-3 * * *",
  "30 */2 * * *",
  "30 2 * * *",
  "0,30 0,1,2,3 * * *",
  "15 0,23 * * *",
  "0 0 * * 1-7"
]

/** Walks three days around each of these changes; returns how many different ones there were. Zones with one rule stand for each other. */
export const walkAround = (changes: Iterable<readonly [zone: string, changeMs: number]>): number => {
  const rules = new Set<string>()
  for (const [zone, changeMs] of changes) {
    const [from, to] = [changeMs - 36 * 3_600_000, changeMs + 36 * 3_600_000]
    const key = `${changeMs} ${offset(zone, from)} ${offset(zone, to)}`
    if (rules.has(key)) continue
    rules.add(key)
    const minutes = walk(zone, from - 26 * 3_600_000, to)
    for (const expression of expressions) {
      const wanted = expected(expression, minutes).filter((ms) => ms > from && ms <= to)
      const schedule = Result.getOrThrow(parseCron(expression, zone, "test"))
      const got = slotsBetween(schedule, from, to)
      expect([expression, zone, ...got.newest(10_000)]).toEqual([expression, zone, ...wanted])
      expect(got.count).toBe(wanted.length)
      for (const [i, last] of wanted.entries()) {
        if (slotsBetween(schedule, from, last).newest(2).join() !== wanted.slice(Math.max(0, i - 1), i + 1).join())
          expect.fail(`the newest two of ${expression} ${zone} at ${last}`)
      }
      const stepped: Array<number> = []
      for (let ms = next(schedule, from); ms !== undefined && ms <= to; ms = next(schedule, ms)) stepped.push(ms)
      expect([expression, zone, ...stepped]).toEqual([expression, zone, ...wanted])
    }
  }
  return rules.size
}

/** The oracle: what the wall shows at each minute, found by asking for every one of them. */
const walk = (zone: string, from: number, to: number): Array<readonly [atMs: number, wallMs: number]> => {
  const minutes: Array<readonly [number, number]> = []
  for (let ms = Math.ceil(from / 60_000) * 60_000; ms <= to; ms += 60_000) minutes.push([ms, ms + offset(zone, ms)])
  return minutes
}
const expected = (expression: string, minutes: ReadonlyArray<readonly [number, number]>): Array<number> => {
  const [minute, hour] = expression.split(" ")
  const elapsed = minute!.startsWith("*") || hour!.startsWith("*")
  const fields = Cron.parseUnsafe(expression, "UTC")
  const names = (wallMs: number) =>
    (fields.minutes.size === 0 || fields.minutes.has(Math.floor(wallMs / 60_000) % 60)) &&
    (fields.hours.size === 0 || fields.hours.has(Math.floor(wallMs / 3_600_000) % 24))
  const found = new Set<number>()
  const seen = new Set<number>()
  let last = minutes[0]![1] - 60_000
  for (const [ms, wallMs] of minutes) {
    if (elapsed ? names(wallMs) : names(wallMs) && !seen.has(wallMs)) found.add(ms)
    if (!elapsed)
      for (let gone = last + 60_000; gone < wallMs; gone += 60_000) if (names(gone) && !seen.has(gone)) found.add(ms + gone - last - 60_000)
    if (!elapsed) seen.add(wallMs)
    last = wallMs
  }
  return [...found].sort((a, b) => a - b)
}
const clocks = new Map<string, Intl.DateTimeFormat>()
/** How far the wall is ahead of UTC, by the name of the zone's time. */
export const offset = (zone: string, ms: number): number => {
  const clock = clocks.get(zone) ?? new Intl.DateTimeFormat("en-US", { timeZone: zone, timeZoneName: "longOffset" })
  clocks.set(zone, clock)
  const [, sign, hours, minutes] = /GMT(?:([+-])(\d\d):(\d\d))?/.exec(clock.format(ms))!
  return sign === undefined ? 0 : (sign === "-" ? -1 : 1) * (Number(hours) * 60 + Number(minutes)) * 60_000
}
/** The changes of clocks of a zone in a year, each to the minute. */
export const changesOf = (zone: string, year: number): Array<readonly [string, number]> => {
  const found: Array<readonly [string, number]> = []
  for (let day = Date.UTC(year, 0, 1); day < Date.UTC(year + 1, 0, 1); day += 86_400_000) {
    if (offset(zone, day) === offset(zone, day + 86_400_000)) continue
    let [low, high] = [day, day + 86_400_000]
    while (high - low > 60_000) {
      const middle = Math.floor((low + high) / 120_000) * 60_000
      if (offset(zone, middle) === offset(zone, day)) low = middle
      else high = middle
    }
    found.push([zone, high])
  }
  return found
}
