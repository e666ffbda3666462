import { Effect } from "effect"
import { describe, expect, it } from "vitest"
import { readOutages } from "../../src/cli/outages.ts"
import { readNextMoment } from "../../src/cli/moment.ts"

const from = new Date(2026, 10, 22, 12, 30)
const to = new Date(2026, 10, 23, 12, 30)
const read = (...texts: ReadonlyArray<string>) => Effect.runPromise(Effect.result(readOutages(texts, from.getTime(), to.getTime())))

describe("an outage as it is typed", () => {
  it.each([
    ["session=14:00..16:30", "session", new Date(2026, 10, 22, 14), new Date(2026, 10, 22, 16, 30)],
    ["gateway=02:00..07:30", "gateway", new Date(2026, 10, 23, 2), new Date(2026, 10, 23, 7, 30)],
    ["runtime=23:00..01:00", "runtime", new Date(2026, 10, 22, 23), new Date(2026, 10, 23, 1)],
    ["runtime=12:30..12:31", "runtime", from, new Date(2026, 10, 22, 12, 31)],
    ["session=2026-11-20 06:00..2026-12-24 00:00", "session", new Date(2026, 10, 20, 6), new Date(2026, 11, 24)]
  ] as const)("%s", async (text, what, outFrom, outTo) => {
    expect(await read(text)).toMatchObject({ success: [{ what, fromMs: outFrom.getTime(), toMs: outTo.getTime() }] })
  })

  it.each([
    ["session=2026-11-22T22:00:00Z..2026-11-23T03:00:00+09:00", "OUTAGE_ORDER"],
    ["session", "OUTAGE_SYNTAX"],
    ["session=02:00", "OUTAGE_SYNTAX"],
    ["session=02:00..", "OUTAGE_SYNTAX"],
    ["=02:00..03:00", "OUTAGE_UNKNOWN"],
    ["sesion=02:00..03:00", "OUTAGE_UNKNOWN"],
    ["session=2:00..03:00", "TIME_SYNTAX"],
    ["session=02:00..soon", "TIME_SYNTAX"],
    ["session=02:00..02:00", "OUTAGE_ORDER"],
    ["session=2026-11-20 06:00..2026-11-20 07:00", "OUTAGE_OUTSIDE"],
    ["session=2026-11-24 06:00..2026-11-24 07:00", "OUTAGE_OUTSIDE"]
  ] as const)("%s is refused with %s", async (text, code) => {
    expect(await read(text)).toMatchObject({ failure: { code, where: "holdfast plan --outage", got: expect.stringContaining(text) } })
  })

  it("may be given several times", async () => {
    expect(await read("session=14:00..15:00", "runtime=16:00..17:00")).toMatchObject({
      success: [{ what: "session" }, { what: "runtime" }]
    })
    expect(await read("session=14:00..15:00", "disk=16:00..17:00")).toMatchObject({ failure: { code: "OUTAGE_UNKNOWN" } })
  })

  it("says what was meant", async () => {
    expect(await read("sesion=02:00..03:00")).toMatchObject({ failure: { fix: "did you mean session?" } })
  })
})

it("a time of day that is to come is today's or tomorrow's", () => {
  expect(readNextMoment("12:30", from.getTime())).toBe(from.getTime())
  expect(readNextMoment("12:29", from.getTime())).toBe(new Date(2026, 10, 23, 12, 29).getTime())
  expect(readNextMoment("2026-11-20 06:00", from.getTime())).toBe(new Date(2026, 10, 20, 6).getTime())
  expect(readNextMoment("soon", from.getTime())).toBeUndefined()
})
