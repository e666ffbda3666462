/** The owner of the skills: one crash harms one skill, and closing its scope ends them all. */
import { Context, Effect, Fiber, Layer } from "effect"
import { TestClock } from "effect/testing"
import { assert, describe, it } from "vitest"
import { createActor, createMachine } from "xstate"
import { iso } from "../../src/domain/Run.ts"
import { LinkFailed } from "../../src/domain/LinkFailed.ts"
import { adopt } from "../../src/layers/Adoption.ts"
import { Claims } from "../../src/layers/Claims.ts"
import { Disk } from "../../src/layers/Disk.ts"
import { diskMemory } from "../../src/layers/DiskMemory.ts"
import { entryOf, type SkillGiven } from "../../src/layers/Holdfast.ts"
import { Pools } from "../../src/layers/Pools.ts"
import { Process } from "../../src/layers/Process.ts"
import { Ramp } from "../../src/layers/Ramp.ts"
import { Run } from "../../src/layers/Run.ts"
import { Scheduler } from "../../src/layers/Scheduler.ts"
import { effectWork, type EffectSkillContext } from "../../src/layers/SkillFunction.ts"
import { StateStore } from "../../src/layers/StateStore.ts"
import { type Gates, Supervisor } from "../../src/layers/Supervisor.ts"
import { readJournal } from "../../src/testing/checkers/journal.ts"
import { slowly } from "./slowDisk.ts"
import { beginningMs, inVirtualTime } from "../property.ts"

const given = (
  name: string,
  settings: SkillGiven["settings"],
  work: (ctx: EffectSkillContext) => Effect.Effect<void, unknown> = () => Effect.void
): SkillGiven => ({ name, description: "", settings, work: effectWork(work) })
const everyTen = { schedule: { every: "10 seconds" } }
const open: Gates = () => ({ open: true })

/** A supervisor at work over a disk in memory. `dies` says which skill's claims die by a defect now. */
const supervised = Effect.fnUntraced(function* (
  skills: ReadonlyArray<SkillGiven>,
  {
    dies = () => false,
    gates = open,
    disk = diskMemory()
  }: {
    readonly dies?: (skill: string) => boolean
    readonly gates?: Gates
    readonly disk?: ReturnType<typeof diskMemory>
  } = {}
) {
  const entries = yield* Effect.forEach(skills, (skill) => entryOf(skill, () => "UTC", true))
  const claims = Layer.effect(
    Claims,
    Effect.gen(function* () {
      const real = Context.get(yield* Layer.build(Claims.layer), Claims)
      return Claims.of({ claim: (claim) => (dies(claim.skill) ? Effect.die(new Error("a bug of ours")) : real.claim(claim)) })
    })
  )
  const services = yield* Layer.build(
    Supervisor.layer(entries).pipe(
      Layer.provideMerge([Run.layer({ session: undefined }), claims, Scheduler.layer(), Ramp.layer()]),
      Layer.provideMerge(Pools.layer()),
      Layer.provideMerge([StateStore.layer("/state"), Process.layer]),
      Layer.provideMerge(Layer.succeed(Disk, disk.disk))
    )
  )
  const supervisor = Context.get(services, Supervisor)
  const store = Context.get(services, StateStore)
  yield* Effect.provide(adopt({ version: "0", skills: entries.map(({ definition }) => definition), unreadable: new Set() }), services)
  supervisor.setGates(gates)
  const working = yield* Effect.forkChild(Effect.scoped(supervisor.work(createActor(createMachine({})))))
  yield* Effect.andThen(supervisor.started, TestClock.adjust(0)) // What has started has yet to begin its work.
  const events = () =>
    readJournal([...disk.files()].filter(([path]) => path.startsWith("/state/journal/")).map(([, bytes]) => bytes)).events
  return {
    supervisor,
    store,
    working,
    disk,
    pass: (ms: number) => TestClock.adjust(ms),
    /** What the journal says of one skill, each in a few words. */
    story: (skill: string) =>
      events().flatMap((event) => {
        const name = "skill" in event ? event.skill : "run" in event ? event.run?.split("@")[0] : undefined
        if (name !== skill || event.type === "skill.adopted") return []
        return [`${iso(event.atMs).slice(14, -1)} ${event.type}${event.type === "run.settled" ? ` ${event.outcome}` : ""}`]
      })
  }
})

