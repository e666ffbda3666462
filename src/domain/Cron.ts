/**
 * Cron expressions: five fields, or six with seconds first, read strictly, so that a slip is refused and not guessed at.
 *
 * Fields take `*`, numbers, names of months and weekdays, ranges, steps and lists. `@hourly`, `@daily` (`@midnight`),
 * `@weekly`, `@monthly` and `@yearly` (`@annually`) stand for their five fields.
 */
import * as Result from "effect/Result"
import { ScheduleInvalid, shown } from "./Errors.ts"

/** What an expression says, in numbers. */
export interface Cron {
  /** Ascending, without repetition. */
  readonly seconds: ReadonlyArray<number>
  readonly minutes: ReadonlyArray<number>
  readonly hours: ReadonlyArray<number>
  readonly days: ReadonlySet<number>
  /** 1 to 12. */
  readonly months: ReadonlySet<number>
  /** 0 to 6, Sunday first. */
  readonly weekdays: ReadonlySet<number>
  /** Whether a day need match only one of day-of-month and day-of-week: so it is when neither field begins with `*`. */
  readonly eitherDay: boolean
  /** Whether minute or hour begins with `*`: then the schedule means elapsed time, else times of the day. */
  readonly elapsed: boolean
}

/** The longest expression that is read. */
export const cronLengthMax = 256

/** Reads an expression. `where` names its place in the errors: CRON_TOO_LONG, _FIELDS, _NUMBER, _NAME, _RANGE, _RANGE_ORDER, _STEP, _UNSUPPORTED. */
export const readCron = (expression: string, where: string): Result.Result<Cron, ScheduleInvalid> => {
  const refuse = ({ code, got, want, fix }: Complaint) =>
    Result.fail(new ScheduleInvalid({ code, where, got: shown(got ?? expression), want, fix }))
  if (expression.length > cronLengthMax) {
    return refuse({
      code: "CRON_TOO_LONG",
      got: `${expression.length} characters`,
      want: `at most ${cronLengthMax}`,
      fix: "use ranges and steps in place of long lists"
    })
  }
  const text = expression.trim()
  const five = text.startsWith("@") ? nicknames.get(text.toLowerCase()) : text
  if (five === undefined) {
    const fix = /^@reboot/i.test(text)
      ? "leave the schedule out and trigger the skill when the machine starts"
      : /^@every/i.test(text)
        ? `use every: in place of cron:, such as every: "10 minutes"`
        : "write the five fields"
    return refuse({ code: "CRON_UNSUPPORTED", got: text, want: [...nicknames.keys()].join(", "), fix })
  }
  const words = five === "" ? [] : five.split(/[ \t]+/)
  if (words.length !== 5 && words.length !== 6) {
    return refuse({
      code: "CRON_FIELDS",
      got: `${words.length} fields`,
      want: "5 fields, or 6 with seconds",
      fix: "write: minute hour day-of-month month day-of-week"
    })
  }
  const sixth = words.length === 6 ? words : ["0", ...words]
  const values: Array<ReadonlyArray<number>> = []
  for (const [i, field] of fields.entries()) {
    const read = readField(sixth[i]!, field)
    if ("code" in read) return refuse(read)
    values.push(read)
  }
  const [seconds, minutes, hours, days, months, weekdays] = values as [Numbers, Numbers, Numbers, Numbers, Numbers, Numbers]
  const starred = (i: number) => sixth[i]!.startsWith("*")
  return Result.succeed({
    seconds,
    minutes,
    hours,
    days: new Set(days),
    months: new Set(months),
    weekdays: new Set(weekdays.map((day) => day % 7)),
    eitherDay: !starred(3) && !starred(5),
    elapsed: starred(1) || starred(2)
  })
}

type Numbers = ReadonlyArray<number>

interface Field {
  readonly name: string
  readonly min: number
  readonly max: number
  readonly names: ReadonlyArray<string>
}

const monthNames = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"]
const weekdayNames = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"]

const fields: ReadonlyArray<Field> = [
  { name: "second", min: 0, max: 59, names: [] },
  { name: "minute", min: 0, max: 59, names: [] },
  { name: "hour", min: 0, max: 23, names: [] },
  { name: "day-of-month", min: 1, max: 31, names: [] },
  { name: "month", min: 1, max: 12, names: monthNames },
  { name: "day-of-week", min: 0, max: 7, names: weekdayNames } // Both 0 and 7 are Sunday.
]

