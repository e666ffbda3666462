/** What a slot does that falls due while a run of its skill is under way, policy by policy. */
import * as fc from "fast-check"
import { Effect, Fiber } from "effect"
import { TestClock } from "effect/testing"
import { spawnSync } from "node:child_process"
import * as fs from "node:fs"
import { join } from "node:path"
import { assert, describe, it } from "vitest"
import { iso } from "../../src/domain/Run.ts"
import { type Overlap, overlaps } from "../../src/domain/Skill.ts"
import { diskMemory } from "../../src/layers/DiskMemory.ts"
import type { SkillGiven } from "../../src/layers/Holdfast.ts"
import { effectWork, type EffectSkillContext } from "../../src/layers/SkillFunction.ts"
import { checkRuns, checkSlots } from "../../src/testing/checkers/index.ts"
import { afterCrash, makeWorld, type World } from "../../src/testing/World.ts"
import { createRuntime } from "../../src/index.ts"
import { beginningMs, inVirtualTime, property } from "../property.ts"
import { journalIn } from "../journal.ts"
import { folder, until } from "./children.ts"
import { slowly } from "./slowDisk.ts"

/** Due every ten seconds. */
const job = (overlap: Overlap, work: (ctx: EffectSkillContext) => Effect.Effect<void, unknown>): SkillGiven => ({
  name: "job",
  description: "",
  settings: { schedule: { every: "10 seconds" }, overlap },
  work: effectWork(work)
})
const at = (atMs: number) => iso(atMs).slice(14, 19)
/** The story of the slots and their runs, an event a line. */
const story = ({ events }: Pick<World, "events">): ReadonlyArray<string> =>
  events().flatMap((event) => {
    const now = at(event.atMs)
    switch (event.type) {
      case "slot.settled":
        return [`${now} ${at(event.slot)} ${event.verdict}: ${event.reason.replaceAll(/job@\d{8}T06(\d\d)(\d\d)Z/g, "$1:$2")}`]
      case "attempt.started":
        return [`${now} ${nameOf(event.run)} starts`]
      case "run.settled":
        return [`${now} ${nameOf(event.run)} ${event.outcome}${event.reason === "" ? "" : `: ${event.reason}`}`]
      default:
        return []
    }
  })
const nameOf = (run: string) => run.replace(/^job@\d{8}T06(\d\d)(\d\d)Z/, "$1:$2")

/** A world of 45 s, in which a run takes 25 s, and `lingerMs` to end when it is cancelled. */
const told = (overlap: Overlap, lingerMs = 0) =>
  inVirtualTime(
    Effect.gen(function* () {
      let over = false // Nobody passes the time while the world ends.
      const linger = Effect.suspend(() => (over ? Effect.void : Effect.sleep(lingerMs)))
      const world = yield* makeWorld({ skills: [job(overlap, () => Effect.onInterrupt(Effect.sleep(25_000), () => linger))] })
      yield* world.pass(45_000)
      const lines = story(world)
      over = true
      yield* world.pass(lingerMs)
      return lines
    })
  )

describe("a slot that is due while a run is under way", () => {
  it("bufferOne: waits for it, and the next one is skipped", async () => {
    assert.deepStrictEqual(await told("bufferOne"), [
      "00:10 00:10 starts",
      "00:30 00:30 skipped: 00:10 is under way and 00:20 waits",
      "00:35 00:10 success",
      "00:35 00:20 starts"
    ])
  })

  it("bufferAll: waits for all before it", async () => {
    assert.deepStrictEqual(await told("bufferAll"), ["00:10 00:10 starts", "00:35 00:10 success", "00:35 00:20 starts"])
  })

  it("cancelOther: has it ended, with its grace, and starts then", async () => {
    assert.deepStrictEqual(await told("cancelOther", 3_000), [
      "00:10 00:10 starts",
      "00:23 00:10 cancelled: cancelled by job@20261122T060020Z (overlap)",
      "00:23 00:20 starts",
      "00:33 00:20 cancelled: cancelled by job@20261122T060030Z (overlap)",
      "00:33 00:30 starts",
      "00:43 00:30 cancelled: cancelled by job@20261122T060040Z (overlap)",
      "00:43 00:40 starts"
    ])
  })

  it("cancelOther: is skipped where another one waits already", async () => {
    assert.deepStrictEqual((await told("cancelOther", 15_000)).slice(0, 4), [
      "00:10 00:10 starts",
      "00:30 00:30 skipped: 00:10 is being ended and 00:20 waits",
      "00:35 00:10 cancelled: cancelled by job@20261122T060020Z (overlap)",
      "00:35 00:20 starts"
    ])
  })

  it("allowAll: runs beside it", async () => {
    assert.deepStrictEqual(await told("allowAll"), [
      "00:10 00:10 starts",
      "00:20 00:20 starts",
      "00:30 00:30 starts",
      "00:35 00:10 success",
      "00:40 00:40 starts",
      "00:45 00:20 success"
    ])
  })

  it("allowAll: leaves no finished run behind in the skill's actor", () =>
    inVirtualTime(
      Effect.gen(function* () {
        const world = yield* makeWorld({ skills: [job("allowAll", () => Effect.sleep(15_000))] })
        yield* world.pass(3_600_000)
        const { children, context } = world.supervisor.actor("job")!.getSnapshot()
        const runs = Object.keys(children).filter((id) => id.startsWith("job@"))
        assert.deepStrictEqual([runs.length, context.runs.length, context.started.length], [2, 2, 2])
      })
    ))
})