describe("a skill whose actor dies by a defect", () => {
  it("is started again after a second, and does then what it owed; the others notice nothing", () =>
    inVirtualTime(
      Effect.gen(function* () {
        let bug = false
        const world = yield* supervised([given("broken", everyTen), given("sound", everyTen)], {
          dies: (skill) => bug && skill === "broken"
        })
        const [broken, sound] = [world.supervisor.actor("broken"), world.supervisor.actor("sound")]
        bug = true
        yield* world.pass(10_000)
        bug = false
        assert.strictEqual(broken?.getSnapshot().status, "error")
        assert.isUndefined(world.supervisor.actor("broken"))
        yield* world.pass(999)
        assert.isUndefined(world.supervisor.actor("broken"))
        assert.deepStrictEqual(world.story("broken"), [])
        yield* world.pass(9_001)
        assert.deepStrictEqual(world.story("broken"), [
          "00:11 run.claimed",
          "00:11 attempt.started",
          "00:11 run.settled success",
          "00:20 run.claimed",
          "00:20 attempt.started",
          "00:20 run.settled success"
        ])
        assert.strictEqual(world.supervisor.actor("broken")?.getSnapshot().status, "active")
        assert.strictEqual(world.supervisor.actor("sound"), sound)
        assert.strictEqual(sound?.getSnapshot().status, "active")
        assert.deepStrictEqual(
          world.story("sound").filter((line) => line.endsWith("started")),
          ["00:10 attempt.started", "00:20 attempt.started"]
        )
      })
    ))

  it("is not started again before what its last attempt left behind has ended", () =>
    inVirtualTime(
      Effect.gen(function* () {
        const log: Array<string> = []
        const clock = yield* Effect.clockWith(Effect.succeed)
        const note = (text: string) => Effect.sync(() => log.push(`${iso(clock.currentTimeMillisUnsafe()).slice(14, -1)} ${text}`))
        let bug = false
        const work = ({ attempt, slot }: EffectSkillContext) =>
          Effect.andThen(
            note(`attempt ${attempt} begins`),
            attempt === 1 && slot.getTime() === beginningMs + 10_000
              ? Effect.onInterrupt(Effect.never, () => Effect.andThen(Effect.sleep(7_000), note("attempt 1 ended")))
              : Effect.void
          )
        const world = yield* supervised([given("broken", everyTen, work)], { dies: () => bug })
        yield* world.pass(10_000)
        bug = true
        world.supervisor.setGates(() => ({ open: false, reason: "test" }))
        yield* world.pass(10_000)
        assert.strictEqual(world.supervisor.actor("broken")?.getSnapshot().status, "active")
        // The slot that was held is looked at, and that dies while the run is under way.
        world.supervisor.setGates(open)
        yield* world.pass(1)
        bug = false
        assert.isUndefined(world.supervisor.actor("broken"))
        yield* world.pass(8_100)
        assert.deepStrictEqual(log, ["00:10 attempt 1 begins", "00:27 attempt 1 ended", "00:28 attempt 2 begins", "00:28 attempt 1 begins"])
      })
    ))

  it("is put aside, on record, past five crashes in a quarter of an hour; the others run on", () =>
    inVirtualTime(
      Effect.gen(function* () {
        const world = yield* supervised([given("broken", everyTen), given("sound", everyTen)], { dies: (skill) => skill === "broken" })
        yield* world.pass(10_000)
        yield* world.pass(4_999)
        assert.deepInclude((yield* world.supervisor.skills)[0], { name: "broken", state: "waiting" })
        yield* world.pass(1)
        assert.deepStrictEqual(world.story("broken"), ["00:15 skill.quarantined"])
        const [broken, sound] = yield* world.supervisor.skills
        assert.deepInclude(broken, { name: "broken", state: "quarantined" })
        assert.match(broken?.reason ?? "", /^its actor keeps crashing: .*a bug of ours/)
        assert.deepInclude(sound, { name: "sound", state: "waiting" })
        assert.deepInclude({ ...(yield* Effect.flip(world.supervisor.trigger("broken"))) }, { code: "SKILL_ASIDE" })
        yield* world.pass(3_600_000)
        assert.strictEqual(world.story("broken").length, 1)
        assert.strictEqual(world.story("sound").filter((line) => line.endsWith("success")).length, 361)
      })
    ))

  it("works again once it is released, and owes what its catch-up says", () =>
    inVirtualTime(
      Effect.gen(function* () {
        let bug = true
        const sync = { ms: 0 }
        const world = yield* supervised([given("broken", everyTen), given("sound", everyTen)], {
          dies: (skill) => bug && skill === "broken",
          disk: slowly(diskMemory(), sync)
        })
        yield* world.pass(15_000)
        assert.deepInclude((yield* world.supervisor.skills)[0], { state: "quarantined" })
        yield* world.pass(20_000)
        bug = false
        const refusal = (asked: Effect.Effect<unknown, { readonly code: string }>) => Effect.map(Effect.flip(asked), ({ code }) => code)
        assert.strictEqual(yield* refusal(world.supervisor.release("sound", "ops")), "SKILL_NOT_ASIDE")
        assert.strictEqual(yield* refusal(world.supervisor.release("brokn", "ops")), "SKILL_UNKNOWN")
        sync.ms = 50
        const both = yield* Effect.forkChild(
          Effect.all(
            [world.supervisor.release("broken", "ops"), world.supervisor.release("broken", "dev")].map((asked) => Effect.result(asked)),
            { concurrency: "unbounded" }
          )
        )
        yield* world.pass(100)
        sync.ms = 0
        assert.deepStrictEqual(
          (yield* Fiber.join(both)).map((answer) => answer._tag),
          ["Success", "Failure"]
        )
        yield* world.pass(1)
        assert.isUndefined((yield* world.supervisor.skills)[0]?.reason)
        yield* world.pass(5_000)
        assert.deepStrictEqual(
          world.story("broken").flatMap((line) => (line.endsWith("skill.released") ? [] : [line.replace(/\.\d+/, "")])),
          [
            "00:15 skill.quarantined",
            "00:35 slot.settled",
            "00:35 run.claimed",
            "00:35 attempt.started",
            "00:35 run.settled success",
            "00:40 run.claimed",
            "00:40 attempt.started",
            "00:40 run.settled success"
          ]
        )
      })
    ))

  it("is started again for ever where it crashes now and then", () =>
    inVirtualTime(
      Effect.gen(function* () {
        let claims = 0
        const everySecond = () => ++claims % 2 === 1
        const world = yield* supervised([given("broken", { schedule: { every: "4 minutes" } })], { dies: everySecond })
        yield* world.pass(12 * 240_000 + 1_000)
        assert.strictEqual(claims, 24)
        assert.strictEqual(world.supervisor.actor("broken")?.getSnapshot().status, "active")
        assert.strictEqual(world.story("broken").filter((line) => line.endsWith("success")).length, 12)
      })
    ))
})

