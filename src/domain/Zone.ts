/** Time zones: what the wall clock of an IANA zone shows, after the time zone data of the JavaScript engine. */
import * as Result from "effect/Result"
import { nearest, ScheduleInvalid, shown } from "./Errors.ts"

/** How far the zone's wall clock is ahead of UTC at this instant, in milliseconds. The zone must be a known one. */
export const offsetAt = (zone: string, atMs: number): number => {
  const wholeMs = Math.floor(atMs / 1000) * 1000
  const [month, day, year, hour, minute, second] = wallClock(zone).format(wholeMs).match(/\d+/g)!.map(Number)
  return Date.UTC(year!, month! - 1, day, hour, minute, second) - wholeMs
}

/** The zone itself, or TIMEZONE_UNKNOWN with the nearest known name. Offsets such as `+09:00` know no summer time and are refused. */
export const readZone = (zone: string, where: string): Result.Result<string, ScheduleInvalid> => {
  if (/^[A-Za-z][A-Za-z0-9_+/-]{0,63}$/.test(zone) && known(zone)) return Result.succeed(zone)
  const near = nearest(zone.slice(0, 64), ["UTC", ...Intl.supportedValuesOf("timeZone")])
  return Result.fail(
    new ScheduleInvalid({
      code: "TIMEZONE_UNKNOWN",
      where,
      got: shown(zone) || "an empty text",
      want: "an IANA zone such as Europe/Berlin or UTC",
      fix: near === undefined ? "look the zone up in the IANA time zone database" : `did you mean ${near}?`
    })
  )
}

const known = (zone: string): boolean => Result.isSuccess(Result.try(() => wallClock(zone))) // Intl answers this by throwing.

const wallClock = (zone: string): Intl.DateTimeFormat => {
  const kept = wallClocks.get(zone)
  if (kept !== undefined) return kept
  const made = new Intl.DateTimeFormat("en-US", {
    timeZone: zone,
    calendar: "gregory",
    numberingSystem: "latn",
    hourCycle: "h23",
    year: "numeric",
    month: "numeric",
    day: "numeric",
    hour: "numeric",
    minute: "numeric",
    second: "numeric"
  })
  wallClocks.set(zone, made)
  return made
}
const wallClocks = new Map<string, Intl.DateTimeFormat>()
