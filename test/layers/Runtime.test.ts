/** The whole runtime from its start to its end: what is on record, who may finish, and what the last picture says. */
import { Effect, Exit, Fiber, Scope, Stream } from "effect"
import { TestClock } from "effect/testing"
import { assert, describe, it } from "vitest"
import type { JournalEvent } from "../../src/domain/JournalEvent.ts"
import { pictureFormat } from "../../src/domain/Picture.ts"
import { diskMemory } from "../../src/layers/DiskMemory.ts"
import type { SkillGiven } from "../../src/layers/Holdfast.ts"
import { effectWork, type EffectSkillContext } from "../../src/layers/SkillFunction.ts"
import { afterCrash, makeWorld, type World, type WorldOptions } from "../../src/testing/World.ts"
import { inVirtualTime } from "../property.ts"

const given = (
  name: string,
  settings: SkillGiven["settings"],
  work: (ctx: EffectSkillContext) => Effect.Effect<void, unknown> = () => Effect.void
): SkillGiven => ({ name, description: "", settings, work: effectWork(work) })
const everyTen = { schedule: { every: "10 seconds" } }

/** A world in a scope of its own: `close` ends it as an embedder would, and is done when nothing of it is left. */
const closable = Effect.fnUntraced(function* (options: WorldOptions) {
  const scope = yield* Scope.make()
  const world = yield* Scope.provide(makeWorld(options), scope)
  return { ...world, close: Scope.close(scope, Exit.void) }
})
const modes = (events: ReadonlyArray<JournalEvent>) =>
  events.flatMap((event) => (event.type === "mode.changed" ? [`${event.from} -> ${event.to}`] : []))
const endings = (events: ReadonlyArray<JournalEvent>) =>
  events.flatMap((event) => (event.type === "run.settled" ? [`${event.run} ${event.outcome}`] : []))
const pictureOn = ({ disk }: Pick<World, "disk">) => JSON.parse(String(disk.files().get("/state/status.json"))) as Record<string, any>

describe("a start", () => {
  it("adopts each skill once: a second one after a crash changes nothing that has not changed", () =>
    inVirtualTime(
      Effect.gen(function* () {
        const skills = [
          given("beat", everyTen),
          given("daily", { schedule: { cron: "0 6 * * *", timezone: "Asia/Tokyo" } }),
          given("once", { schedule: { at: "2026-12-24T18:00:00Z" } }),
          given("by-hand", {})
        ]
        const world = yield* makeWorld({ skills })
        yield* world.pass(15_000)
        const next = yield* makeWorld({ skills, disk: afterCrash(world) })
        yield* next.pass(1)
        const adopted = next.events().filter(({ type }) => type === "skill.adopted" || type === "skill.removed")
        assert.strictEqual(adopted.length, 4)
        assert.strictEqual(next.events().filter(({ type }) => type === "runtime.started").length, 2)
        assert.strictEqual(next.store.epoch, world.store.epoch + 1)
      })
    ))

  it("is refused while another runtime holds the directory, which notices nothing", () =>
    inVirtualTime(
      Effect.gen(function* () {
        const world = yield* makeWorld({ skills: [given("beat", everyTen)] })
        const refused = yield* Effect.flip(Effect.scoped(makeWorld({ skills: [], disk: world.disk })))
        assert.deepInclude({ ...refused }, { code: "LOCK_HELD" })
        yield* world.pass(10_000)
        assert.strictEqual(endings(world.events()).length, 1)
      })
    ))
})

describe("a mode", () => {
  it("is on record whenever it changes, with the reason, and told to whoever listens", () =>
    inVirtualTime(
      Effect.gen(function* () {
        const world = yield* closable({ skills: [given("slow", everyTen, () => Effect.sleep(5_000))], hold: true })
        const heard: Array<string> = []
        yield* Effect.forkChild(Stream.runForEach(world.runtime.modes, (mode) => Effect.sync(() => heard.push(mode))))
        yield* world.pass(1_000)
        world.runtime.actor.send({ type: "intake.release" })
        yield* world.pass(10_000)
        world.disk.fail("append", "ENOSPC")
        yield* world.pass(10_000)
        assert.strictEqual(yield* world.runtime.mode, "blocked")
        world.disk.heal()
        yield* world.pass(10_000)
        world.runtime.actor.send({ type: "runtime.drain" })
        yield* world.pass(10_000)
        assert.strictEqual(yield* world.runtime.mode, "stopped")
        yield* world.close
        assert.deepStrictEqual(heard, ["held", "standalone", "blocked", "standalone", "draining", "stopped"])
        assert.deepStrictEqual(modes(world.events()), [
          "stopped -> held",
          "held -> standalone",
          "standalone -> blocked",
          "blocked -> standalone",
          "standalone -> draining"
        ])
        const blocked = world.events().find((event) => event.type === "mode.changed" && event.to === "blocked")
        assert.deepInclude(blocked, { reason: "storage full, or out of inodes (ENOSPC)" })
        const healed = world.events().find((event) => event.type === "mode.changed" && event.from === "blocked")
        assert.deepInclude(healed, { reason: "" })
        assert.deepInclude(world.events().at(-1), { type: "runtime.stopped", reason: "asked to" })
      })
    ))
})

