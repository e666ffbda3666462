/** One skill in virtual time: which slots become runs, and what the others become. */
import { Effect } from "effect"
import { TestClock } from "effect/testing"
import { assert, describe, it } from "vitest"
import type { JournalEvent } from "../../src/domain/JournalEvent.ts"
import { iso } from "../../src/domain/Run.ts"
import type { SkillGiven } from "../../src/layers/Holdfast.ts"
import { effectWork, type EffectSkillContext } from "../../src/layers/SkillFunction.ts"
import { afterCrash, makeWorld } from "../../src/testing/World.ts"
import { beginningMs, inVirtualTime } from "../property.ts"

const given = (
  settings: SkillGiven["settings"],
  work: (ctx: EffectSkillContext) => Effect.Effect<void | { readonly [key: string]: number }, unknown> = () => Effect.void
): SkillGiven => ({ name: "job", description: "", settings, work: effectWork(work) })

const at = (atMs: number) => iso(atMs).slice(11)
/** What the journal says became of the slots, in its order, each in a few words. */
const slots = (events: ReadonlyArray<JournalEvent>): ReadonlyArray<string> =>
  events.flatMap((event) => {
    switch (event.type) {
      case "run.claimed":
        return [`${at(event.slot)} run${event.missed > 0 ? ` for ${event.missed} more` : ""}`]
      case "slot.settled":
        return [`${at(event.slot)}${event.count > 1 ? `..${at(event.through)}` : ""} ${event.verdict}`]
      default:
        return []
    }
  })
const starts = (events: ReadonlyArray<JournalEvent>) =>
  events.flatMap((event) => (event.type === "attempt.started" ? [`${at(event.atMs)} attempt ${event.attempt}`] : []))
const ends = (events: ReadonlyArray<JournalEvent>) =>
  events.flatMap((event) => (event.type === "run.settled" ? [`${at(event.atMs)} ${event.outcome}`] : []))

describe("a slot", () => {
  it("becomes a run at its instant, claimed before it starts and settled after", () =>
    inVirtualTime(
      Effect.gen(function* () {
        const world = yield* makeWorld({ skills: [given({ schedule: { every: "10 seconds" } }, () => Effect.sleep(2_000))] })
        yield* world.pass(25_000)
        assert.deepStrictEqual(slots(world.events()), ["06:00:10Z run", "06:00:20Z run"])
        assert.deepStrictEqual(starts(world.events()), ["06:00:10Z attempt 1", "06:00:20Z attempt 1"])
        assert.deepStrictEqual(ends(world.events()), ["06:00:12Z success", "06:00:22Z success"])
      })
    ))

  it("is skipped, with its reason, while the run before it is under way", () =>
    inVirtualTime(
      Effect.gen(function* () {
        const world = yield* makeWorld({ skills: [given({ schedule: { every: "10 seconds" } }, () => Effect.sleep(25_000))] })
        yield* world.pass(40_000)
        assert.deepStrictEqual(slots(world.events()), ["06:00:10Z run", "06:00:20Z skipped", "06:00:30Z skipped", "06:00:40Z run"])
        const skipped = world.events().find((event) => event.type === "slot.settled")
        assert.strictEqual(skipped?.type === "slot.settled" ? skipped.reason : "", "job@20261122T060010Z is under way")
      })
    ))

  it("that a thousand skills share becomes a run of each, on time, and each settles", () =>
    inVirtualTime(
      Effect.gen(function* () {
        const skills = Array.from({ length: 1_000 }, (_, i) => ({ ...given({ schedule: { cron: "1 6 * * *" } }), name: `job-${i}` }))
        const world = yield* makeWorld({ skills })
        yield* world.pass(61_000)
        assert.deepStrictEqual([...new Set(starts(world.events()))], ["06:01:00Z attempt 1"])
        assert.deepStrictEqual(
          ends(world.events()).map((end) => end.split(" ")[1]),
          Array(1_000).fill("success")
        )
      })
    ))

  it("is not owed from before the skill was adopted", () =>
    inVirtualTime(
      Effect.gen(function* () {
        const world = yield* makeWorld({ skills: [given({ schedule: { cron: "30 5 * * *" } })] })
        yield* world.pass(3_600_000)
        assert.deepStrictEqual(slots(world.events()), [])
      })
    ))
})

/** A first life of 15 s, a crash, and a second life that begins 25 s later. */
const twoLives = Effect.fnUntraced(function* (skill: SkillGiven, second: SkillGiven = skill) {
  const first = yield* Effect.scoped(
    Effect.gen(function* () {
      const world = yield* makeWorld({ skills: [skill] })
      yield* world.pass(15_000)
      return afterCrash(world)
    })
  )
  yield* TestClock.setTime(beginningMs + 41_000)
  const world = yield* makeWorld({ skills: [second], disk: first })
  yield* world.pass(1_000)
  return world
})

