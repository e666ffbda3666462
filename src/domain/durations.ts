/** Lengths of time as people write them: `90s`, `10 minutes`, `1 hour 30 minutes`. */

/** What to write, for messages. */
export const durationWant = `a duration with its unit, such as "90 seconds", "10 minutes" or "1 hour 30 minutes"`

/**
 * Reads a duration; the result is in milliseconds, and nothing when the text is not one. Numbers may have a fraction, a
 * minus goes before the whole. Units (each at most once, the greater first): weeks, days, hours, minutes, seconds,
 * milliseconds, and their usual short forms. Effect's own reader takes one unit only and so refuses `1 hour 30 minutes`.
 */
export const parseDuration = (text: string): number | undefined => {
  const found = pattern.exec(text.trim().toLowerCase())
  if (found === null) return undefined
  const [, minus, ...parts] = found
  if (parts.every((part) => part === undefined)) return undefined
  const ms = parts.reduce((sum, part, i) => sum + Number(part ?? 0) * units[i]![1], 0)
  return Math.round(minus === "-" ? -ms : ms)
}

/** A duration as we print it: `10 minutes`, `1 hour 30 minutes`, `0 milliseconds`. */
export const showDuration = (ms: number): string => {
  let rest = Math.round(ms)
  const parts: Array<string> = []
  for (const [word, size] of units.slice(1)) {
    // Weeks read worse than their days.
    const count = Math.floor(rest / size)
    if (count > 0) parts.push(`${count} ${word}${count === 1 ? "" : "s"}`)
    rest -= count * size
  }
  return parts.length === 0 ? "0 milliseconds" : parts.join(" ")
}

const units = [
  ["week", 604_800_000, "w|weeks?"],
  ["day", 86_400_000, "d|days?"],
  ["hour", 3_600_000, "h|hours?"],
  ["minute", 60_000, "m|mins?|minutes?"],
  ["second", 1_000, "s|secs?|seconds?"],
  ["millisecond", 1, "ms|millis|milliseconds?"]
] as const

const pattern = new RegExp(
  `^(-)?\\s*${units.map(([, , words]) => `(?:(\\d{1,15}(?:\\.\\d{1,9})?)\\s*(?:${words})(?![a-z])[\\s,]*)?`).join("")}$`
)
