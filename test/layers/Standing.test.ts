/** Skills that keep failing, or that end the runtime: put aside, tried again, trusted again; and what that does to their slots. */
import { Effect } from "effect"
import { assert, describe, it } from "vitest"
import type { JournalEvent } from "../../src/domain/JournalEvent.ts"
import { iso } from "../../src/domain/Run.ts"
import type { DiskMemory } from "../../src/layers/DiskMemory.ts"
import type { SkillGiven } from "../../src/layers/Holdfast.ts"
import { effectWork } from "../../src/layers/SkillFunction.ts"
import { checkRuns } from "../../src/testing/checkers/runs.ts"
import { checkSlots } from "../../src/testing/checkers/slots.ts"
import { afterCrash, makeWorld } from "../../src/testing/World.ts"
import { beginningMs, inVirtualTime } from "../property.ts"

const minuteMs = 60_000
const hourMs = 60 * minuteMs
const broken = Effect.fail(new Error("no"))

/** A skill each minute that is tried once; `work` is asked anew for every run. */
const given = (work: () => Effect.Effect<void, unknown>, settings: Partial<SkillGiven["settings"]> = {}, name = "job"): SkillGiven => ({
  name,
  description: "",
  settings: { schedule: { every: "1 minute" }, retry: { attempts: 1 }, ...settings },
  work: effectWork(() => Effect.suspend(work))
})
const clock = (atMs: number) => iso(atMs).slice(11, 16)
const story = (events: ReadonlyArray<JournalEvent>) =>
  events.flatMap((event) => {
    switch (event.type) {
      case "run.settled":
        return [`${clock(event.atMs)} ${event.outcome}`]
      case "skill.quarantined":
        return [`${clock(event.atMs)} aside: ${event.why}${event.probeAtMs === undefined ? "" : `, until ${clock(event.probeAtMs)}`}`]
      case "skill.released":
        return [`${clock(event.atMs)} released by ${event.by}`]
      case "skill.paused":
        return [`${clock(event.atMs)} paused by ${event.by}: ${event.why}`]
      default:
        return []
    }
  })