describe("a drain", () => {
  it("waits for the running work and starts nothing new, not even what is due or asked for", () =>
    inVirtualTime(
      Effect.gen(function* () {
        const world = yield* closable({ skills: [given("slow", everyTen, () => Effect.sleep(25_000)), given("quick", everyTen)] })
        yield* world.pass(11_000)
        const draining = yield* Effect.forkChild(world.runtime.drain)
        yield* world.pass(20_000)
        assert.strictEqual(yield* world.runtime.mode, "draining")
        assert.deepInclude(
          { ...(yield* Effect.flip(world.runtime.trigger("quick"))) },
          { code: "SKILL_HELD", got: "draining: asked to stop" }
        )
        assert.strictEqual(world.events().filter(({ type }) => type === "attempt.started").length, 2)
        yield* world.pass(4_000)
        assert.deepStrictEqual(yield* Fiber.join(draining), { mode: "stopped", reason: "asked to" })
        yield* world.close
        assert.deepStrictEqual(endings(world.events()), ["quick@20261122T060010Z success", "slow@20261122T060010Z success"])
        assert.deepInclude(world.events().at(-1), { type: "runtime.stopped" })
      })
    ))

  it("of an idle runtime is over at once, and still on record", () =>
    inVirtualTime(
      Effect.gen(function* () {
        const world = yield* closable({ skills: [given("beat", everyTen)] })
        yield* world.pass(1_000)
        assert.deepStrictEqual(yield* world.runtime.drain, { mode: "stopped", reason: "asked to" })
        assert.deepStrictEqual(yield* world.runtime.drain, { mode: "stopped", reason: "asked to" }, "asking again is harmless")
        yield* world.close
        assert.deepStrictEqual(world.events().at(-1)?.type, "runtime.stopped")
      })
    ))

  it("cuts at its deadline what is still running, and the next start takes it up", () =>
    inVirtualTime(
      Effect.gen(function* () {
        const ended: Array<number> = []
        const skill = given("slow", { schedule: { at: "2026-11-22T06:00:10Z" } }, ({ attempt }) =>
          attempt === 1 ? Effect.onInterrupt(Effect.never, () => Effect.sync(() => ended.push(attempt))) : Effect.void
        )
        const world = yield* closable({ skills: [skill] })
        yield* world.pass(10_000)
        const draining = yield* Effect.forkChild(world.runtime.drain)
        yield* world.pass(29_999)
        assert.isUndefined(draining.pollUnsafe())
        yield* world.pass(1)
        assert.deepStrictEqual(yield* Fiber.join(draining), { mode: "stopped", reason: "asked to" })
        assert.deepStrictEqual(ended, [1])
        yield* world.close
        assert.deepStrictEqual(endings(world.events()), [])
        const next = yield* makeWorld({ skills: [skill], disk: world.disk })
        yield* next.pass(1)
        assert.deepStrictEqual(endings(next.events()), ["slow@20261122T060010Z success"])
      })
    ))
})

describe("a stop", () => {
  it("is at once: what runs is interrupted, waited for by the close, and tried again by the next start", () =>
    inVirtualTime(
      Effect.gen(function* () {
        const ended: Array<string> = []
        const skill = given("slow", { schedule: { at: "2026-11-22T06:00:10Z" } }, ({ attempt }) =>
          attempt === 1
            ? Effect.onInterrupt(Effect.never, () =>
                Effect.andThen(
                  Effect.sleep(3_000),
                  Effect.sync(() => ended.push("attempt"))
                )
              )
            : Effect.void
        )
        const world = yield* closable({ skills: [skill] })
        yield* world.pass(10_000)
        assert.deepStrictEqual(yield* world.runtime.stop, { mode: "stopped", reason: "asked to" })
        assert.deepStrictEqual(ended, [])
        const closing = yield* Effect.forkChild(
          Effect.andThen(
            world.close,
            Effect.sync(() => ended.push("world"))
          )
        )
        yield* TestClock.adjust(3_000)
        yield* Fiber.join(closing)
        assert.deepStrictEqual(ended, ["attempt", "world"])
        const next = yield* makeWorld({ skills: [skill], disk: world.disk })
        yield* next.pass(1)
        assert.deepStrictEqual(endings(next.events()), ["slow@20261122T060010Z success"])
      })
    ))

  it("is what closing the scope is, with the last word on record and in the picture", () =>
    inVirtualTime(
      Effect.gen(function* () {
        const world = yield* closable({ skills: [given("beat", everyTen)] })
        yield* world.pass(10_000)
        yield* world.close
        assert.deepInclude(world.events().at(-1), { type: "runtime.stopped", reason: "asked to" })
        assert.deepInclude(pictureOn(world), { mode: "stopped" })
      })
    ))
})

