/** What stands under `schedule`, in a SKILL.md or in the config, and how it becomes a schedule. */
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import { parseDuration, showDuration } from "./durations.ts"
import { ScheduleInvalid, shown } from "./Errors.ts"
import { durationField, type Path, textField } from "./fields.ts"
import { nameRule } from "./Run.ts"
import { parseCron, type Schedule } from "./Schedule.ts"
import { hoursOf, timeField } from "./TimingFile.ts"
import { readZone } from "./Zone.ts"

const dayMs = 86_400_000

/** When a skill is due: exactly one of `cron`, `every`, `at`, `after`, `times`. What they say is read by `readSchedule`. */
export const ScheduleSettings = Schema.Struct({
  cron: Schema.optionalKey(Schema.String.annotate({ description: "five cron fields, or six with seconds first" })),
  timezone: Schema.optionalKey(
    Schema.String.annotate({ description: "of cron and times: an IANA zone; else the config's, else the machine's" })
  ),
  every: Schema.optionalKey(Schema.String.annotate({ description: "1 second to 366 days" })),
  anchor: Schema.optionalKey(Schema.String.annotate({ description: "of every: an instant the grid passes through; else the Unix epoch" })),
  at: Schema.optionalKey(Schema.String.annotate({ description: "one instant, ISO 8601 with Z or an offset" })),
  after: Schema.optionalKey(
    textField((name) => nameRule.test(name), "the name of a skill", "whenever a run of this skill has ended as `on` says")
  ),
  on: Schema.optionalKey(Schema.Literals(["success", "failure", "end"]).annotate({ description: "of after; default: success" })),
  times: Schema.optionalKey(
    Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 1_440 })).annotate({
      description: "so many times a day, spread over `between`"
    })
  ),
  between: Schema.optionalKey(
    Schema.Tuple([timeField("the first slot of a day"), timeField("the last slot of a day")]).annotate({ description: "of times" })
  ),
  apart: Schema.optionalKey(durationField(0, dayMs, "of times: how long after one run began the next one may"))
})

/** Where a setting stands, for messages: `/skills/a/SKILL.md:5`. */
export type Where = (path: Path) => string

/** Reads `schedule`. Errors: SCHEDULE_KIND, SCHEDULE_ROOM, FIELD_MISSING, INTERVAL_SYNTAX, INTERVAL_RANGE, DATE_INVALID, and those of `parseCron`. */
export const readSchedule = (
  { cron, timezone, every, anchor, at, after, on, times, between, apart }: typeof ScheduleSettings.Type,
  zone: () => string,
  where: Where
): Result.Result<Schedule, ScheduleInvalid> => {
  const refuse = (code: string, key: string, got: string, want: string, fix: string) =>
    Result.fail(new ScheduleInvalid({ code, where: where(["schedule", key]), got: shown(got), want, fix }))
  const kinds = Object.entries({ cron, every, at, after, times }).flatMap(([key, value]) => (value === undefined ? [] : [key]))
  if (kinds.length !== 1) {
    return refuse(
      "SCHEDULE_KIND",
      kinds[1] ?? "",
      kinds.length === 0 ? "none of them" : kinds.join(" and "),
      "one of cron, every, at, after, times",
      "keep one of them"
    )
  }
  if (timezone !== undefined && cron === undefined && times === undefined)
    return refuse("SCHEDULE_KIND", "timezone", "timezone without cron", "timezone with cron or times only", "remove timezone")
  if (times === undefined && (between ?? apart) !== undefined) {
    const key = between === undefined ? "apart" : "between"
    return refuse("SCHEDULE_KIND", key, `${key} without times`, `${key} with times only`, `remove ${key}`)
  }
  if (anchor !== undefined && every === undefined)
    return refuse("SCHEDULE_KIND", "anchor", "anchor without every", "anchor with every only", "remove anchor")
  if (on !== undefined && after === undefined) return refuse("SCHEDULE_KIND", "on", "on without after", "on with after only", "remove on")
  if (after !== undefined) return Result.succeed({ _tag: "After", skill: after, on: on ?? "success" })
  if (cron !== undefined) return parseCron(cron, timezone ?? zone(), where(["schedule", "cron"]))
  if (times !== undefined) {
    if (between === undefined) {
      const fix = 'add between, such as ["09:00", "21:00"]'
      return refuse("FIELD_MISSING", "between", "nothing", "the first and the last time of a day", fix)
    }
    const { fromMinute, toMinute } = hoursOf(...between)
    const apartMs = apart === undefined ? 0 : parseDuration(apart)!
    const roomMs = (toMinute - fromMinute) * 60_000
    if ((times - 1) * Math.max(apartMs, 60_000) > roomMs) {
      const want = `room for ${times} that are ${showDuration(Math.max(apartMs, 60_000))} apart`
      return refuse(
        "SCHEDULE_ROOM",
        "between",
        between.join(" to "),
        want,
        "lower times or apart, or widen between; it cannot go over midnight"
      )
    }
    return Result.map(readZone(timezone ?? zone(), where(["schedule", "timezone"])), (known) => {
      return { _tag: "Paced", times, fromMinute, toMinute, apartMs, zone: known }
    })
  }

  const instant = anchor ?? at
  const atMs = instant === undefined ? 0 : readInstant(instant)
  if (atMs === undefined) {
    return refuse(
      "DATE_INVALID",
      anchor === undefined ? "at" : "anchor",
      instant!,
      "an instant of 1970 to 9999 with Z or an offset, such as 2026-12-24T18:00:00Z",
      "correct the date"
    )
  }
  if (every === undefined) return Result.succeed({ _tag: "At", atMs })
  const everyMs = parseDuration(every)
  if (everyMs === undefined)
    return refuse("INTERVAL_SYNTAX", "every", every, `such as "20 seconds" or "1 hour 30 minutes"`, "write a number and a unit")
  return everyMs >= 1_000 && everyMs <= 366 * dayMs
    ? Result.succeed({ _tag: "Every", everyMs, anchorMs: atMs })
    : refuse("INTERVAL_RANGE", "every", every, "1 second to 366 days", "correct the interval")
}

/** An instant of 1970 to 9999, for a date that exists; nothing else. */
const readInstant = (text: string): number | undefined => {
  const found = /^(\d{4})-(\d\d)-(\d\d)[Tt ](\d\d):(\d\d)(?::(\d\d)(?:\.(\d{1,3}))?)?(?:[Zz]|([+-])(\d\d):?(\d\d))$/.exec(text.trim())
  if (found === null) return undefined
  const [year, month, day, hour, minute, second] = found.slice(1, 7).map((part) => Number(part ?? 0)) as [
    number,
    number,
    number,
    number,
    number,
    number
  ]
  const milliseconds = Number((found[7] ?? "0").padEnd(3, "0"))
  const offsetMs = (found[8] === "-" ? -1 : 1) * (Number(found[9] ?? 0) * 60 + Number(found[10] ?? 0)) * 60_000
  const local = Date.UTC(year, month - 1, day, hour, minute, second, milliseconds)
  const same = new Date(local).toISOString().startsWith(`${found[1]}-${found[2]}-${found[3]}T${found[4]}:${found[5]}`)
  const atMs = local - offsetMs
  return same && second < 60 && atMs >= 0 && atMs < Date.UTC(10_000, 0, 1) && Math.abs(offsetMs) <= 14 * 3_600_000 ? atMs : undefined
}
