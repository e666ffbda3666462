import { Cron, Result } from "effect"
import fc from "fast-check"
import { describe, expect, it } from "vitest"
import { next, parseCron, type Schedule, slotsBetween } from "../../src/domain/Schedule.ts"
import { changesOf, walkAround } from "./minuteWalk.ts"

const cron = (expression: string, zone = "UTC"): Schedule => Result.getOrThrow(parseCron(expression, zone, "test"))
const every = (everyMs: number, anchorMs = 0): Schedule => ({ _tag: "Every", everyMs, anchorMs })
const at = (text: string) => Date.parse(text)
const listed = (schedule: Schedule, from: string, to: string) =>
  slotsBetween(schedule, at(from) - 1, at(to) - 1)
    .newest(100_000)
    .map((ms) => new Date(ms).toISOString().replace(":00.000Z", "Z").slice(0, 17))
/** What the wall shows at each slot: the day and the time. */
const wall = (schedule: Schedule, zone: string, from: string, to: string) =>
  slotsBetween(schedule, at(from) - 1, at(to) - 1)
    .newest(1000)
    .map((ms) =>
      new Intl.DateTimeFormat("en-GB", { timeZone: zone, day: "2-digit", hour: "2-digit", minute: "2-digit", hourCycle: "h23" })
        .format(ms)
        .replace(", ", " ")
    )
const refusal = (expression: string, zone = "UTC") => {
  const read = parseCron(expression, zone, "a/SKILL.md:4")
  return Result.isFailure(read) ? read.failure : undefined
}

describe("every", () => {
  it("stays on the grid of its anchor, before it too", () => {
    expect(next(every(20_000), 0)).toBe(20_000)
    expect(next(every(20_000), 19_999)).toBe(20_000)
    expect(next(every(20_000, 7_000), 7_000)).toBe(27_000)
    expect(next(every(20_000, 7_000), -100_000)).toBe(-93_000)
  })
  it("counts a year of seconds without listing them", () => {
    const slots = slotsBetween(every(1_000), 0, 366 * 86_400_000)
    expect(slots.count).toBe(366 * 86_400)
    expect(slots.firstMs).toBe(1_000)
    expect(slots.newest(3)).toEqual([366 * 86_400_000 - 2_000, 366 * 86_400_000 - 1_000, 366 * 86_400_000])
  })
})

describe("at", () => {
  it("is one slot, and none once it is past", () => {
    const once: Schedule = { _tag: "At", atMs: 5_000 }
    expect(next(once, 4_999)).toBe(5_000)
    expect(next(once, 5_000)).toBeUndefined()
    expect(slotsBetween(once, 4_999, 5_000)).toMatchObject({ count: 1, firstMs: 5_000, lastMs: 5_000 })
    expect(slotsBetween(once, 5_000, 9_000).count).toBe(0)
    expect(slotsBetween(once, 0, 4_999).count).toBe(0)
  })
})

