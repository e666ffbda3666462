/** What can be set about when work begins beside the schedule, and how it becomes the timing of a skill. */
import * as Schema from "effect/Schema"
import { parseDuration } from "./durations.ts"
import { durationField, textField } from "./fields.ts"
import { iso } from "./Run.ts"
import { anyTime, type Hours, type Timing } from "./Timing.ts"

const dayMs = 86_400_000
const maybe = Schema.optionalKey

/** A time of the day, `06:30`. */
export const timeField = (description: string) =>
  textField((text) => minuteOf(text) !== undefined, "a time of the day from 00:00 to 23:59", description)

/** The settings, for the table of a skill's. */
export const timingSettings = {
  jitter: maybe(durationField(1, dayMs, "the work begins up to this long after its slot: always the same delay for one skill")),
  catchUpWindow: maybe(durationField(1_000, 366 * dayMs, "missed slots that are older are not made good")),
  startWithin: maybe(durationField(1_000, 366 * dayMs, "a run that has not begun this long after its slot does not begin")),
  lateHours: maybe(
    Schema.Struct({ notBefore: timeField("late work begins no earlier"), notAfter: timeField("late work begins no later") }).annotate({
      description: "the hours in which late work may begin"
    })
  ),
  daysOff: maybe(
    Schema.Array(
      textField((text) => datesOf(text) !== undefined, "2026-12-24 or 2026-12-24..2026-12-26", "slots on these dates are skipped")
    ).check(Schema.isMaxLength(100))
  )
}

type Settings = { readonly [Key in keyof typeof timingSettings]?: (typeof timingSettings)[Key]["Type"] }

/** The timing that these settings come to; nothing where none of them is given. `zone` is asked for hours and dates. */
export const timingOf = (
  name: string,
  { jitter, catchUpWindow, startWithin, lateHours, daysOff = [] }: Settings,
  zone: () => string
): Timing | undefined => {
  if ([jitter, catchUpWindow, startWithin, lateHours, daysOff[0]].every((setting) => setting === undefined)) return undefined
  const ms = (duration: string | undefined) => (duration === undefined ? Infinity : parseDuration(duration)!)
  return {
    zone: lateHours === undefined && daysOff.length === 0 ? anyTime.zone : zone(),
    delayMs: jitter === undefined ? 0 : share(name, parseDuration(jitter)!),
    catchUpWindowMs: ms(catchUpWindow),
    startWithinMs: ms(startWithin),
    lateHours: lateHours && hoursOf(lateHours.notBefore, lateHours.notAfter),
    daysOff: daysOff.map((text) => datesOf(text)!)
  }
}

/** Both times must be ones. */
export const hoursOf = (from: string, to: string): Hours => ({ fromMinute: minuteOf(from)!, toMinute: minuteOf(to)! })

const minuteOf = (text: string): number | undefined => {
  const found = /^([01]\d|2[0-3]):([0-5]\d)$/.exec(text)
  return found === null ? undefined : Number(found[1]) * 60 + Number(found[2])
}

const datesOf = (text: string): Timing["daysOff"][number] | undefined => {
  const [from = "", through = from, ...more] = text.split("..")
  return more.length === 0 && isDate(from) && isDate(through) && from <= through ? { from, through } : undefined
}

const isDate = (text: string): boolean => {
  const atMs = /^\d{4}-\d\d-\d\d$/.test(text) ? Date.parse(`${text}T00:00:00Z`) : Number.NaN
  return !Number.isNaN(atMs) && iso(atMs).startsWith(text)
}

/** A delay of 0 to `ofMs` that depends on the name alone, so that it is the same after every start. (FNV-1a, 32 bits.) */
const share = (name: string, ofMs: number): number => {
  let hash = 0x811c9dc5
  for (const char of name) hash = Math.imul(hash ^ char.charCodeAt(0), 0x01000193)
  return Math.floor(((hash >>> 0) / 2 ** 32) * (ofMs + 1))
}