describe("a skill whose runs keep failing", () => {
  it("is put aside after five in a quarter of an hour, and tried again after 1 h, 2 h, 4 h, up to a day", () =>
    inVirtualTime(
      Effect.gen(function* () {
        const world = yield* makeWorld({ skills: [given(() => broken, { catchUp: "all" })] })
        yield* world.pass(9 * hourMs)
        assert.deepStrictEqual(story(world.events()), [
          ...["06:01", "06:02", "06:03", "06:04", "06:05"].map((at) => `${at} failed`),
          "06:05 aside: its runs keep failing, until 07:05",
          "07:05 failed",
          "07:05 aside: its probe failed, the 1. time, until 09:05",
          "09:05 failed",
          "09:05 aside: its probe failed, the 2. time, until 13:05",
          "13:05 failed",
          "13:05 aside: its probe failed, the 3. time, until 21:05"
        ])
        assert.strictEqual(world.events().filter(({ type }) => type === "run.claimed").length, 8)
        assert.deepStrictEqual(checkSlots(world.events(), beginningMs + 7 * hourMs), [])
      })
    ))

  it("goes on at once when a probe succeeds, and made good what waited by its catchUp", () =>
    inVirtualTime(
      Effect.gen(function* () {
        let works = false
        const world = yield* makeWorld({ skills: [given(() => (works ? Effect.void : broken))] })
        yield* world.pass(30 * minuteMs)
        const [aside] = yield* world.supervisor.skills
        assert.deepStrictEqual([aside?.state, aside?.reason], ["quarantined", "its runs keep failing; tried again at 2026-11-22T07:05:00Z"])
        works = true
        yield* world.pass(36 * minuteMs)
        const after = world.events().slice(world.events().findIndex(({ type }) => type === "skill.quarantined") + 1)
        assert.deepStrictEqual(story(after), ["07:05 success", "07:05 released by its probe, which succeeded", "07:06 success"])
        const coalesced = after.find((event) => event.type === "slot.settled")
        assert.strictEqual(coalesced?.type === "slot.settled" ? coalesced.count : 0, 59)
        assert.deepStrictEqual(checkSlots(world.events(), beginningMs + 66 * minuteMs), [])
      })
    ))

  it("stays aside over a restart, until the same instant", () =>
    inVirtualTime(
      Effect.gen(function* () {
        const skills = [given(() => broken)]
        const disk = yield* Effect.scoped(
          Effect.gen(function* () {
            const world = yield* makeWorld({ skills })
            yield* world.pass(10 * minuteMs)
            return afterCrash(world)
          })
        )
        const world = yield* makeWorld({ skills, disk })
        yield* world.pass(54 * minuteMs)
        assert.strictEqual(story(world.events()).length, 6)
        yield* world.pass(minuteMs)
        assert.deepStrictEqual(story(world.events()).slice(6), ["07:05 failed", "07:05 aside: its probe failed, the 1. time, until 09:05"])
      })
    ))

  it("is tried at once when it was changed: while the runtime works, and while it was away", () =>
    inVirtualTime(
      Effect.gen(function* () {
        const skill = (description: string, work: Effect.Effect<void, unknown> = broken): SkillGiven => ({
          ...given(() => work),
          description
        })
        const disk = yield* Effect.scoped(
          Effect.gen(function* () {
            const world = yield* makeWorld({ skills: [skill("first")] })
            yield* world.pass(10 * minuteMs)
            yield* world.reload([skill("second")])
            yield* world.pass(10 * minuteMs)
            return afterCrash(world)
          })
        )
        const world = yield* makeWorld({ skills: [skill("third", Effect.void)], disk })
        yield* world.pass(minuteMs)
        assert.deepStrictEqual(story(world.events()).slice(6), [
          "06:10 aside: its runs keep failing, until 06:10",
          "06:10 failed",
          "06:10 aside: its probe failed, the 1. time, until 08:10",
          "06:20 aside: its probe failed, the 1. time, until 06:20",
          "06:20 success",
          "06:20 released by its probe, which succeeded",
          "06:21 success"
        ])
        assert.deepStrictEqual(checkSlots(world.events(), beginningMs + 21 * minuteMs), [])
      })
    ))

  it("is not put aside by failures that are further apart, by none that is cancelled, and never where it says so", () =>
    inVirtualTime(
      Effect.gen(function* () {
        const world = yield* makeWorld({
          skills: [
            given(() => broken, { schedule: { every: "4 minutes" } }, "seldom"),
            given(() => broken, { quarantine: { failures: 0 } }, "never"),
            given(() => broken, { quarantine: { failures: 2, within: "1 minute 30 seconds" } }, "soon")
          ]
        })
        yield* world.pass(30 * minuteMs)
        const aside = world.events().flatMap((event) => (event.type === "skill.quarantined" ? [`${event.skill} ${clock(event.atMs)}`] : []))
        assert.deepStrictEqual(aside, ["soon 06:02"])
      })
    ))

  it("is not blamed for a link that is away when its work needs it", () =>
    inVirtualTime(
      Effect.gen(function* () {
        const away = Effect.fail(Object.assign(new Error("no session"), { needs: "session" }))
        const world = yield* makeWorld({ skills: [given(() => away, { pauseAfter: 1 })] })
        yield* world.pass(10 * minuteMs)
        const failures = world.events().flatMap((event) => (event.type === "run.settled" ? [event.failure] : []))
        assert.deepStrictEqual(
          failures,
          Array.from({ length: 10 }, () => ({ code: "RUN_THREW", class: "link" }))
        )
        assert.isFalse(world.events().some(({ type }) => type === "skill.quarantined" || type === "skill.paused"))
      })
    ))

  it("works again at once when a person releases it, with its failures forgotten", () =>
    inVirtualTime(
      Effect.gen(function* () {
        const world = yield* makeWorld({ skills: [given(() => broken)] })
        yield* world.pass(5 * minuteMs)
        assert.strictEqual((yield* Effect.flip(world.supervisor.trigger("job"))).code, "SKILL_ASIDE")
        yield* world.supervisor.release("job", "operator")
        yield* world.pass(5 * minuteMs)
        assert.deepStrictEqual(story(world.events()).slice(5), [
          "06:05 aside: its runs keep failing, until 07:05",
          "06:05 released by operator",
          ...["06:06", "06:07", "06:08", "06:09", "06:10"].map((at) => `${at} failed`),
          "06:10 aside: its runs keep failing, until 07:10"
        ])
      })
    ))

  it("gets another probe where the first one was cancelled", () =>
    inVirtualTime(
      Effect.gen(function* () {
        let fails = true
        const world = yield* makeWorld({ skills: [given(() => (fails ? broken : Effect.never))] })
        yield* world.pass(10 * minuteMs)
        fails = false
        yield* world.pass(56 * minuteMs)
        const probe = world.events().findLast((event) => event.type === "run.claimed")
        yield* world.supervisor.cancelRun(probe?.type === "run.claimed" ? probe.run : "", "operator")
        yield* world.pass(minuteMs)
        const claimed = world.events().flatMap((event) => (event.type === "run.claimed" ? [clock(event.atMs)] : []))
        assert.deepStrictEqual(claimed.slice(5), ["07:05", "07:06"])
      })
    ))
})