describe("a run that somebody cancels", () => {
  it("is settled as cancelled, whether it is under way, waits, or is to be tried again, and the others go on", () =>
    inVirtualTime(
      Effect.gen(function* () {
        const { events, pass, runtime, supervisor } = yield* makeWorld({
          skills: [job("bufferAll", (ctx) => (ctx.slot.getUTCSeconds() === 40 ? Effect.fail("no luck") : Effect.sleep(25_000)))]
        })
        const name = (second: number) => `job@20261122T0600${second}Z`
        yield* pass(32_000)
        yield* supervisor.cancelRun(name(20), "ops")
        yield* supervisor.cancelRun(name(10), "ops")
        yield* pass(1_000)
        assert.deepStrictEqual(story({ events }), [
          "00:10 00:10 starts",
          "00:32 00:20 cancelled: cancelled by ops",
          "00:32 00:10 cancelled: cancelled by ops",
          "00:32 00:30 starts"
        ])
        yield* pass(24_500)
        assert.deepStrictEqual(story({ events }).slice(4), ["00:57 00:30 success", "00:57 00:40 starts"])
        yield* supervisor.cancelRun(name(40), "ops")
        assert.deepStrictEqual(story({ events }).slice(6, 7), ["00:57 00:40 cancelled: cancelled by ops"])
        const again = yield* Effect.flip(supervisor.cancelRun(name(40), "ops"))
        assert.deepInclude({ ...again }, { code: "RUN_SETTLED", got: `${name(40)} has ended: cancelled` })
        assert.deepStrictEqual(checkRuns(events()), [])
        runtime.actor.send({ type: "runtime.stop" })
      })
    ))

  it("is said to have ended where its own end was quicker", () =>
    inVirtualTime(
      Effect.gen(function* () {
        const sync = { ms: 0 }
        const world = yield* makeWorld({ skills: [job("skip", () => Effect.sleep(5_000))], disk: slowly(diskMemory(), sync) })
        yield* world.pass(14_000)
        sync.ms = 2_000 // Its success is on the way to the disk, and no longer to be had back.
        yield* world.pass(2_000)
        const run = "job@20261122T060010Z"
        const asked = yield* Effect.forkChild(Effect.flip(world.supervisor.cancelRun(run, "ops")))
        yield* world.pass(3_000)
        sync.ms = 0
        yield* world.pass(2_000)
        assert.deepInclude({ ...(yield* Fiber.join(asked)) }, { code: "RUN_SETTLED", got: `${run} has ended: success` })
      })
    ))

  it("is settled although the mode lets nothing start", () =>
    inVirtualTime(
      Effect.gen(function* () {
        const { events, pass, runtime, supervisor } = yield* makeWorld({ skills: [job("bufferAll", () => Effect.sleep(25_000))] })
        yield* pass(22_000)
        const draining = yield* Effect.forkChild(runtime.drain)
        yield* pass(1)
        yield* supervisor.cancelRun("job@20261122T060020Z", "ops")
        assert.deepStrictEqual(story({ events }), ["00:10 00:10 starts", "00:22 00:20 cancelled: cancelled by ops"])
        yield* supervisor.cancelRun("job@20261122T060010Z", "ops")
        yield* pass(1)
        yield* Fiber.join(draining)
      })
    ))
})

describe("a run under way", () => {
  it("is not replaced by slots that were missed: they wait for it", () =>
    inVirtualTime(
      Effect.gen(function* () {
        const skills = [job("cancelOther", () => Effect.sleep(7_000))]
        const disk = yield* Effect.scoped(
          Effect.gen(function* () {
            const world = yield* makeWorld({ skills })
            yield* world.pass(12_000)
            return afterCrash(world)
          })
        )
        yield* TestClock.setTime(beginningMs + 31_000)
        const world = yield* makeWorld({ skills, disk })
        yield* world.pass(8_000)
        assert.deepStrictEqual(story(world), [
          "00:10 00:10 starts",
          "00:31 00:20 coalesced: a later slot's run does its work",
          "00:31 00:10 starts",
          "00:38 00:10 success",
          "00:38 00:30 starts"
        ])
      })
    ))

  it("does not give way to slots that nothing comes of", () =>
    inVirtualTime(
      Effect.gen(function* () {
        const sync = { ms: 0 }
        const skill = job("cancelOther", () => Effect.sleep(20_000))
        const skills = [{ ...skill, settings: { ...skill.settings, catchUp: "none" as const } }]
        const world = yield* makeWorld({ skills, disk: slowly(diskMemory(), sync) })
        yield* world.pass(9_000)
        sync.ms = 38_000 // The claim of the first slot: when it is durable, the next three are missed.
        yield* world.pass(2_000)
        sync.ms = 0
        yield* world.pass(38_000)
        assert.deepStrictEqual(story(world), ["00:48 00:10 starts", "00:48 00:20 missed: late, and the skill does not catch up"])
        yield* world.pass(1_000)
        assert.deepStrictEqual(story(world).slice(2), [
          "00:50 00:10 cancelled: cancelled by job@20261122T060050Z (overlap)",
          "00:50 00:50 starts"
        ])
      })
    ))
})

