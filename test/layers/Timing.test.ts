/** When work begins beyond its slot, in whole worlds: what waits says why, begins when it may, and is on record once. */
import { Effect } from "effect"
import { assert, describe, it } from "vitest"
import type { JournalEvent } from "../../src/domain/JournalEvent.ts"
import { iso } from "../../src/domain/Run.ts"
import type { SkillGiven } from "../../src/layers/Holdfast.ts"
import { effectWork } from "../../src/layers/SkillFunction.ts"
import { checkSlots } from "../../src/testing/checkers/slots.ts"
import { afterCrash, makeWorld } from "../../src/testing/World.ts"
import { beginningMs, inVirtualTime } from "../property.ts"

const hourMs = 3_600_000
const given = (settings: SkillGiven["settings"], name = "job", work: Effect.Effect<void> = Effect.void): SkillGiven => ({
  name,
  description: "",
  settings,
  work: effectWork(() => work)
})
const clock = (atMs: number) => iso(atMs).slice(11, 19)
const begun = (events: ReadonlyArray<JournalEvent>) =>
  events.flatMap((event) => (event.type === "attempt.started" ? [clock(event.atMs)] : []))
const settled = (events: ReadonlyArray<JournalEvent>) =>
  events.flatMap((event) => (event.type === "slot.settled" ? [`${clock(event.slot)} ${event.verdict}: ${event.reason}`] : []))

/** A world that lay still for `awayMs` after a crash, and what it does in the `passMs` after that. */
const afterOutage = Effect.fnUntraced(function* (skills: ReadonlyArray<SkillGiven>, awayMs: number) {
  const before = yield* Effect.scoped(
    makeWorld({ skills }).pipe(
      Effect.tap((world) => world.pass(1_000)),
      Effect.map(afterCrash)
    )
  )
  yield* (yield* Effect.scoped(makeWorld({ skills: [] }))).pass(awayMs)
  return yield* makeWorld({ skills, disk: before })
})

describe("jitter", () => {
  it("puts each start off by the same share of it, and leaves the slot where it is", () =>
    inVirtualTime(
      Effect.gen(function* () {
        const world = yield* makeWorld({ skills: [given({ schedule: { every: "1 minute" }, jitter: "30 seconds" })] })
        yield* world.pass(180_000)
        const claims = world.events().flatMap((event) => (event.type === "run.claimed" ? [event] : []))
        assert.deepStrictEqual(
          claims.map(({ slot }) => clock(slot)),
          ["06:01:00", "06:02:00"]
        )
        const delays = claims.map(({ atMs, slot }) => atMs - slot)
        assert.isTrue(delays.every((delay) => delay === delays[0] && delay > 0 && delay <= 30_000))
      })
    ))
})

describe("startWithin", () => {
  it("ends a run that waited too long for another one, without an attempt", () =>
    inVirtualTime(
      Effect.gen(function* () {
        const slow = given(
          { schedule: { every: "1 minute" }, overlap: "bufferOne", startWithin: "30 seconds" },
          "job",
          Effect.sleep(100_000)
        )
        const world = yield* makeWorld({ skills: [slow] })
        yield* world.pass(60_000 + 100_000 + 1)
        const ends = world
          .events()
          .flatMap((event) => (event.type === "run.settled" ? [`${event.run.slice(4)} ${event.outcome} ${event.reason}`] : []))
        assert.deepStrictEqual(ends, [
          "20261122T060100Z success ",
          "20261122T060200Z cancelled could not begin within 30 seconds of its slot"
        ])
        assert.deepStrictEqual(begun(world.events()), ["06:01:00"])
      })
    ))
})