describe("status.json", () => {
  it("is there from the start, whole, follows what happens, and ends with mode stopped", () =>
    inVirtualTime(
      Effect.gen(function* () {
        const world = yield* closable({ skills: [given("slow", everyTen, () => Effect.sleep(3_000))] })
        yield* world.pass(1_000)
        assert.deepInclude(pictureOn(world), { format: pictureFormat, mode: "standalone", epoch: world.store.epoch })
        for (let ms = 1_000; ms < 31_000; ms += 250) {
          yield* world.pass(250)
          assert.deepStrictEqual(Object.keys(pictureOn(world)).slice(0, 3), ["format", "mode", "means"])
        }
        assert.deepInclude(pictureOn(world)["skills"][0], { name: "slow", state: "executing", run: "slow@20261122T060030Z" })
        yield* world.pass(4_000)
        assert.deepInclude(pictureOn(world)["skills"][0], { state: "waiting", next: "2026-11-22T06:00:40Z", failures: 0 })
        assert.deepInclude(pictureOn(world)["skills"][0].last, { run: "slow@20261122T060030Z", outcome: "success", durationMs: 3_000 })
        yield* world.close
        assert.deepInclude(pictureOn(world), { mode: "stopped", means: "the runtime has ended" })
      })
    ))

  it("is fresh at least every thirty seconds, also where nothing happens", () =>
    inVirtualTime(
      Effect.gen(function* () {
        const world = yield* makeWorld({ skills: [] })
        for (let minute = 1; minute <= 5; minute++) {
          yield* world.pass(60_000)
          const age = Date.UTC(2026, 10, 22, 6, minute) - Date.parse(pictureOn(world)["updatedAt"] as string)
          assert.isAtMost(age, 31_000)
        }
      })
    ))
})

describe("storage that fails", () => {
  it("ends the runtime as failed, and says so wherever it can", () =>
    inVirtualTime(
      Effect.gen(function* () {
        const world = yield* closable({ skills: [given("beat", everyTen)] })
        yield* world.pass(5_000)
        world.disk.failNext("datasync", "EIO")
        yield* world.pass(5_000)
        assert.deepStrictEqual(yield* world.runtime.ended, {
          mode: "failed",
          reason: "STORAGE_FAILED at /state/journal/0000000001.log: EIO from datasync"
        })
        assert.strictEqual(yield* world.runtime.mode, "failed")
        yield* world.close
        assert.deepInclude(pictureOn(world), { mode: "failed" })
        assert.notStrictEqual(world.events().at(-1)?.type, "runtime.stopped", "the next start must see a crash")
        const next = yield* makeWorld({ skills: [given("beat", everyTen)], disk: world.disk })
        yield* next.pass(10_000)
        assert.strictEqual(yield* next.runtime.mode, "standalone")
        assert.isAtLeast(endings(next.events()).length, 1)
      })
    ))

  it("while the runtime starts is a failed start, not a hanging one", () =>
    inVirtualTime(
      Effect.gen(function* () {
        const disk = diskMemory()
        disk.fail("makeDir", "EIO")
        const failure = yield* Effect.flip(Effect.scoped(makeWorld({ skills: [], disk })))
        assert.deepInclude({ ...failure }, { code: "STORAGE_FAILED" })
      })
    ))

  it("by refusing from the moment of the stop does not hold up the end", () =>
    inVirtualTime(
      Effect.gen(function* () {
        for (const [operation, code] of [
          ["append", "ENOSPC"],
          ["datasync", "EIO"],
          ["open", "EROFS"],
          ["rename", "EACCES"]
        ] as const) {
          const world = yield* closable({ skills: [given("beat", everyTen)] })
          yield* world.pass(10_500)
          world.disk.fail(operation, code)
          const closing = yield* Effect.forkChild(world.close)
          yield* TestClock.adjust(10_000)
          assert.isDefined(closing.pollUnsafe(), `${operation} refuses with ${code}`)
        }
      })
    ))
})

describe("a defect of the supervisor itself", () => {
  it("ends the runtime as failed rather than leaving skills without an owner", () =>
    inVirtualTime(
      Effect.gen(function* () {
        const world = yield* closable({ skills: [given("beat", everyTen)] })
        yield* world.pass(1_000)
        const actor = world.supervisor.actor("beat")
        world.runtime.actor.send({
          type: "xstate.error.actor.supervisor",
          error: new Error("a bug of ours"),
          actorId: "supervisor"
        } as never)
        yield* world.pass(1)
        assert.deepInclude(yield* world.runtime.ended, { mode: "failed", reason: "Error: a bug of ours" })
        assert.strictEqual(actor?.getSnapshot().status, "stopped")
        yield* world.close
      })
    ))
})