describe("a run asked for by hand while one is under way", () => {
  it("is refused, waits, or replaces it, as a slot would", async () => {
    const answers = new Map<Overlap, ReadonlyArray<string>>()
    for (const overlap of overlaps) {
      const answer = await inVirtualTime(
        Effect.gen(function* () {
          const world = yield* makeWorld({ skills: [job(overlap, () => Effect.sleep(8_000))] })
          yield* world.pass(11_000)
          const asked = yield* Effect.result(world.supervisor.trigger("job", "now"))
          yield* world.pass(1_000)
          return [asked._tag === "Success" ? "claimed" : asked.failure.code, ...story(world).slice(1)]
        })
      )
      answers.set(overlap, answer)
    }
    const replaced = [
      "claimed",
      "00:11 00:10 cancelled: cancelled by job@20261122T060011Z+manual-now (overlap)",
      "00:11 00:11+manual-now starts"
    ]
    assert.deepStrictEqual(
      [...answers],
      [
        ["skip", ["RUN_OVERLAP"]],
        ["bufferOne", ["claimed"]],
        ["bufferAll", ["claimed"]],
        ["cancelOther", replaced],
        ["terminateOther", replaced],
        ["allowAll", ["claimed", "00:11 00:11+manual-now starts"]]
      ]
    )
  })
})

it("terminateOther ends a program at once that cancelOther would give its grace", { timeout: 60_000 }, async () => {
  for (const [overlap, longestMs] of [
    ["terminateOther", 3_000],
    ["cancelOther", Infinity]
  ] as const) {
    const [state, skills] = [folder(), folder()]
    fs.mkdirSync(join(skills, "deaf"))
    const settings = {
      run: ["sh", "-c", "[ ! -e deaf ] || exit 0; trap '' TERM; touch deaf; sleep 60 & wait"],
      overlap,
      grace: "4 seconds"
    }
    fs.writeFileSync(join(skills, "deaf", "SKILL.md"), `---\nname: deaf\nmetadata:\n  holdfast: ${JSON.stringify(settings)}\n---\n`)
    const runtime = await createRuntime({ state, skills: [skills] })
    const recorded = (type: string) => journalIn(state).filter((event) => event.type === type)
    const first = await runtime.trigger("deaf")
    await Effect.runPromise(until(() => fs.existsSync(join(skills, "deaf", "deaf")), "the program, deaf"))
    const askedAtMs = Date.now()
    await runtime.trigger("deaf")
    const ended = () => recorded("run.settled").find((event) => "run" in event && event.run === first)
    await Effect.runPromise(until(() => ended() !== undefined, "the end of the first"))
    assert.deepInclude(ended(), { outcome: "cancelled" })
    const tookMs = ended()!.atMs - askedAtMs
    assert.isAtMost(tookMs, longestMs)
    if (overlap === "cancelOther") assert.isAtLeast(tookMs, 3_900)
    assert.notInclude(spawnSync("ps", ["-eo", "args"]).stdout.toString(), join(state, "runs", first))
    await runtime.stop({ now: true })
  }
})

property(
  "under every policy each slot has one record, each run one outcome, and no more are under way than may be",
  { runs: 15 },
  fc.record({
    overlap: fc.constantFrom(...overlaps),
    lengths: fc.array(fc.integer({ min: 0, max: 40_000 }), { minLength: 1, maxLength: 8 }),
    lingerMs: fc.integer({ min: 0, max: 15_000 }),
    byHand: fc.array(fc.integer({ min: 1, max: 100_000 }), { maxLength: 6 })
  }),
  ({ overlap, lengths, lingerMs, byHand }) =>
    Effect.gen(function* () {
      let [begun, underWay, most] = [0, 0, 0]
      const work = () =>
        Effect.suspend(() => {
          most = Math.max(most, ++underWay)
          return Effect.sleep(lengths[begun++ % lengths.length]!).pipe(
            Effect.onInterrupt(() => Effect.sleep(lingerMs)),
            Effect.ensuring(Effect.sync(() => underWay--))
          )
        })
      const world = yield* makeWorld({ skills: [job(overlap, work)] })
      let passedMs = 0
      for (const atMs of byHand.sort((a, b) => a - b)) {
        yield* world.pass(atMs - passedMs)
        passedMs = atMs
        yield* Effect.ignore(world.supervisor.trigger("job"))
      }
      yield* world.pass(120_000 - passedMs)
      assert.deepStrictEqual([...checkSlots(world.events(), beginningMs + 115_000), ...checkRuns(world.events())], [])
      if (overlap !== "allowAll") assert.isAtMost(most, 1)
      world.runtime.actor.send({ type: "runtime.drain" })
      yield* world.pass(60_000)
    })
)
