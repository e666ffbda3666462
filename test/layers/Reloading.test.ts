/** Skills that are read again while the runtime works, in virtual time: what each of them owes, does and ends as. */
import * as fc from "fast-check"
import { Effect } from "effect"
import { TestClock } from "effect/testing"
import { assert, describe, it } from "vitest"
import { iso } from "../../src/domain/Run.ts"
import { diskMemory } from "../../src/layers/DiskMemory.ts"
import type { SkillGiven } from "../../src/layers/Holdfast.ts"
import { effectWork, type EffectSkillContext } from "../../src/layers/SkillFunction.ts"
import { invalid } from "../../src/domain/SkillFile.ts"
import { checkRuns, checkSlots } from "../../src/testing/checkers/index.ts"
import { afterCrash, makeWorld, type World } from "../../src/testing/World.ts"
import { beginningMs, inVirtualTime, property } from "../property.ts"
import { slowly } from "./slowDisk.ts"

type Work = (ctx: EffectSkillContext) => Effect.Effect<void, unknown>
const skill = (name: string, every: string, settings: SkillGiven["settings"] = {}, work: Work = () => Effect.void): SkillGiven => ({
  name,
  description: "",
  settings: { schedule: { every }, ...settings },
  work: effectWork(work)
})
const wrong = invalid("SKILL_YAML", "/skills/job/SKILL.md:3", "a tab", "spaces", "indent it by spaces")

const at = (atMs: number) => iso(atMs).slice(14, 19)
const story = ({ events }: Pick<World, "events">, name = "job"): ReadonlyArray<string> =>
  events().flatMap((event) => {
    if (!("skill" in event) || event.skill !== name) return []
    switch (event.type) {
      case "run.claimed":
        return [`${at(event.slot)} run`]
      case "slot.settled":
        return [`${at(event.slot)}${event.count > 1 ? `..${at(event.through)}` : ""} ${event.verdict}: ${event.reason}`]
      case "skill.adopted":
        return [`${at(event.atMs)} adopted from ${at(event.from)}`]
      case "skill.removed":
        return [`${at(event.atMs)} removed`]
      default:
        return []
    }
  })
const outcomes = ({ events }: Pick<World, "events">) =>
  events().flatMap((event) => (event.type === "run.settled" ? [`${at(event.atMs)} ${event.outcome}: ${event.reason}`] : []))
const sound = (world: World, nowMs: number) => {
  assert.deepStrictEqual(checkSlots(world.events(), nowMs), [])
  assert.deepStrictEqual(checkRuns(world.events()), [])
}

