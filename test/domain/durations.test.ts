import fc from "fast-check"
import { expect, it } from "vitest"
import { parseDuration, showDuration } from "../../src/domain/durations.ts"

it.each([
  ["10 minutes", 600_000],
  ["1 minute", 60_000],
  ["90s", 90_000],
  ["1 hour 30 minutes", 5_400_000],
  ["1h30m", 5_400_000],
  ["1.5 hours", 5_400_000],
  ["250 millis", 250],
  ["250ms", 250],
  ["2 weeks", 1_209_600_000],
  ["1 day, 2 hours", 93_600_000],
  [" 20 Seconds ", 20_000],
  ["0s", 0],
  ["-5m", -300_000],
  ["60 d", 5_184_000_000]
])("reads %j", (text, ms) => expect(parseDuration(text)).toBe(ms))

it.each(["", "soon", "10", "1 fortnight", "10 minutes 1 hour", "5m 5m", "1e3 s", "1,5 h", "PT1H", "10 minutesx", "∞ s", "5 ms s", "５ s"])(
  "does not read %j",
  (text) => expect(parseDuration(text)).toBeUndefined()
)

it("reads back what it shows", () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 366 * 86_400_000 }), (ms) => {
      expect(parseDuration(showDuration(ms))).toBe(ms)
    })
  )
})
it("answers any text and hangs on none", () => {
  const text = fc
    .array(fc.oneof(fc.constantFrom("1", "9".repeat(200), ".", " ", "s", "m", "h", "ms", "days", "-"), fc.string()))
    .map((parts) => parts.join(""))
  fc.assert(
    fc.property(text, (given) => {
      const started = performance.now()
      const ms = parseDuration(given)
      expect(ms === undefined || Number.isFinite(ms)).toBe(true)
      expect(performance.now() - started).toBeLessThan(2_000)
    })
  )
})