describe("cron when clocks change", () => {
  it("runs a fixed time once in the repeated hour and once for the skipped one", () => {
    expect(wall(cron("30 1 * * *", "America/New_York"), "America/New_York", "2026-10-31T04:00:00Z", "2026-11-03T05:00:00Z")).toEqual([
      "31 01:30",
      "01 01:30",
      "02 01:30"
    ])
    expect(wall(cron("30 2 * * *", "America/New_York"), "America/New_York", "2026-03-07T05:00:00Z", "2026-03-10T04:00:00Z")).toEqual([
      "07 02:30",
      "08 03:30",
      "09 02:30"
    ])
    expect(wall(cron("30 1 * * *", "Europe/London"), "Europe/London", "2026-03-28T00:00:00Z", "2026-03-30T23:00:00Z")).toEqual([
      "28 01:30",
      "29 02:30",
      "30 01:30"
    ])
    expect(listed(cron("30 1 * * *", "Europe/London"), "2026-10-24T23:00:00Z", "2026-10-26T00:00:00Z")).toEqual(["2026-10-25T00:30Z"])
  })
  it("keeps real-time spacing where the hour is a wildcard", () => {
    for (const [zone, from, hours] of [
      ["America/New_York", "2026-11-01T04:00:00Z", 25],
      ["America/New_York", "2026-03-08T05:00:00Z", 23],
      ["Europe/London", "2026-10-24T23:00:00Z", 25],
      ["Europe/London", "2026-03-29T00:00:00Z", 23]
    ] as const) {
      const to = new Date(at(from) + hours * 3_600_000).toISOString()
      expect(listed(cron("*/15 * * * *", zone), from, to)).toHaveLength(hours * 4)
      expect(listed(cron("0 * * * *", zone), from, to)).toHaveLength(hours)
      expect(listed(cron("* 0-23 * * *", zone), from, to)).toHaveLength(hours * 60)
    }
  })
  it("knows Lord Howe's half hour", () => {
    const zone = "Australia/Lord_Howe"
    expect(listed(cron("*/15 * * * *", zone), "2026-04-04T13:00:00Z", "2026-04-05T13:30:00Z")).toHaveLength(98) // 24.5 hours
    expect(listed(cron("0 * * * *", zone), "2026-10-03T14:30:00Z", "2026-10-03T17:00:00Z")).toEqual([
      "2026-10-03T14:30Z",
      "2026-10-03T16:00Z"
    ])
    expect(wall(cron("45 1 * * *", zone), zone, "2026-04-04T13:00:00Z", "2026-04-05T13:30:00Z")).toEqual(["05 01:45"])
    expect(wall(cron("15 2 * * *", zone), zone, "2026-10-03T13:30:00Z", "2026-10-04T13:00:00Z")).toEqual(["04 02:45"])
  })
  it("knows a skipped midnight in Santiago and the day that Samoa never had", () => {
    expect(wall(cron("0 0 * * *", "America/Santiago"), "America/Santiago", "2026-09-05T00:00:00Z", "2026-09-08T00:00:00Z")).toEqual([
      "05 00:00",
      "06 01:00",
      "07 00:00"
    ])
    expect(wall(cron("0 9 * * *", "Pacific/Apia"), "Pacific/Apia", "2011-12-28T12:00:00Z", "2012-01-01T12:00:00Z")).toEqual([
      "28 09:00",
      "29 09:00",
      "31 09:00",
      "01 09:00"
    ])
  })

  it("agrees with a walk over every minute, around every change of clocks of every zone in 2026, and around odd ones of the past", () => {
    const odd = [
      ["Pacific/Apia", "2011-12-30T10:00:00Z"],
      ["America/St_Johns", "2010-11-07T02:31:00Z"],
      ["Antarctica/Casey", "2023-03-08T16:00:00Z"]
    ] as const
    const changes = [
      ...Intl.supportedValuesOf("timeZone").flatMap((zone) => changesOf(zone, 2026)),
      ...odd.map(([zone, text]) => [zone, at(text)] as const)
    ]
    expect(changes.length).toBeGreaterThan(150)
    expect(walkAround(changes)).toBeGreaterThan(20)
  })

  it("agrees with it from 2020 to 2040 in a dozen zones, each odd in its own way (npm run test:deep has all zones)", () => {
    const zones = [
      "Australia/Lord_Howe",
      "Africa/Cairo",
      "America/Santiago",
      "Pacific/Apia",
      "Africa/Casablanca",
      "Asia/Gaza",
      "America/New_York",
      "Europe/London",
      "Asia/Tehran",
      "America/St_Johns",
      "Antarctica/Troll",
      "Pacific/Norfolk"
    ]
    const changes = zones.flatMap((zone) => Array.from({ length: 21 }, (_, i) => changesOf(zone, 2020 + i)).flat())
    expect(walkAround(changes)).toBeGreaterThan(300)
  }, 120_000)
})