describe("closing the supervisor", () => {
  const stubborn = (ended: Array<string>) => (ctx: EffectSkillContext) =>
    Effect.onInterrupt(Effect.never, () =>
      Effect.andThen(
        Effect.sleep(5_000),
        Effect.sync(() => ended.push(ctx.skill))
      )
    )

  it("stops every skill at once, and waits until each attempt has ended; they end side by side", () =>
    inVirtualTime(
      Effect.gen(function* () {
        const ended: Array<string> = []
        const names = ["a", "b", "c", "d", "e", "f"]
        const world = yield* supervised([...names.map((name) => given(name, everyTen, stubborn(ended))), given("idle", {})])
        yield* world.pass(10_000)
        const actors = [...names, "idle"].map((name) => world.supervisor.actor(name)!)
        const runs = actors.flatMap((actor) => actor.getSnapshot().context.started.map((run) => actor.getSnapshot().children[run]!))
        assert.strictEqual(runs.length, 6)
        const closing = yield* Effect.forkChild(Fiber.interrupt(world.working))
        yield* world.pass(4_999)
        assert.deepStrictEqual(
          actors.map((actor) => actor.getSnapshot().status),
          actors.map(() => "stopped")
        )
        assert.deepStrictEqual(
          runs.map((run) => run.getSnapshot().status),
          runs.map(() => "stopped")
        )
        assert.deepStrictEqual(ended, [])
        assert.isUndefined(closing.pollUnsafe())
        yield* world.pass(1)
        assert.sameMembers(ended, names)
        assert.isDefined(closing.pollUnsafe())
        assert.isUndefined(world.supervisor.actor("a"))
        yield* world.pass(60_000)
        assert.strictEqual(ended.length, 6)
        assert.deepStrictEqual(world.story("a"), ["00:10 run.claimed", "00:10 attempt.started"])
      })
    ))
})

