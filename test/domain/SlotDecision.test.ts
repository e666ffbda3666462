/** The decision over owed slots: each of them is settled once, whatever days off and limits lie between. */
import fc from "fast-check"
import { assert, describe, it } from "vitest"
import { type Schedule, slotsBetween } from "../../src/domain/Schedule.ts"
import { type Circumstances, decideSlots, type SlotDecision } from "../../src/domain/SlotDecision.ts"
import { anyTime, type Timing } from "../../src/domain/Timing.ts"

const hourMs = 3_600_000
const dayMs = 24 * hourMs
const at = (text: string) => Date.parse(text)
const daily: Schedule = { _tag: "Cron", expression: "0 6 * * *", zone: "Europe/Berlin" }
const paced: Schedule = { _tag: "Paced", times: 4, fromMinute: 9 * 60, toMinute: 21 * 60, apartMs: 3 * hourMs, zone: "UTC" }

const decide = (
  schedule: Schedule,
  timing: Partial<Timing>,
  catchUp: "latest" | "all" | "none",
  circumstances: Partial<Circumstances> & Pick<Circumstances, "nowMs" | "settledThroughMs">
) =>
  decideSlots({ timing: { ...anyTime, ...timing }, catchUp }, schedule, {
    lastClaimedAtMs: undefined,
    overlap: undefined,
    turn: () => circumstances.nowMs,
    ...circumstances
  })

/** `06:00 run`, `06:00..09:00 missed`, `wait until 11:00`. */
const words = (decision: SlotDecision): ReadonlyArray<string> => {
  const clock = (ms: number) => new Date(ms).toISOString().slice(5, 16).replace("T", " ")
  if (decision._tag === "Wait") return [`wait until ${clock(decision.untilMs)}: ${decision.reason}`]
  return [
    ...decision.settled.map(
      ({ slot, through, verdict, reason }) =>
        [slot, `${clock(slot)}${slot === through ? "" : ` to ${clock(through)}`} ${verdict}: ${reason}`] as const
    ),
    ...decision.runs.map(
      ({ slotAtMs, missed }) => [slotAtMs, `${clock(slotAtMs)} run${missed === 0 ? "" : ` for ${missed} more`}`] as const
    )
  ]
    .sort(([a], [b]) => a - b)
    .map(([, text]) => text)
}

describe("late work", () => {
  const hours = { zone: "Europe/Berlin", lateHours: { fromMinute: 11 * 60, toMinute: 18 * 60 } }
  const since = { settledThroughMs: at("2026-11-24T05:00:00Z") }

  it("waits for its hours, on the clock of its zone", () => {
    const decision = decide(daily, hours, "latest", { ...since, nowMs: at("2026-11-25T08:00:00Z") })
    assert.deepStrictEqual(words(decision), ["wait until 11-25 10:00: late work begins after 11:00"])
  })
  it("begins within them, at both of their ends", () => {
    for (const now of ["2026-11-25T10:00:00Z", "2026-11-25T17:00:00Z"])
      assert.deepStrictEqual(words(decide(daily, hours, "latest", { ...since, nowMs: at(now) })), ["11-25 05:00 run"])
  })
  it("waits for the next day after them", () => {
    const decision = decide(daily, hours, "latest", { ...since, nowMs: at("2026-11-25T17:01:00Z") })
    assert.deepStrictEqual(words(decision), ["wait until 11-26 10:00: late work begins after 11:00"])
  })
  it("may have hours over midnight", () => {
    const night = { zone: "UTC", lateHours: { fromMinute: 22 * 60, toMinute: 4 * 60 } }
    assert.deepStrictEqual(words(decide(daily, night, "latest", { ...since, nowMs: at("2026-11-25T23:30:00Z") })), ["11-25 05:00 run"])
    assert.deepStrictEqual(words(decide(daily, night, "latest", { ...since, nowMs: at("2026-11-25T12:00:00Z") })), [
      "wait until 11-25 22:00: late work begins after 22:00"
    ])
  })
  it("does not keep a slot that is on time from running, and goes with it", () => {
    const now = { nowMs: at("2026-11-26T05:00:00Z"), ...since }
    assert.deepStrictEqual(words(decide(daily, hours, "latest", now)), [
      "11-25 05:00 coalesced: a later slot's run does its work",
      "11-26 05:00 run for 1 more"
    ])
    assert.deepStrictEqual(words(decide(daily, hours, "all", now)), [
      "11-25 05:00 missed: late, and the skill does not catch up",
      "11-26 05:00 run"
    ])
  })
  it("waits for its turn, and asks for one only when it is late", () => {
    const nowMs = at("2026-11-25T08:00:00Z")
    const turn = () => nowMs + 1_000
    assert.deepStrictEqual(words(decide(daily, {}, "latest", { ...since, nowMs, turn })), [
      "wait until 11-25 08:00: late work begins at a bounded rate"
    ])
    const onTime = { ...since, nowMs: at("2026-11-25T05:00:01Z"), turn: () => assert.fail("asked") }
    assert.deepStrictEqual(words(decide(daily, {}, "latest", onTime)), ["11-25 05:00 run"])
  })
  it("older than the window, or than the time to begin in, is missed", () => {
    const now = { settledThroughMs: at("2026-11-22T05:00:00Z"), nowMs: at("2026-11-25T08:00:00Z") }
    assert.deepStrictEqual(words(decide(daily, { catchUpWindowMs: 27 * hourMs }, "all", now)), [
      "11-23 05:00 missed: older than the catch-up window",
      "11-24 05:00 run",
      "11-25 05:00 run"
    ])
    assert.deepStrictEqual(words(decide(daily, { startWithinMs: hourMs }, "latest", now)), [
      "11-23 05:00 to 11-25 05:00 missed: too late to begin"
    ])
  })
})

