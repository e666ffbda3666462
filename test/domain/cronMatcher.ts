/**
 * What a cron expression names, said a second time: one pattern for an item, and a question to each item for each value. It
 * makes no sets and lists no times, as the reader does.
 */

/** Whether the expression names this time on the wall, given as the instant at which a clock on UTC would show it. */
export interface Matcher {
  readonly names: (wallMs: number) => boolean
  /** Whether there is any date that it names. */
  readonly comes: boolean
}

/** Nothing where the expression is none. */
export const cronMatcher = (expression: string): Matcher | undefined => {
  if (expression.length > 256) return undefined
  const text = expression.trim()
  const words = (text.startsWith("@") ? (nicknames[text.toLowerCase()] ?? "") : text).split(/[ \t]+/)
  if (words.length !== 5 && words.length !== 6) return undefined
  const six = words.length === 6 ? words : ["0", ...words]
  const asked = six.map((word, i) => field(word, ...fields[i]!))
  if (asked.some((one) => one === undefined)) return undefined
  const [second, minute, hour, day, month, weekday] = asked as [Ask, Ask, Ask, Ask, Ask, Ask]
  const onWeekday = (number: number) => weekday(number) || (number === 0 && weekday(7))
  const either = !six[3]!.startsWith("*") && !six[5]!.startsWith("*")
  const onDate = (date: number, number: number) => (either ? day(date) || onWeekday(number) : day(date) && onWeekday(number))
  return {
    names: (wallMs) => {
      const at = new Date(wallMs)
      return (
        second(at.getUTCSeconds()) &&
        minute(at.getUTCMinutes()) &&
        hour(at.getUTCHours()) &&
        month(at.getUTCMonth() + 1) &&
        onDate(at.getUTCDate(), at.getUTCDay())
      )
    },
    // In forty years each date, the 29th of February too, falls on each weekday.
    comes: lengths.some((length, i) => month(i + 1) && week.some((number) => upTo(length).some((date) => onDate(date, number))))
  }
}

type Ask = (value: number) => boolean

const field = (text: string, min: number, max: number, names: ReadonlyArray<string>): Ask | undefined => {
  const items = text.split(",").map((item) => {
    const found = /^(?:\*|([a-z]{3}|\d{1,4})(?:-([a-z]{3}|\d{1,4}))?)(?:\/(\d{1,4}))?$/i.exec(item)
    if (found === null) return undefined
    const [, first, last, stride] = found
    const number = (word: string) =>
      /\d/.test(word) ? Number(word) : names.includes(word.toLowerCase()) ? names.indexOf(word.toLowerCase()) + min : -1
    const sundayLast = max === 7 && last?.toLowerCase() === "sun" && first?.toLowerCase() !== "sun"
    const from = first === undefined ? min : number(first)
    const to =
      first === undefined ? (max === 7 ? 6 : max) : last !== undefined ? (sundayLast ? 7 : number(last)) : stride === undefined ? from : max
    const step = Number(stride ?? 1)
    const sound = from >= min && to <= max && from <= to && step >= 1 && step <= max
    return sound ? (value: number) => value >= from && value <= to && (value - from) % step === 0 : undefined
  })
  return items.every((one) => one !== undefined) ? (value) => items.some((one) => one(value)) : undefined
}

const fields: ReadonlyArray<readonly [number, number, ReadonlyArray<string>]> = [
  [0, 59, []],
  [0, 59, []],
  [0, 23, []],
  [1, 31, []],
  [1, 12, ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"]],
  [0, 7, ["sun", "mon", "tue", "wed", "thu", "fri", "sat"]]
]
const lengths = [31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]
const week = [0, 1, 2, 3, 4, 5, 6]
const upTo = (last: number) => Array.from({ length: last }, (_, i) => i + 1)
const nicknames: Readonly<Record<string, string>> = {
  "@hourly": "0 * * * *",
  "@daily": "0 0 * * *",
  "@midnight": "0 0 * * *",
  "@weekly": "0 0 * * 0",
  "@monthly": "0 0 1 * *",
  "@yearly": "0 0 1 1 *",
  "@annually": "0 0 1 1 *"
}