describe("a gate", () => {
  const sessionDown: Gates = ({ needs }) =>
    needs.includes("session") ? { open: false, reason: "needs session, which is down: refused" } : { open: true }

  it("holds what needs the session, with its reason, and lets it go in the order of the slots", () =>
    inVirtualTime(
      Effect.gen(function* () {
        const ran: Array<string> = []
        const work = (ctx: EffectSkillContext) =>
          Effect.andThen(
            Effect.sleep(500),
            Effect.sync(() => ran.push(`${ctx.skill} ${iso(ctx.slot.getTime()).slice(14, -1)}`))
          )
        const world = yield* supervised(
          [given("local", everyTen, work), given("teller", { ...everyTen, needs: ["session"], catchUp: "all" }, work)],
          { gates: sessionDown }
        )
        yield* world.pass(35_000)
        assert.deepStrictEqual(ran, ["local 00:10", "local 00:20", "local 00:30"])
        const [, teller] = yield* world.supervisor.skills
        assert.deepInclude(teller, {
          name: "teller",
          state: "held",
          reason: "needs session, which is down: refused",
          nextDueAtMs: undefined
        })
        assert.deepStrictEqual(world.story("teller"), [])
        assert.deepInclude(
          { ...(yield* Effect.flip(world.supervisor.trigger("teller"))) },
          { code: "SKILL_HELD", got: "needs session, which is down: refused" }
        )
        world.supervisor.setGates(open)
        yield* world.pass(2_000)
        assert.deepStrictEqual(ran.slice(3), ["teller 00:10", "teller 00:20", "teller 00:30"])
        assert.deepInclude((yield* world.supervisor.skills)[1], { state: "waiting" })
      })
    ))

  for (const need of ["session", "gateway"] as const) {
    it(`lets what needs the ${need} go by its catchUp when that is back, each skill in the order of its slots`, () =>
      inVirtualTime(
        Effect.gen(function* () {
          const ran: Record<string, Array<string>> = { all: [], latest: [], none: [] }
          const work = (ctx: EffectSkillContext) =>
            Effect.andThen(
              Effect.sleep(300),
              Effect.sync(() => void ran[ctx.skill]!.push(`${iso(ctx.slot.getTime()).slice(14, -1)} +${ctx.missed}`))
            )
          const down: Gates = ({ needs }) => (needs.includes(need) ? { open: false, reason: `needs ${need}` } : { open: true })
          const world = yield* supervised(
            (["all", "latest", "none"] as const).map((catchUp) => given(catchUp, { ...everyTen, needs: [need], catchUp }, work)),
            { gates: down }
          )
          yield* world.pass(48_000)
          assert.deepStrictEqual(ran, { all: [], latest: [], none: [] })
          world.supervisor.setGates(open)
          yield* world.pass(15_000)
          assert.deepStrictEqual(ran, {
            all: ["00:10 +0", "00:20 +0", "00:30 +0", "00:40 +0", "00:50 +0", "01:00 +0"],
            latest: ["00:40 +3", "00:50 +0", "01:00 +0"],
            none: ["00:50 +0", "01:00 +0"]
          })
          assert.deepInclude(world.store.ledger.slots, { run: 11, coalesced: 3, missed: 4 })
        })
      ))
  }

  it("that closes leaves the run under way alone, retries of it included, and starts no other", () =>
    inVirtualTime(
      Effect.gen(function* () {
        const ran: Array<string> = []
        const work = (ctx: EffectSkillContext) =>
          Effect.andThen(
            Effect.sleep(4_000),
            Effect.suspend(() => {
              ran.push(`${iso(ctx.slot.getTime()).slice(14, -1)} attempt ${ctx.attempt}`)
              return ctx.attempt === 1 ? Effect.fail("not yet") : Effect.void
            })
          )
        const world = yield* supervised([given("teller", { ...everyTen, needs: ["session"] }, work)])
        yield* world.pass(11_000)
        world.supervisor.setGates(sessionDown)
        yield* world.pass(60_000)
        assert.deepStrictEqual(ran, ["00:10 attempt 1", "00:10 attempt 2"])
        assert.deepStrictEqual(world.story("teller").slice(-1), ["00:19 run.settled success"])
        world.supervisor.setGates(open)
        yield* world.pass(1)
        const settled = world.store.ledger.slots
        assert.deepInclude(settled, { run: 2, coalesced: 5 })
      })
    ))

  it("that is closed keeps what failed for want of the link from being tried again, and what failed otherwise not", () =>
    inVirtualTime(
      Effect.gen(function* () {
        const ran: Array<string> = []
        const away = new LinkFailed({ reason: "notConnected", need: "session", asked: "chat.inject", retryable: true })
        const failing = (error: unknown) => (ctx: EffectSkillContext) =>
          Effect.suspend(() => {
            ran.push(`${ctx.skill} ${ctx.attempt}`)
            return ctx.attempt === 1 ? Effect.fail(error) : Effect.void
          })
        const world = yield* supervised([
          given("broken", { ...everyTen, needs: ["session"] }, failing("not yet")),
          given("teller", { ...everyTen, needs: ["session"], overlap: "bufferAll" }, failing(away))
        ])
        yield* world.pass(10_500)
        world.supervisor.setGates(sessionDown)
        yield* world.pass(30_000)
        assert.sameMembers(ran, ["broken 1", "teller 1", "broken 2"])
        assert.deepInclude((yield* world.supervisor.skills)[1], { state: "held", reason: "needs session, which is down: refused" })
        world.supervisor.setGates(open)
        yield* world.pass(1_000)
        assert.include(ran.slice(3), "teller 2")
        assert.include(world.story("teller"), "00:40.500 run.settled success")
      })
    ))

  it("that closes while claimed runs wait for their turn keeps them waiting", () =>
    inVirtualTime(
      Effect.gen(function* () {
        const ran: Array<string> = []
        const work = (ctx: EffectSkillContext) =>
          Effect.andThen(
            Effect.sleep(2_000),
            Effect.sync(() => ran.push(iso(ctx.slot.getTime()).slice(14, -1)))
          )
        const world = yield* supervised([given("teller", { ...everyTen, needs: ["session"], catchUp: "all" }, work)], {
          gates: sessionDown
        })
        yield* world.pass(30_000)
        world.supervisor.setGates(open)
        yield* world.pass(1_000)
        world.supervisor.setGates(sessionDown)
        yield* world.pass(5_000)
        assert.deepStrictEqual(ran, ["00:10"])
        world.supervisor.setGates(open)
        yield* world.pass(4_000)
        assert.deepStrictEqual(ran, ["00:10", "00:20", "00:30"])
      })
    ))

  it("that opens and closes again while slots wait keeps the newest reason", () =>
    inVirtualTime(
      Effect.gen(function* () {
        const world = yield* supervised([given("teller", { ...everyTen, needs: ["session"] })], { gates: sessionDown })
        yield* world.pass(15_000)
        world.supervisor.setGates(() => ({ open: false, reason: "draining: asked to stop" }))
        yield* world.pass(1)
        assert.deepInclude((yield* world.supervisor.skills)[0], { state: "held", reason: "draining: asked to stop" })
      })
    ))
})

