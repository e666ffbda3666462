import { expect, it } from "vitest"
import { readMoment } from "../../src/cli/moment.ts"

const now = new Date(2026, 10, 22, 12, 30, 15)
const read = (text: string) => readMoment(text, now.getTime())

it.each([
  ["06:00", new Date(2026, 10, 22, 6)],
  ["12:30:15", now],
  ["12:31", new Date(2026, 10, 21, 12, 31)],
  ["2026-11-20 06:00", new Date(2026, 10, 20, 6)],
  ["2026-11-20T06:00:30", new Date(2026, 10, 20, 6, 0, 30)],
  ["2026-11-20T06:00Z", new Date("2026-11-20T06:00:00Z")],
  ["2026-11-20 06:00:00+09:00", new Date("2026-11-19T21:00:00Z")],
  ["daily-memory@20261120T060000Z", new Date("2026-11-20T06:00:00Z")]
])("%s is an instant", (text, instant) => expect(read(text)).toBe(instant.getTime()))

it.each(["", "6:00", "24:00", "06:60", "06:00Z", "2026-02-30 06:00", "2026-13-01 06:00", "yesterday", "2026-11-20"])("%j is none", (text) =>
  expect(read(text)).toBeUndefined()
)