describe("slots that were missed", () => {
  it("latest: the newest runs and says for how many more, the others are coalesced into it", () =>
    inVirtualTime(
      Effect.gen(function* () {
        const world = yield* twoLives(given({ schedule: { every: "10 seconds" } }))
        assert.deepStrictEqual(slots(world.events()), ["06:00:10Z run", "06:00:20Z..06:00:30Z coalesced", "06:00:40Z run for 2 more"])
      })
    ))

  it("all: each runs, oldest first, one after another", () =>
    inVirtualTime(
      Effect.gen(function* () {
        const world = yield* twoLives(given({ schedule: { every: "10 seconds" }, catchUp: "all" }, () => Effect.sleep(100)))
        assert.deepStrictEqual(slots(world.events()), ["06:00:10Z run", "06:00:20Z run", "06:00:30Z run", "06:00:40Z run"])
        assert.deepStrictEqual(ends(world.events()).length, 4)
      })
    ))

  it("none: the late ones are missed, the one that is on time runs", () =>
    inVirtualTime(
      Effect.gen(function* () {
        const world = yield* twoLives(given({ schedule: { every: "10 seconds" }, catchUp: "none" }))
        assert.deepStrictEqual(slots(world.events()), ["06:00:10Z run", "06:00:20Z..06:00:30Z missed", "06:00:40Z run"])
      })
    ))

  it("are superseded when the schedule has changed, and the new one owes nothing from before", () =>
    inVirtualTime(
      Effect.gen(function* () {
        const world = yield* twoLives(given({ schedule: { every: "10 seconds" } }), given({ schedule: { every: "15 seconds" } }))
        assert.deepStrictEqual(slots(world.events()), ["06:00:10Z run", "06:00:20Z..06:00:40Z superseded"])
        yield* world.pass(5_000)
        assert.deepStrictEqual(slots(world.events()).slice(-1), ["06:00:45Z run"])
      })
    ))

  it("are superseded when the skill is gone", () =>
    inVirtualTime(
      Effect.gen(function* () {
        const world = yield* twoLives(given({ schedule: { every: "10 seconds" } }), { ...given({}), name: "other" })
        assert.deepStrictEqual(slots(world.events()), ["06:00:10Z run", "06:00:20Z..06:00:40Z superseded"])
        assert.isTrue(world.store.ledger.skills.get("job")?.removed)
      })
    ))
})

describe("a run that the runtime died in", () => {
  const work = (ctx: EffectSkillContext) =>
    Effect.gen(function* () {
      const first = yield* ctx.step("first", () => Effect.succeed({ made: ctx.attempt }))
      yield* Effect.sleep(ctx.attempt === 1 ? 60_000 : 100)
      return { first: first.made }
    })

  it("is tried again under the same id, and a finished step gives its recorded result", () =>
    inVirtualTime(
      Effect.gen(function* () {
        const world = yield* twoLives(given({ schedule: { every: "10 seconds" } }, work))
        assert.deepStrictEqual(starts(world.events()), ["06:00:10Z attempt 1", "06:00:41Z attempt 2", "06:00:41.100Z attempt 1"])
        const settled = world.events().find((event) => event.type === "run.settled")
        assert.deepStrictEqual(settled?.type === "run.settled" ? [settled.run, settled.fields] : [], ["job@20261122T060010Z", { first: 1 }])
        assert.strictEqual(
          world.events().filter((event) => event.type === "step.started" && event.run === "job@20261122T060010Z").length,
          1
        )
      })
    ))

  it("stays interrupted, on record, where the skill says so", () =>
    inVirtualTime(
      Effect.gen(function* () {
        const world = yield* twoLives(given({ schedule: { every: "10 seconds" }, onInterruption: "record" }, work))
        assert.deepStrictEqual(ends(world.events()).slice(0, 1), ["06:00:41Z interrupted"])
        assert.deepStrictEqual(starts(world.events()).slice(0, 2), ["06:00:10Z attempt 1", "06:00:41Z attempt 1"])
      })
    ))
})