describe("a trigger", () => {
  it("asked twice at once with one key is one run", () =>
    inVirtualTime(
      Effect.gen(function* () {
        let ran = 0
        const world = yield* supervised([
          given("job", {}, () =>
            Effect.sync(() => {
              ran += 1
            })
          )
        ])
        world.disk.failNext("append", "EROFS") // Both have asked before the first claim is on record.
        const asking = yield* Effect.forkChild(
          Effect.all([world.supervisor.trigger("job", "once"), world.supervisor.trigger("job", "once")], { concurrency: "unbounded" })
        )
        yield* world.pass(2_000)
        const [first, second] = yield* Fiber.join(asking)
        assert.strictEqual(first, second)
        assert.strictEqual(ran, 1)
        assert.deepStrictEqual(
          world.story("job").map((line) => line.slice(6)),
          ["run.claimed", "attempt.started", "run.settled success"]
        )
      })
    ))

  it("asked twice at once without a key is one run and one refusal", () =>
    inVirtualTime(
      Effect.gen(function* () {
        const world = yield* supervised([given("job", {}, () => Effect.sleep(1_000))])
        world.disk.failNext("append", "EROFS")
        const ask = Effect.result(world.supervisor.trigger("job"))
        const asking = yield* Effect.forkChild(Effect.all([ask, ask], { concurrency: "unbounded" }))
        yield* world.pass(1_500)
        const asked = yield* Fiber.join(asking)
        assert.deepStrictEqual(
          asked.map(({ _tag }) => _tag),
          ["Success", "Failure"]
        )
        assert.deepInclude({ ...(asked[1]?._tag === "Failure" ? asked[1].failure : {}) }, { code: "RUN_OVERLAP" })
      })
    ))

  it("of somebody who stops waiting still runs, once its claim is on record", () =>
    inVirtualTime(
      Effect.gen(function* () {
        const world = yield* supervised([given("job", {})])
        world.disk.failNext("append", "EROFS")
        const asking = yield* Effect.forkChild(Effect.timeout(world.supervisor.trigger("job", "once"), 100))
        yield* world.pass(2_000)
        assert.strictEqual((yield* Fiber.await(asking))._tag, "Failure")
        assert.deepStrictEqual(
          world.story("job").map((line) => line.slice(6)),
          ["run.claimed", "attempt.started", "run.settled success"]
        )
      })
    ))

  it("with a key that cannot stand in a run's name is refused", () =>
    inVirtualTime(
      Effect.gen(function* () {
        const world = yield* supervised([given("job", {})])
        assert.deepInclude({ ...(yield* Effect.flip(world.supervisor.trigger("job", "../x"))) }, { code: "TRIGGER_KEY" })
      })
    ))
})
