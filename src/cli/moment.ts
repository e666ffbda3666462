/** Instants as people type them. */
import * as Effect from "effect/Effect"
import { shown } from "../domain/Errors.ts"
import { parseRunId } from "../domain/Run.ts"
import { UsageInvalid } from "./usage.ts"

/**
 * Reads an instant, in milliseconds since the Unix epoch; nothing where it is none. `2026-11-22T06:00:00Z` (or an offset), a run's id for
 * its slot, `2026-11-22 06:00` on this machine's clock, `06:00` or `06:00:30` for the latest time that it was so.
 */
export const readMoment = (text: string, nowMs: number): number | undefined => {
  const run = parseRunId(text)
  if (run !== undefined) return run.slotAtMs
  const found = /^(?:(\d{4})-(\d\d)-(\d\d)[T ])?(\d\d):(\d\d)(?::(\d\d)(?:\.\d{1,3})?)?(Z|[+-]\d\d:\d\d)?$/.exec(text)
  if (found === null) return undefined
  const [, year, month, day, hour, minute, second = "0", zone] = found
  if (Number(hour) > 23 || Number(minute) > 59 || Number(second) > 59) return undefined
  if (year === undefined) {
    if (zone !== undefined) return undefined
    const now = new Date(nowMs)
    const today = new Date(now.getFullYear(), now.getMonth(), now.getDate(), +hour!, +minute!, +second)
    if (today.getTime() > nowMs) today.setDate(today.getDate() - 1)
    return today.getTime()
  }
  const date = new Date(Date.UTC(+year, +month! - 1, +day!))
  if (date.getUTCMonth() !== +month! - 1 || date.getUTCDate() !== +day!) return undefined // The 31st of February.
  return zone === undefined ? new Date(+year, +month! - 1, +day!, +hour!, +minute!, +second).getTime() : Date.parse(text.replace(" ", "T"))
}

/** The same, but that a time of day is the first one at or after `fromMs`: for what is to come. */
export const readNextMoment = (text: string, fromMs: number): number | undefined => {
  const atMs = readMoment(text, fromMs)
  if (atMs === undefined || atMs >= fromMs || !/^\d\d:/.test(text)) return atMs
  const next = new Date(atMs)
  next.setDate(next.getDate() + 1)
  return next.getTime()
}

/** The instant that a flag was given. Fails with TIME_SYNTAX; `where` is the command and the flag. */
export const givenMoment = (where: string, text: string, nowMs: number): Effect.Effect<number, UsageInvalid> => {
  const atMs = readMoment(text, nowMs)
  if (atMs !== undefined) return Effect.succeed(atMs)
  const want = "06:00, '2026-11-22 06:00', 2026-11-22T06:00:00Z or a run's id"
  return Effect.fail(new UsageInvalid({ code: "TIME_SYNTAX", where, got: shown(text), want, fix: "correct the time" }))
}