describe("lateHours", () => {
  it("keep late work waiting, with the reason, until they begin", () =>
    inVirtualTime(
      Effect.gen(function* () {
        const daily = given({ schedule: { cron: "30 6 * * *", timezone: "UTC" }, lateHours: { notBefore: "11:00", notAfter: "18:00" } })
        const world = yield* afterOutage([daily], 3 * hourMs)
        const [skill] = yield* world.supervisor.skills
        assert.deepStrictEqual([skill?.state, skill?.reason], ["postponed", "late work begins after 11:00"])
        yield* world.pass(3 * hourMs)
        assert.deepStrictEqual(begun(world.events()), ["11:00:00"])
        assert.deepStrictEqual(checkSlots(world.events(), beginningMs + 6 * hourMs), [])
      })
    ))
  it("give way to the next slot, whose run does the work too", () =>
    inVirtualTime(
      Effect.gen(function* () {
        const daily = given({ schedule: { cron: "30 6 * * *", timezone: "UTC" }, lateHours: { notBefore: "11:00", notAfter: "18:00" } })
        const world = yield* afterOutage([daily], 14 * hourMs)
        yield* world.pass(24 * hourMs)
        assert.deepStrictEqual(begun(world.events()), ["06:30:00"])
        assert.deepStrictEqual(settled(world.events()), [
          "06:30:00 coalesced: a later slot's run does its work; held: late work begins after 11:00"
        ])
      })
    ))
})

describe("so many times a day", () => {
  const posts = given({ schedule: { times: 4, between: ["09:00", "21:00"], apart: "3 hours", timezone: "UTC" } }, "posts")

  it("runs at its times while all is well", () =>
    inVirtualTime(
      Effect.gen(function* () {
        const world = yield* makeWorld({ skills: [posts] })
        yield* world.pass(30 * hourMs)
        assert.deepStrictEqual(begun(world.events()), ["09:00:00", "13:00:00", "17:00:00", "21:00:00", "09:00:00"])
      })
    ))
  it("is planned again for the rest of the day after a loss, and never bunched", () =>
    inVirtualTime(
      Effect.gen(function* () {
        const world = yield* afterOutage([posts], 9 * hourMs - 1_000)
        yield* world.pass(24 * hourMs)
        assert.deepStrictEqual(begun(world.events()), ["15:00:00", "18:00:00", "21:00:00", "09:00:00", "13:00:00"])
        assert.deepStrictEqual(settled(world.events()), ["21:00:00 missed: no room is left in its day"])
        assert.deepStrictEqual(checkSlots(world.events(), beginningMs + 33 * hourMs), [])
      })
    ))
})

describe("late work of many skills", () => {
  it("begins at a bounded rate, by its cost, and that of no slot on time waits for it", () =>
    inVirtualTime(
      Effect.gen(function* () {
        const skills = Array.from({ length: 80 }, (_, i) =>
          given({ schedule: { every: "1 hour" }, cost: i < 10 ? 5 : 1 }, `job-${String(i).padStart(2, "0")}`)
        )
        const world = yield* afterOutage([...skills, given({ schedule: { every: "1 second" } }, "tick")], 2 * hourMs + 60_000)
        const againMs = beginningMs + 2 * hourMs + 61_000
        yield* world.pass(14_000)
        const late = world.events().flatMap((event) => {
          if (event.type !== "attempt.started" || event.run.startsWith("tick")) return []
          return [{ afterMs: event.atMs - againMs, cost: Number(event.run.slice(4, 6)) < 10 ? 5 : 1 }]
        })
        const begunWithin = (ms: number) => late.filter(({ afterMs }) => afterMs <= ms).reduce((sum, { cost }) => sum + cost, 0)
        assert.strictEqual(begunWithin(14_000), 120) // All of it, and no sooner than it may: fifty at once, then five a second.
        for (let ms = 0; ms < 14_000; ms += 200) assert.isAtMost(begunWithin(ms), 51 + ms / 200)
        assert.isAtLeast(begunWithin(0), 46)
        const ticks = world
          .events()
          .flatMap((event) =>
            event.type === "run.claimed" && event.skill === "tick" && event.missed === 0 ? [event.atMs - event.slot] : []
          )
        assert.isAbove(ticks.length, 10)
        assert.deepStrictEqual(new Set(ticks), new Set([0]))
        assert.deepStrictEqual(checkSlots(world.events(), beginningMs + 2 * hourMs), [])
      })
    ))
})