const nicknames = new Map([
  ["@hourly", "0 * * * *"],
  ["@daily", "0 0 * * *"],
  ["@midnight", "0 0 * * *"],
  ["@weekly", "0 0 * * 0"],
  ["@monthly", "0 0 1 * *"],
  ["@yearly", "0 0 1 1 *"],
  ["@annually", "0 0 1 1 *"]
])

interface Complaint {
  readonly code: string
  readonly got?: string
  readonly want: string
  readonly fix: string
}

const readField = (text: string, field: Field): Numbers | Complaint => {
  const values = new Set<number>()
  for (const item of text.split(",")) {
    const range = readItem(item, field)
    if ("code" in range) return { got: `${item || "nothing"} as ${field.name}`, ...range }
    for (let value = range.from; value <= range.to; value += range.step) values.add(value)
  }
  return [...values].sort((a, b) => a - b)
}

/** One item of a list: `*`, `5`, `5-9`, and each of them with `/step`; a single number with a step goes on to the end. */
const readItem = (item: string, field: Field): { readonly from: number; readonly to: number; readonly step: number } | Complaint => {
  const symbol = foreign.exec(item)
  if (symbol !== null) {
    const [found] = symbol
    return {
      code: "CRON_UNSUPPORTED",
      want: "*, numbers, names, ranges, steps and lists",
      fix: `write the ${field.name} without ${found.replace(/[^LWH#?~]/gi, "").toUpperCase()}`
    }
  }
  const [base, step, ...more] = item.split("/")
  if (more.length > 0 || (step !== undefined && !(digits.test(step) && +step >= 1 && +step <= field.max))) {
    return { code: "CRON_STEP", want: `one step of 1 to ${field.max}`, fix: `write it like */${field.max > 12 ? 5 : 2}` }
  }
  const every = step === undefined ? 1 : +step
  if (base === "*") return { from: field.min, to: field.name === "day-of-week" ? 6 : field.max, step: every }

  const ends = base!.split("-")
  if (ends.length > 2 || ends[0] === "") return notNumber(field)
  const from = readNumber(ends[0]!, field, "start")
  if (typeof from !== "number") return from
  if (ends[1] === undefined) return { from, to: step === undefined ? from : field.max, step: every }
  const to = ends[1].toLowerCase() === ends[0]!.toLowerCase() ? from : readNumber(ends[1], field, "end") // `sun-sun` is one day.
  if (typeof to !== "number") return to
  return from <= to
    ? { from, to, step: every }
    : {
        code: "CRON_RANGE_ORDER",
        want: "the smaller number first",
        fix: `write ${from}-${field.max},${field.min}-${to} to go past the end`
      }
}

const readNumber = (text: string, field: Field, side: "start" | "end"): number | Complaint => {
  const named = field.names.indexOf(text.toLowerCase())
  if (named !== -1) return named === 0 && field.min === 0 && side === "end" ? 7 : named + (field.min === 1 ? 1 : 0) // `fri-sun` ends on day 7.
  if (/^[a-z]+$/i.test(text)) {
    return { code: "CRON_NAME", want: field.names.length === 0 ? "a number" : field.names.join(", "), fix: `correct the ${field.name}` }
  }
  if (!digits.test(text)) return notNumber(field)
  const value = +text
  return value >= field.min && value <= field.max
    ? value
    : { code: "CRON_RANGE", want: `${field.min} to ${field.max}`, fix: `correct the ${field.name}` }
}

const notNumber = (field: Field): Complaint => ({
  code: "CRON_NUMBER",
  want: `whole numbers of ${field.min} to ${field.max}`,
  fix: `correct the ${field.name}`
})

const digits = /^[0-9]{1,4}$/
/** What other dialects write: `L`, `W`, `15W`, `LW`, `5L`, `FRIL`, `L-3`, `MON#2`, `?`, `H`, `0~59`. */
const foreign = /^(?:L|W|LW|L-\d+|\d+[LW]|(?:sun|mon|tue|wed|thu|fri|sat)L|H(?:\(.*\))?)(?=$|\/)|[#?~]/i