describe("a day off", () => {
  it("skips its slots, and those around it are settled as ever", () => {
    const daysOff = [{ from: "2026-12-24", through: "2026-12-26" }]
    const now = { settledThroughMs: at("2026-12-22T05:00:00Z"), nowMs: at("2026-12-28T05:00:00Z") }
    assert.deepStrictEqual(words(decide(daily, { zone: "Europe/Berlin", daysOff }, "latest", now)), [
      "12-23 05:00 coalesced: a later slot's run does its work",
      "12-24 05:00 to 12-26 05:00 skipped: 2026-12-24 to 2026-12-26 are days off",
      "12-27 05:00 coalesced: a later slot's run does its work",
      "12-28 05:00 run for 2 more"
    ])
  })
  it("begins and ends at midnight of its zone", () => {
    const hourly: Schedule = { _tag: "Cron", expression: "0 * * * *", zone: "UTC" }
    const daysOff = [{ from: "2026-12-24", through: "2026-12-24" }]
    const now = { settledThroughMs: at("2026-12-23T14:30:00Z"), nowMs: at("2026-12-24T15:00:00Z") }
    assert.deepStrictEqual(words(decide(hourly, { zone: "Asia/Tokyo", daysOff }, "none", now)), [
      "12-23 15:00 to 12-24 14:00 skipped: 2026-12-24 is a day off",
      "12-24 15:00 run"
    ])
  })
})

describe("a delay of its own", () => {
  it("puts the start off and not the slot", () => {
    const settledThroughMs = at("2026-11-24T05:00:00Z")
    const early = decide(daily, { delayMs: 90_000 }, "latest", { settledThroughMs, nowMs: at("2026-11-25T05:01:29Z") })
    assert.deepStrictEqual(words(early), [])
    const turn = () => assert.fail("it is not late")
    const due = decide(daily, { delayMs: 90_000 }, "none", { settledThroughMs, nowMs: at("2026-11-25T05:01:30Z"), turn })
    assert.deepStrictEqual(words(due), ["11-25 05:00 run"])
  })
})