describe("a reload", () => {
  it("fires by a changed schedule from then on, and settles what the old one still owed as superseded", () =>
    inVirtualTime(
      Effect.gen(function* () {
        const world = yield* makeWorld({ skills: [skill("job", "10 seconds")], hold: true })
        yield* world.pass(25_000)
        assert.deepStrictEqual(yield* world.reload([skill("job", "6 seconds")]), { added: [], changed: ["job"], removed: [] })
        world.runtime.actor.send({ type: "intake.release" })
        yield* world.pass(20_000)
        assert.deepStrictEqual(story(world), [
          "00:00 adopted from 00:00",
          "00:10..00:20 superseded: the schedule was changed",
          "00:25 adopted from 00:25",
          "00:30 run",
          "00:36 run",
          "00:42 run"
        ])
        sound(world, beginningMs + 45_000)
      })
    ))

  it("leaves a running attempt its old work, and gives its retry the new one", () =>
    inVirtualTime(
      Effect.gen(function* () {
        const done: Array<string> = []
        const version = (name: string): SkillGiven => ({
          ...skill("job", "1 minute", { retry: { attempts: 2, first: "1 second" } }, (ctx) =>
            Effect.sleep(5_000).pipe(
              Effect.andThen(Effect.sync(() => done.push(`${name} ${ctx.attempt}`))),
              Effect.andThen(ctx.attempt === 1 ? Effect.fail("once") : Effect.void)
            )
          ),
          description: name
        })
        const world = yield* makeWorld({ skills: [version("old")] })
        yield* world.pass(62_000)
        yield* world.reload([version("new")])
        yield* world.pass(20_000)
        assert.deepStrictEqual(done, ["old 1", "new 2"])
        const [before, after] = world.events().flatMap((event) => (event.type === "skill.adopted" ? [event.digest] : []))
        assert.notStrictEqual(before, after)
        assert.deepStrictEqual(
          world.events().flatMap((event) => (event.type === "run.claimed" ? [event.digest] : [])),
          [before!]
        )
        sound(world, beginningMs + 82_000)
      })
    ))

  it("parks the retry of a run whose steps have other names by then", () =>
    inVirtualTime(
      Effect.gen(function* () {
        const version = (step: string): SkillGiven =>
          skill("job", "1 minute", { retry: { attempts: 2, first: "1 second" } }, (ctx) =>
            ctx
              .step(step, () => Effect.void)
              .pipe(Effect.andThen(Effect.sleep(5_000)), Effect.andThen(ctx.attempt === 1 ? Effect.fail("once") : Effect.void))
          )
        const world = yield* makeWorld({ skills: [version("send")] })
        yield* world.pass(62_000)
        yield* world.reload([version("post")])
        yield* world.pass(20_000)
        assert.include(
          world.events().map(({ type }) => type),
          "run.parked"
        )
      })
    ))

  it("starts a new skill, which owes nothing from before", () =>
    inVirtualTime(
      Effect.gen(function* () {
        const world = yield* makeWorld({ skills: [skill("job", "10 seconds")] })
        yield* world.pass(25_000)
        const job = skill("job", "10 seconds")
        yield* world.reload([job, skill("other", "10 seconds")])
        yield* world.pass(10_000)
        assert.deepStrictEqual(story(world, "other"), ["00:25 adopted from 00:25", "00:30 run"])
        assert.sameMembers(
          (yield* world.runtime.picture).skills.map(({ name }) => name),
          ["job", "other"]
        )
        sound(world, beginningMs + 35_000)
      })
    ))

  it("ends the runs of a skill that is gone before its record says so", () =>
    inVirtualTime(
      Effect.gen(function* () {
        let ended = 0
        const work = () =>
          Effect.sleep(60_000).pipe(
            Effect.onInterrupt(() =>
              Effect.andThen(
                Effect.sleep(3_000),
                Effect.sync(() => (ended += 1))
              )
            )
          )
        const job = skill("job", "10 seconds", { overlap: "bufferAll" }, work)
        const world = yield* makeWorld({ skills: [job, skill("other", "10 seconds")] })
        yield* world.pass(25_000)
        const reloading = yield* Effect.forkChild(world.reload([skill("other", "10 seconds")]), { startImmediately: true })
        yield* world.pass(10_000)
        assert.deepStrictEqual(reloading.pollUnsafe()?._tag, "Success")
        assert.strictEqual(ended, 1)
        assert.deepStrictEqual(story(world).slice(1), ["00:10 run", "00:20 run", "00:28 removed"])
        const cancelled = "cancelled: cancelled by the removal of its skill"
        assert.sameMembers(
          outcomes(world).filter((one) => one.includes("cancelled")),
          [`00:25 ${cancelled}`, `00:28 ${cancelled}`]
        )
        assert.isUndefined(world.supervisor.actor("job"))
        yield* world.pass(60_000)
        assert.strictEqual(world.store.ledger.skills.get("job")?.quarantined, undefined)
        assert.strictEqual((yield* Effect.flip(world.supervisor.trigger("job"))).code, "SKILL_UNKNOWN")
        sound(world, beginningMs + 95_000)
      })
    ))

  it("cancels a run whose failed attempt is just being put on record", () =>
    inVirtualTime(
      Effect.gen(function* () {
        const sync = { ms: 0 }
        const job = skill("job", "1 minute", { retry: { attempts: 2, first: "1 hour" } }, () => Effect.fail("once"))
        const world = yield* makeWorld({ skills: [job], disk: slowly(diskMemory(), sync) })
        yield* world.pass(59_000)
        sync.ms = 2_000
        yield* world.pass(6_000) // The claim and the start of the attempt are on record, its failure is not.
        const reloading = yield* Effect.forkChild(world.reload([]), { startImmediately: true })
        yield* world.pass(30_000)
        sync.ms = 0
        assert.strictEqual(reloading.pollUnsafe()?._tag, "Success")
      })
    ))

  it("waits for a decision under way", () =>
    inVirtualTime(
      Effect.gen(function* () {
        const sync = { ms: 0 }
        const world = yield* makeWorld({ skills: [skill("job", "10 seconds")], disk: slowly(diskMemory(), sync) })
        yield* world.pass(19_000)
        sync.ms = 2_000
        yield* world.pass(2_000)
        const reloading = yield* Effect.forkChild(world.reload([skill("job", "7 seconds")]), { startImmediately: true })
        yield* world.pass(10_000)
        sync.ms = 0
        yield* world.pass(10_000)
        assert.strictEqual(reloading.pollUnsafe()?._tag, "Success")
        sound(world, beginningMs + 41_000)
      })
    ))

  it("is refused with the first new problem, and leaves every file as it was", () =>
    inVirtualTime(
      Effect.gen(function* () {
        const world = yield* makeWorld({ skills: [skill("job", "10 seconds")] })
        yield* world.pass(15_000)
        const before = new Map(world.disk.files())
        const other = invalid("SKILL_YAML", "/skills/other/SKILL.md:3", "a tab", "spaces", "indent it by spaces")
        const refused = yield* Effect.flip(world.reload([skill("other", "1 second")], [wrong, other]))
        assert.deepInclude(refused, {
          code: "RELOAD_REFUSED",
          where: "/skills/job/SKILL.md:3",
          got: "2 new problems, first: SKILL_YAML, a tab",
          fix: "indent it by spaces; nothing was changed"
        })
        assert.deepStrictEqual(new Map(world.disk.files()), before)
        yield* world.pass(10_000)
        assert.deepStrictEqual(story(world).slice(1), ["00:10 run", "00:20 run"])
      })
    ))

  it("twice changes nothing the second time, also with a problem that is no longer new", () =>
    inVirtualTime(
      Effect.gen(function* () {
        const job = skill("job", "5 seconds")
        const world = yield* makeWorld({ skills: [skill("job", "10 seconds")] })
        yield* world.pass(15_000)
        yield* world.reload([job])
        const before = world.events()
        assert.deepStrictEqual(yield* world.reload([job]), { added: [], changed: [], removed: [] })
        assert.deepStrictEqual(world.events(), before)
        yield* world.pass(10_000)
        assert.deepStrictEqual(story(world).slice(-2), ["00:20 run", "00:25 run"])
      })
    ))

  it("follows the chains of now", () =>
    inVirtualTime(
      Effect.gen(function* () {
        const first = skill("first", "10 seconds")
        const then = skill("job", "", { schedule: { after: "first", on: "success" } })
        const world = yield* makeWorld({ skills: [first] })
        yield* world.pass(15_000)
        yield* world.reload([first, then])
        yield* world.pass(10_000)
        assert.deepStrictEqual(story(world), ["00:15 adopted from 00:15", "00:20 run"])
      })
    ))

  it("takes what may be under way at once, and a pause with it", () =>
    inVirtualTime(
      Effect.gen(function* () {
        const work = () => Effect.sleep(25_000)
        const world = yield* makeWorld({ skills: [skill("job", "10 seconds", { overlap: "bufferAll" }, work)] })
        yield* world.pass(25_000)
        yield* world.reload([skill("job", "10 seconds", { overlap: "allowAll" }, work)])
        yield* world.pass(0)
        assert.strictEqual(world.supervisor.actor("job")?.getSnapshot().context.started.length, 2)
        yield* world.supervisor.pause("job", { by: "ops", why: "" })
        yield* world.reload([skill("job", "5 seconds", { overlap: "allowAll" }, work)])
        yield* world.pass(30_000)
        assert.include((yield* world.supervisor.skills)[0], { state: "paused" })
      })
    ))
})

