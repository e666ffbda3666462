/** Skills that are paused, in virtual time: what becomes of their slots, and what goes on all the same. */
import * as fc from "fast-check"
import { Effect } from "effect"
import { TestClock } from "effect/testing"
import { assert, describe, it } from "vitest"
import { iso } from "../../src/domain/Run.ts"
import { type DiskMemory, diskMemory } from "../../src/layers/DiskMemory.ts"
import type { SkillGiven } from "../../src/layers/Holdfast.ts"
import { whyMax } from "../../src/layers/Pausing.ts"
import { effectWork, type EffectSkillContext } from "../../src/layers/SkillFunction.ts"
import { checkRuns, checkSlots } from "../../src/testing/checkers/index.ts"
import { afterCrash, makeWorld, type World } from "../../src/testing/World.ts"
import { beginningMs, inVirtualTime, property } from "../property.ts"
import { slowly } from "./slowDisk.ts"

const job = (
  settings: SkillGiven["settings"] = { schedule: { every: "10 seconds" } },
  work: (ctx: EffectSkillContext) => Effect.Effect<void, unknown> = () => Effect.void
): SkillGiven => ({ name: "job", description: "", settings, work: effectWork(work) })
const ops = { by: "ops", why: "the account is locked" }

const at = (atMs: number) => iso(atMs).slice(14, 19)
/** What became of the slots, and when runs asked for by hand were claimed. */
const slots = ({ events }: Pick<World, "events">): ReadonlyArray<string> =>
  events().flatMap((event) => {
    if (event.type === "run.claimed") return [`${at(event.slot)} ${event.run.includes("+manual-") ? "by hand" : "run"}`]
    if (event.type !== "slot.settled") return []
    return [`${at(event.slot)}${event.count > 1 ? `..${at(event.through)}` : ""} ${event.verdict}: ${event.reason}`]
  })
const shown = (world: World) => Effect.map(world.supervisor.skills, ([skill]) => skill)