describe("so many times a day", () => {
  const day = (clock: string) => at(`2026-11-25T${clock}:00Z`)
  const since = { settledThroughMs: day("00:00") }

  it("spreads its slots over the hours", () => {
    const slots = slotsBetween(paced, day("00:00"), day("23:59"))
    assert.deepStrictEqual(slots.newest(9), [day("09:00"), day("13:00"), day("17:00"), day("21:00")])
  })
  it("begins the oldest first after a loss, and the next not before it is apart", () => {
    assert.deepStrictEqual(words(decide(paced, {}, "latest", { ...since, nowMs: day("15:00") })), ["11-25 09:00 run"])
    const after = { settledThroughMs: day("09:00"), nowMs: day("15:00"), lastClaimedAtMs: day("15:00") }
    assert.deepStrictEqual(words(decide(paced, {}, "latest", after)), ["wait until 11-25 18:00: its runs are 3 hours apart"])
  })
  it("lets go what has no room in its day", () => {
    const now = { settledThroughMs: day("17:00"), nowMs: day("21:00"), lastClaimedAtMs: day("21:00") }
    assert.deepStrictEqual(words(decide(paced, {}, "latest", now)), ["11-25 21:00 missed: no room is left in its day"])
    const later = { settledThroughMs: day("13:00"), nowMs: at("2026-11-26T02:00:00Z") }
    assert.deepStrictEqual(words(decide(paced, {}, "latest", later)), ["11-25 17:00 to 11-25 21:00 missed: its day is over"])
  })
})

describe("every decision", () => {
  const date = fc.integer({ min: 0, max: 9 }).map((n) => `2026-12-${String(20 + n).padStart(2, "0")}`)
  const timing = fc.record({
    zone: fc.constantFrom("UTC", "Asia/Tokyo", "America/St_Johns"),
    delayMs: fc.constantFrom(0, 90_000),
    catchUpWindowMs: fc.constantFrom(Infinity, 6 * hourMs, 3 * dayMs),
    startWithinMs: fc.constantFrom(Infinity, 30 * 60_000, 2 * dayMs),
    lateHours: fc.constantFrom(undefined, { fromMinute: 660, toMinute: 1_080 }),
    daysOff: fc.array(
      fc.tuple(date, date).map(([a, b]) => ({ from: a < b ? a : b, through: a < b ? b : a })),
      { maxLength: 3 }
    )
  })
  const schedule = fc.constantFrom<Schedule[]>(
    daily,
    paced,
    { _tag: "Cron", expression: "*/30 8-20 * * *", zone: "Asia/Tokyo" },
    { _tag: "Every", everyMs: 7 * 60_000, anchorMs: 0 }
  )
  it("settles each owed slot once, or leaves all that are not before a run for later", () =>
    fc.assert(
      fc.property(
        schedule,
        timing,
        fc.constantFrom("latest" as const, "all" as const, "none" as const),
        fc.integer({ min: 0, max: 9 * dayMs }),
        fc.integer({ min: 0, max: 9 * dayMs }),
        fc.option(fc.constant("busy"), { nil: undefined }),
        (schedule, timing, catchUp, a, b, overlap) => {
          const settledThroughMs = at("2026-12-20T00:00:00Z") + Math.min(a, b)
          const nowMs = at("2026-12-20T00:00:00Z") + Math.max(a, b)
          const decision = decide(schedule, timing, catchUp, { settledThroughMs, nowMs, overlap })
          if (decision._tag === "Wait") return assert.isAbove(decision.untilMs, nowMs)
          const throughMs = Math.max(0, ...decision.runs.map(({ slotAtMs }) => slotAtMs), ...decision.settled.map(({ through }) => through))
          const owed = slotsBetween(schedule, settledThroughMs, nowMs - timing.delayMs)
          const expected = owed.newest(owed.count).filter((slot) => schedule._tag !== "Paced" || slot <= throughMs)
          const found = [
            ...decision.runs.map(({ slotAtMs }) => slotAtMs),
            ...decision.settled.flatMap(({ slot, through, count }) => {
              const range = slotsBetween(schedule, slot - 1, through)
              assert.strictEqual(range.count, count)
              return range.newest(count)
            })
          ].sort((x, y) => x - y)
          assert.deepStrictEqual(found, expected)
          for (const { into } of decision.settled)
            if (into !== undefined)
              assert.include(
                decision.runs.map(({ slotAtMs }) => slotAtMs),
                into
              )
        }
      ),
      { numRuns: 3_000 }
    ))
})