type Change = { readonly afterMs: number; readonly jobs: ReadonlyArray<readonly [string, number]>; readonly crash: boolean }
const change = fc.record({
  afterMs: fc.integer({ min: 0, max: 40_000 }),
  jobs: fc.uniqueArray(fc.tuple(fc.constantFrom("a", "b", "c"), fc.integer({ min: 3, max: 15 })), { selector: ([name]) => name }),
  crash: fc.boolean()
})

property(
  "every slot and run has exactly one end, whatever is read again and whenever it crashes",
  { runs: 12 },
  fc.array(change, { minLength: 2, maxLength: 6 }),
  (changes: ReadonlyArray<Change>) =>
    Effect.gen(function* () {
      const skills = (jobs: Change["jobs"]) => jobs.map(([name, every]) => skill(name, `${every} seconds`, {}, () => Effect.sleep(4_000)))
      let nowMs = beginningMs
      let disk = diskMemory()
      let jobs: Change["jobs"] = [["a", 5]]
      const rest = [...changes]
      while (rest.length > 0) {
        disk = yield* Effect.scoped(
          Effect.gen(function* () {
            const sync = { ms: 0 }
            const world = yield* makeWorld({ skills: skills(jobs), disk: slowly(disk, sync) })
            sync.ms = 300
            for (let next = rest.shift(); next !== undefined; next = rest.shift()) {
              yield* world.pass(next.afterMs)
              const reloading = yield* Effect.forkChild(world.reload(skills(next.jobs)), { startImmediately: true })
              yield* world.pass(next.afterMs % 1_700)
              nowMs += next.afterMs + (next.afterMs % 1_700)
              jobs = next.jobs
              if (next.crash) break
              yield* world.pass(10_000)
              nowMs += 10_000
              assert.strictEqual(reloading.pollUnsafe()?._tag, "Success")
            }
            const left = afterCrash(world)
            sync.ms = 0
            yield* world.pass(5_000) // The end of a world takes no time, so that nobody has to let any pass.
            return left
          })
        )
        yield* TestClock.setTime((nowMs += 20_000))
      }
      const world = yield* makeWorld({ skills: skills(jobs), disk })
      yield* world.pass(30_000)
      sound(world, nowMs + 30_000)
    })
)