describe("pauseAfter", () => {
  it("pauses a skill after so many failures in a row, until somebody resumes it", () =>
    inVirtualTime(
      Effect.gen(function* () {
        let runs = 0
        const world = yield* makeWorld({ skills: [given(() => (++runs === 2 ? Effect.void : broken), { pauseAfter: 3 })] })
        yield* world.pass(10 * minuteMs)
        assert.deepStrictEqual(story(world.events()), [
          "06:01 failed",
          "06:02 success",
          "06:03 failed",
          "06:04 failed",
          "06:05 failed",
          "06:05 paused by holdfast: 3 runs in a row failed"
        ])
        assert.strictEqual((yield* world.supervisor.skills)[0]?.state, "paused")
        yield* world.supervisor.resume("job", { by: "operator", why: "" })
        yield* world.pass(minuteMs)
        assert.deepStrictEqual(story(world.events()).slice(6), ["06:11 failed"])
      })
    ))
})

describe("a skill that was alone at work when the runtime died", () => {
  /** Lives of half a minute each, every one of them ended by a crash. */
  const lives = Effect.fnUntraced(function* (skills: ReadonlyArray<SkillGiven>, count: number) {
    let disk: DiskMemory | undefined
    for (let life = 0; life < count; life++) {
      disk = yield* Effect.scoped(
        Effect.gen(function* () {
          const world = yield* makeWorld({ skills, ...(disk === undefined ? {} : { disk }) })
          yield* world.pass(90_000)
          return afterCrash(world)
        })
      )
    }
    return yield* makeWorld({ skills, disk: disk! })
  })

  it("is put aside at the second such start, its run with it, and tried again later", () =>
    inVirtualTime(
      Effect.gen(function* () {
        const world = yield* lives([given(() => Effect.never, {}, "deadly"), given(() => Effect.void, {}, "well")], 2)
        yield* world.pass(5 * minuteMs)
        const events = world.events()
        assert.deepStrictEqual(
          events.flatMap((event) => (event.type === "skill.quarantined" ? [`${event.skill}: ${event.why}`] : [])),
          ["deadly: the runtime died 2 times while it alone was at work"]
        )
        const attempts = () => world.events().filter((event) => event.type === "attempt.started" && event.run.startsWith("deadly")).length
        assert.strictEqual(attempts(), 2)
        assert.strictEqual(
          events.findLast((event) => event.type === "run.settled" && event.run.startsWith("well"))?.atMs,
          beginningMs + 8 * minuteMs
        )
        yield* world.pass(56 * minuteMs)
        assert.strictEqual(attempts(), 3)
        assert.deepStrictEqual(checkRuns(world.events()), [])
      })
    ))

  it("is innocent where another one was at work as well", () =>
    inVirtualTime(
      Effect.gen(function* () {
        const world = yield* lives([given(() => Effect.never, {}, "a"), given(() => Effect.never, {}, "b")], 4)
        assert.isFalse(world.events().some(({ type }) => type === "skill.quarantined"))
      })
    ))
})