describe("a pause", () => {
  it("skips the slots in it, with who paused and why, and the next slot after it is the first one again", () =>
    inVirtualTime(
      Effect.gen(function* () {
        const world = yield* makeWorld({ skills: [job()] })
        yield* world.pass(15_000)
        yield* world.supervisor.pause("job", ops)
        yield* world.pass(30_000)
        assert.deepInclude(yield* shown(world), { state: "paused", reason: "paused by ops: the account is locked" })
        yield* world.supervisor.resume("job", { by: "ops", why: "" })
        assert.deepInclude(yield* shown(world), { state: "waiting", reason: undefined })
        yield* world.pass(10_000)
        assert.deepStrictEqual(slots(world), ["00:10 run", "00:20..00:40 skipped: paused by ops: the account is locked", "00:50 run"])
        assert.deepStrictEqual(checkSlots(world.events(), beginningMs + 50_000), [])
      })
    ))

  it("outlives the runtime", () =>
    inVirtualTime(
      Effect.gen(function* () {
        const disk = yield* Effect.scoped(
          Effect.gen(function* () {
            const world = yield* makeWorld({ skills: [job()] })
            yield* world.supervisor.pause("job", ops)
            return afterCrash(world)
          })
        )
        yield* TestClock.setTime(beginningMs + 25_000)
        const world = yield* makeWorld({ skills: [job()], disk })
        yield* world.pass(10_000)
        assert.deepInclude(yield* shown(world), { state: "paused" })
        yield* world.supervisor.resume("job", ops)
        yield* world.pass(10_000)
        assert.deepStrictEqual(slots(world), ["00:10..00:30 skipped: paused by ops: the account is locked", "00:40 run"])
      })
    ))

  it("lets the run under way go on, its retries too, and runs by hand", () =>
    inVirtualTime(
      Effect.gen(function* () {
        const tries: Array<string> = []
        const work = (ctx: EffectSkillContext) =>
          Effect.andThen(
            Effect.sync(() => tries.push(`${ctx.run.split("@")[1]!.slice(0, 16)} ${ctx.attempt}`)),
            Effect.sleep(2_000).pipe(Effect.andThen(ctx.attempt === 1 ? Effect.fail("once") : Effect.void))
          )
        const world = yield* makeWorld({
          skills: [job({ schedule: { every: "10 seconds" }, retry: { attempts: 2, first: "3 seconds" } }, work)]
        })
        yield* world.pass(11_000)
        yield* world.supervisor.pause("job", ops)
        yield* world.pass(20_000)
        yield* world.supervisor.trigger("job", "now")
        yield* world.pass(20_000)
        assert.deepStrictEqual(tries, ["20261122T060010Z 1", "20261122T060010Z 2", "20261122T060031Z 1", "20261122T060031Z 2"])
        assert.deepStrictEqual(slots(world), ["00:10 run", "00:31 by hand"])
        assert.deepStrictEqual(checkRuns(world.events()), [])
      })
    ))

  it("skips what waited for the link when it began", () =>
    inVirtualTime(
      Effect.gen(function* () {
        const world = yield* makeWorld({ skills: [job()], hold: true })
        yield* world.pass(25_000)
        yield* world.supervisor.pause("job", ops)
        world.runtime.actor.send({ type: "intake.release" })
        yield* world.pass(10_000)
        yield* world.supervisor.resume("job", ops)
        yield* world.pass(5_000)
        const reason = "skipped: paused by ops: the account is locked"
        assert.deepStrictEqual(slots(world), [`00:10..00:20 ${reason}`, `00:30 ${reason}`, "00:40 run"])
      })
    ))

  it("keeps its first words on the slots it has skipped when it is given others", () =>
    inVirtualTime(
      Effect.gen(function* () {
        const world = yield* makeWorld({ skills: [job()] })
        yield* world.supervisor.pause("job", { by: "ops", why: "a" })
        yield* world.pass(15_000)
        yield* world.supervisor.pause("job", { by: "dev", why: "b" })
        yield* world.pass(10_000)
        yield* world.supervisor.resume("job", ops)
        assert.deepStrictEqual(slots(world), ["00:10 skipped: paused by ops: a", "00:20 skipped: paused by dev: b"])
      })
    ))

  it("is refused for a skill that nobody knows, and its end for one that is not paused", () =>
    inVirtualTime(
      Effect.gen(function* () {
        const { supervisor } = yield* makeWorld({ skills: [job()] })
        const refusal = (asked: Effect.Effect<unknown, { readonly code: string }>) => Effect.map(Effect.flip(asked), ({ code }) => code)
        assert.strictEqual(yield* refusal(supervisor.pause("jab", ops)), "SKILL_UNKNOWN")
        assert.strictEqual(yield* refusal(supervisor.resume("job", ops)), "SKILL_NOT_PAUSED")
        assert.strictEqual(yield* refusal(supervisor.pause("job", { by: "ops", why: "x".repeat(whyMax + 1) })), "PAUSE_WHY")
        assert.deepInclude((yield* supervisor.skills)[0], { state: "waiting" })
      })
    ))
})

const wishes = fc.array(fc.record({ afterMs: fc.integer({ min: 0, max: 4_000 }), pause: fc.boolean(), crash: fc.boolean() }), {
  minLength: 3,
  maxLength: 12
})
property(
  "pauses at any moment, also the one in which a slot is due, leave each slot one record and none of theirs a run",
  { runs: 15 },
  fc.record({ wishes, syncMs: fc.integer({ min: 0, max: 200 }), catchUp: fc.constantFrom("latest", "all", "none") }),
  ({ wishes, syncMs, catchUp }) =>
    Effect.gen(function* () {
      const sync = { ms: 0 }
      const start = Effect.fnUntraced(function* (disk: DiskMemory) {
        sync.ms = 0
        const world = yield* makeWorld({ skills, disk: slowly(disk, sync) })
        sync.ms = syncMs
        return world
      })
      const skills = [job({ schedule: { every: "1 second" }, catchUp }, () => Effect.sleep(300))]
      let world = yield* start(diskMemory())
      for (const { afterMs, pause, crash } of wishes) {
        yield* world.pass(afterMs)
        const asked = yield* Effect.forkChild(
          Effect.result(pause ? world.supervisor.pause("job", ops) : world.supervisor.resume("job", ops))
        )
        if (crash) world = yield* start(afterCrash(world))
        else {
          while (asked.pollUnsafe() === undefined) yield* world.pass(100)
        }
      }
      yield* Effect.forkChild(Effect.ignore(world.supervisor.resume("job", ops)))
      yield* world.pass(9_000)
      sync.ms = 0 // Nobody passes the time while the world ends.
      yield* world.pass(1_000)
      const nowMs = yield* Effect.clockWith((clock) => clock.currentTimeMillis)
      assert.deepStrictEqual([...checkSlots(world.events(), nowMs - 5_000), ...checkRuns(world.events())], [])
    })
)