describe("a failed attempt", () => {
  it("is tried again after a delay that doubles, in a state that can be seen, until no try is left", () =>
    inVirtualTime(
      Effect.gen(function* () {
        const world = yield* makeWorld({
          skills: [
            given({ schedule: { at: iso(beginningMs + 1_000) }, retry: { attempts: 3, first: "2 seconds" } }, () =>
              Effect.fail(new Error("no luck"))
            )
          ]
        })
        yield* world.pass(2_000)
        assert.deepInclude(world.supervisor.actor("job")?.getSnapshot().value, { work: "executing" })
        const run = world.supervisor.actor("job")?.getSnapshot().children["job@20261122T060001Z"]
        assert.deepInclude(run?.getSnapshot(), { value: "retryable" })
        yield* world.pass(10_000)
        assert.deepStrictEqual(starts(world.events()), ["06:00:01Z attempt 1", "06:00:03Z attempt 2", "06:00:07Z attempt 3"])
        const settled = world.events().find((event) => event.type === "run.settled")
        assert.deepInclude(settled, { outcome: "failed", reason: "RUN_THREW: no luck" })
      })
    ))

  it("is not tried again when the error says that it cannot help", () =>
    inVirtualTime(
      Effect.gen(function* () {
        const world = yield* makeWorld({
          skills: [given({ schedule: { every: "1 minute" } }, () => Effect.fail({ message: "no", retryable: false }))]
        })
        yield* world.pass(61_000)
        assert.deepStrictEqual(starts(world.events()).length, 1)
      })
    ))

  it("is one that took too long", () =>
    inVirtualTime(
      Effect.gen(function* () {
        const world = yield* makeWorld({
          skills: [given({ schedule: { every: "1 minute" }, timeout: "3 seconds", retry: { attempts: 1 } }, () => Effect.never)]
        })
        yield* world.pass(64_000)
        const settled = world.events().find((event) => event.type === "run.settled")
        assert.deepInclude(settled, { outcome: "failed", reason: "RUN_TIMEOUT: took longer than 3000 ms" })
      })
    ))
})

describe("a trigger", () => {
  it("claims a run by hand, once for each key, and is refused while one is under way", () =>
    inVirtualTime(
      Effect.gen(function* () {
        const world = yield* makeWorld({ skills: [given({}, () => Effect.sleep(5_000))] })
        const first = yield* world.runtime.trigger("job", "again")
        assert.strictEqual(yield* world.runtime.trigger("job", "again"), first)
        const refused = yield* Effect.flip(world.runtime.trigger("job"))
        assert.deepInclude({ ...refused }, { code: "RUN_OVERLAP" })
        const unknown = yield* Effect.flip(world.runtime.trigger("jov"))
        assert.deepInclude({ ...unknown }, { code: "SKILL_UNKNOWN", fix: "did you mean job?" })
        yield* world.pass(5_000)
        assert.deepStrictEqual(ends(world.events()), ["06:00:05Z success"])
        assert.strictEqual(yield* world.runtime.trigger("job", "again"), first)
        yield* world.pass(5_000)
        assert.strictEqual(ends(world.events()).length, 1)
      })
    ))
})

describe("a runtime that was started to look around", () => {
  it("fires nothing until it is released, and then catches up", () =>
    inVirtualTime(
      Effect.gen(function* () {
        const world = yield* makeWorld({ skills: [given({ schedule: { every: "10 seconds" } })], hold: true })
        yield* world.pass(35_000)
        assert.strictEqual(yield* world.runtime.mode, "held")
        assert.deepStrictEqual(slots(world.events()), [])
        assert.deepInclude((yield* world.supervisor.skills)[0], { state: "held", reason: "held: started with --hold" })
        world.runtime.actor.send({ type: "intake.release" })
        yield* world.pass(1)
        assert.deepStrictEqual(slots(world.events()), ["06:00:10Z..06:00:20Z coalesced", "06:00:30Z run for 2 more"])
        const coalesced = world.events().find((event) => event.type === "slot.settled")
        assert.match(coalesced?.type === "slot.settled" ? coalesced.reason : "", /held: held: started with --hold/)
      })
    ))
})

describe("a full disk", () => {
  it("blocks: no new run starts, the running one waits with its result, and no status file is ahead of the journal", () =>
    inVirtualTime(
      Effect.gen(function* () {
        const world = yield* makeWorld({
          skills: [given({ schedule: { every: "10 seconds" } }, () => Effect.as(Effect.sleep(1_000), { done: 1 }))]
        })
        yield* world.pass(10_500)
        world.disk.fail("append", "ENOSPC")
        yield* world.pass(30_000)
        assert.strictEqual(yield* world.runtime.mode, "blocked")
        assert.deepStrictEqual(ends(world.events()), [])
        assert.isUndefined(world.disk.files().get("/state/skills/status/job.txt"))
        world.disk.heal()
        yield* world.pass(5_000)
        assert.strictEqual(yield* world.runtime.mode, "standalone")
        assert.strictEqual(ends(world.events()).length, 2)
        assert.match(String(world.disk.files().get("/state/skills/status/job.txt")), /^status=success,/)
        assert.deepStrictEqual(slots(world.events()), ["06:00:10Z run", "06:00:20Z..06:00:30Z coalesced", "06:00:40Z run for 2 more"])
      })
    ))
})