describe("cron on ordinary days", () => {
  it("names the same instants as Effect's Cron", () => {
    const field = (min: number, max: number) =>
      fc.oneof(
        fc.constant("*"),
        fc.integer({ min: 2, max: Math.min(9, max) }).map((n) => `*/${n}`),
        fc.uniqueArray(fc.integer({ min, max }), { minLength: 1, maxLength: 3 }).map((values) => values.join()),
        fc.tuple(fc.integer({ min, max }), fc.integer({ min, max })).map(([a, b]) => `${Math.min(a, b)}-${Math.max(a, b)}`)
      )
    const expressions = fc.tuple(field(0, 59), field(0, 23), field(1, 28), field(1, 12), field(0, 6)).map((words) => words.join(" "))
    fc.assert(
      fc.property(expressions, fc.integer({ min: 0, max: 4 * 365 * 86_400 }), (expression, seconds) => {
        const from = Date.UTC(2026, 0, 1) + seconds * 1_000
        const theirs = Cron.parseUnsafe(expression, "UTC")
        let [ours, wanted] = [from, from]
        for (let i = 0; i < 5; i++) {
          wanted = Cron.next(theirs, new Date(wanted)).getTime()
          ours = next(cron(expression), ours)!
          expect(ours).toBe(wanted)
        }
        expect(slotsBetween(cron(expression), from, ours).count).toBe(5)
      }),
      { numRuns: 200 }
    )
  })
  it("takes either day where both are given, and both where one begins with a star", () => {
    expect(listed(cron("0 0 13 * FRI"), "2026-11-01T00:00:00Z", "2026-11-22T00:00:00Z")).toEqual([
      "2026-11-06T00:00Z",
      "2026-11-13T00:00Z",
      "2026-11-20T00:00Z"
    ])
    expect(listed(cron("0 0 */2 * FRI"), "2026-11-01T00:00:00Z", "2026-11-30T00:00:00Z")).toEqual([
      "2026-11-13T00:00Z",
      "2026-11-27T00:00Z"
    ])
    expect(listed(cron("0 0 * * SAT-SUN"), "2026-11-01T00:00:00Z", "2026-11-09T00:00:00Z")).toEqual([
      "2026-11-01T00:00Z",
      "2026-11-07T00:00Z",
      "2026-11-08T00:00Z"
    ])
  })
  it("accepts the 29th of February and waits for it", () => {
    expect(next(cron("0 0 29 2 *"), at("2026-03-01T00:00:00Z"))).toBe(at("2028-02-29T00:00:00Z"))
    expect(next(cron("0 0 29 2 */7"), at("2092-03-01T00:00:00Z"))).toBe(at("2128-02-29T00:00:00Z"))
  })
  it("reads nicknames, names, steps and seconds", () => {
    expect(listed(cron("@daily", "Asia/Tokyo"), "2026-11-22T00:00:00Z", "2026-11-24T00:00:00Z")).toEqual([
      "2026-11-22T15:00Z",
      "2026-11-23T15:00Z"
    ])
    expect(listed(cron("0 9/4 * nov mon-fri"), "2026-11-23T00:00:00Z", "2026-11-24T00:00:00Z")).toEqual([
      "2026-11-23T09:00Z",
      "2026-11-23T13:00Z",
      "2026-11-23T17:00Z",
      "2026-11-23T21:00Z"
    ])
    expect(slotsBetween(cron("*/20 * * * * *"), 0, 60_000).newest(9)).toEqual([20_000, 40_000, 60_000])
    for (const sunday of ["7", "0", "sun", "SUN-sun", "7-7", "sun/7"])
      expect(next(cron(`0 0 * * ${sunday}`), at("2026-11-23T00:00:00Z"))).toBe(at("2026-11-29T00:00:00Z"))
  })
  it("counts a year of every second without listing it", () => {
    const started = performance.now()
    const slots = slotsBetween(cron("* * * * * *", "America/New_York"), at("2026-01-01T00:00:00Z"), at("2027-01-01T00:00:00Z"))
    expect(slots.count).toBe(365 * 86_400)
    expect(slots.newest(11)).toHaveLength(11)
    expect(performance.now() - started).toBeLessThan(2_000)
  })
})

describe("cron that is refused", () => {
  it.each([
    ["", "CRON_FIELDS"],
    ["* * * *", "CRON_FIELDS"],
    ["* * * * * * *", "CRON_FIELDS"],
    ["60 * * * *", "CRON_RANGE"],
    ["* 24 * * *", "CRON_RANGE"],
    ["* * 0 * *", "CRON_RANGE"],
    ["* * 32 * *", "CRON_RANGE"],
    ["* * * 13 *", "CRON_RANGE"],
    ["* * * 0 *", "CRON_RANGE"],
    ["* * * * 8", "CRON_RANGE"],
    ["60 * * * * *", "CRON_RANGE"],
    ["*/0 * * * *", "CRON_STEP"],
    ["0-59/0 * * * *", "CRON_STEP"],
    ["*/-5 * * * *", "CRON_STEP"],
    ["1/2/3 * * * *", "CRON_STEP"],
    ["*/90 * * * *", "CRON_STEP"],
    ["*/ * * * *", "CRON_STEP"],
    ["5-1 * * * *", "CRON_RANGE_ORDER"],
    ["* 22-2 * * *", "CRON_RANGE_ORDER"],
    ["1e3 * * * *", "CRON_NUMBER"],
    ["0x5 * * * *", "CRON_NUMBER"],
    ["1.5 * * * *", "CRON_NUMBER"],
    ["-1 * * * *", "CRON_NUMBER"],
    ["５ * * * *", "CRON_NUMBER"],
    ["1-2-3 * * * *", "CRON_NUMBER"],
    ["1, * * * *", "CRON_NUMBER"],
    ["*5 * * * *", "CRON_NUMBER"],
    ["1\u0000 * * * *", "CRON_NUMBER"],
    ["* * * JAN-FOO *", "CRON_NAME"],
    ["* * * * monday", "CRON_NAME"],
    ["MON * * * *", "CRON_NAME"],
    ["* * L * *", "CRON_UNSUPPORTED", "L"],
    ["* * 15W * *", "CRON_UNSUPPORTED", "W"],
    ["* * LW * *", "CRON_UNSUPPORTED", "LW"],
    ["* * W * *", "CRON_UNSUPPORTED", "W"],
    ["* * L-3 * *", "CRON_UNSUPPORTED", "L"],
    ["* * * * MON#2", "CRON_UNSUPPORTED", "#"],
    ["* * * * FRIL", "CRON_UNSUPPORTED", "L"],
    ["* * ? * *", "CRON_UNSUPPORTED", "?"],
    ["H * * * *", "CRON_UNSUPPORTED", "H"],
    ["@reboot", "CRON_UNSUPPORTED", "trigger"],
    ["@Reboot", "CRON_UNSUPPORTED", "trigger"],
    ["@every 5m", "CRON_UNSUPPORTED", "every:"],
    ["@fortnightly", "CRON_UNSUPPORTED", "five fields"],
    ["0 0 31 2 *", "CRON_NEVER"],
    ["* * 30 2 *", "CRON_NEVER"],
    ["0 0 31 4,6,9,11 *", "CRON_NEVER"],
    ["* ".repeat(50_000), "CRON_TOO_LONG"],
    [`${"1,".repeat(50_000)}1 * * * *`, "CRON_TOO_LONG"]
  ])("%j is %s", (expression, code, named?: string) => {
    const found = refusal(expression)
    expect(found).toMatchObject({ code, where: "a/SKILL.md:4" })
    expect(found!.got.length).toBeLessThanOrEqual(120)
    if (named !== undefined) expect(found!.fix).toContain(named)
  })
  it.each([
    ["* * * *", "4 fields", "5 fields, or 6 with seconds"],
    ["60 * * * *", "60 as minute", "0 to 59"],
    ["* * * * 8", "8 as day-of-week", "0 to 7"],
    ["1, * * * *", "nothing as minute", "whole numbers of 0 to 59"],
    ["* * * JAN-FOO *", "JAN-FOO as month", "jan, feb, mar, apr, may, jun, jul, aug, sep, oct, nov, dec"]
  ])("%j is told what was found and what is wanted", (expression, got, want) => {
    expect(refusal(expression)).toMatchObject({ got, want })
  })
  it.each([
    ["America/Nowhere", "America/"],
    ["Europe/Berln", "Europe/Berlin"],
    ["EST5EDT4", undefined],
    ["+25:00", undefined],
    ["+09:00", undefined],
    ["", undefined],
    ["Asia/Tokyo\u0000", undefined]
  ])("zone %j is TIMEZONE_UNKNOWN", (zone, near) => {
    const found = refusal("* * * * *", zone)
    expect(found).toMatchObject({ code: "TIMEZONE_UNKNOWN" })
    if (near !== undefined) expect(found!.fix).toContain(near)
  })
})
