/**
 * Failures that users of another scheduler have reported in public, each made once more and held against what happens here:
 * the schedules, in virtual time. docs/public-failures.md has the list.
 */
import { Clock, Effect, Exit } from "effect"
import { TestClock } from "effect/testing"
import { assert, it } from "vitest"
import type { JournalEvent } from "../../src/domain/JournalEvent.ts"
import { iso } from "../../src/domain/Run.ts"
import { type DiskMemory, diskMemory } from "../../src/layers/DiskMemory.ts"
import type { SkillGiven } from "../../src/layers/Holdfast.ts"
import { effectWork, type EffectSkillContext } from "../../src/layers/SkillFunction.ts"
import { checkRuns, checkSlots } from "../../src/testing/checkers/index.ts"
import { afterCrash, makeWorld, type World } from "../../src/testing/World.ts"
import { inVirtualTime } from "../property.ts"

type Work = (ctx: EffectSkillContext) => Effect.Effect<void, unknown>
const job = (name: string, settings: SkillGiven["settings"], work: Work = () => Effect.void): SkillGiven => ({
  name,
  description: "",
  settings,
  work: effectWork(work)
})
const cron = (name: string, expression: string, more: SkillGiven["settings"] = {}, work?: Work) =>
  job(name, { schedule: { cron: expression }, ...more }, work)

/** A day of November 2026 and a time. */
const at = (text: string) => Date.parse(`2026-11-${text}Z`)
/** A runtime from this instant on, until `during` is over: the disk as a crash leaves it then. */
const life = <E>(
  skills: ReadonlyArray<SkillGiven>,
  fromMs: number,
  disk: DiskMemory,
  during: (world: World) => Effect.Effect<unknown, E>
) =>
  Effect.andThen(
    TestClock.setTime(fromMs),
    Effect.scoped(
      Effect.gen(function* () {
        const world = yield* makeWorld({ skills, disk })
        yield* during(world)
        return afterCrash(world)
      })
    )
  )
const through = (toMs: number) => (world: World) => Effect.flatMap(Clock.currentTimeMillis, (nowMs) => world.pass(toMs - nowMs))
/** The last of the lives: what is on record at its end. */
const last = (skills: ReadonlyArray<SkillGiven>, fromMs: number, toMs: number, disk: DiskMemory) =>
  Effect.gen(function* () {
    let events: ReadonlyArray<JournalEvent> = []
    yield* life(skills, fromMs, disk, (world) => Effect.map(through(toMs)(world), () => (events = world.events())))
    assert.deepStrictEqual([...checkSlots(events, toMs), ...checkRuns(events)], [])
    return events
  })
/** Each disk that a crash in this stretch of the journal can leave: its lines up to one of them, from the first that matches. */
const cuts = (disk: DiskMemory, from: RegExp): ReadonlyArray<DiskMemory> => {
  const [path, content] = [...disk.files()].filter(([name]) => name.startsWith("/state/journal/")).at(-1)!
  const lines = content.toString().split(/(?<=\n)/)
  const first = lines.findIndex((line) => from.test(line))
  return lines.slice(first).map((_, i) => {
    const cut = afterCrash({ disk })
    cut.put(path, lines.slice(0, first + i + 1).join(""))
    return cut
  })
}

/** The runs of a skill: the slot of each, and how late its first attempt began. */
const runs = (events: ReadonlyArray<JournalEvent>, skill: string, fromMs = 0): ReadonlyArray<string> =>
  events.flatMap((claimed) => {
    if (claimed.type !== "run.claimed" || claimed.skill !== skill || claimed.slot < fromMs) return []
    const started = events.find((event) => event.type === "attempt.started" && event.run === claimed.run)
    const lateMs = started === undefined ? Infinity : started.atMs - claimed.slot
    return [`${iso(claimed.slot).slice(8, 16)}${lateMs === 0 ? "" : ` +${lateMs / 1_000} s`}`]
  })

it("openclaw/openclaw#13954: after restarts in quick succession nothing runs for days - here: every slot of those days runs on time", () =>
  inVirtualTime(
    Effect.gen(function* () {
      const skills = [cron("briefing", "0 4 * * *"), cron("digest", "30 7 * * *"), cron("mail", "15 * * * *")]
      let disk = yield* life(skills, at("22T06:00"), diskMemory(), through(at("22T12:00")))
      for (let n = 0; n < 8; n++) disk = yield* life(skills, at("22T12:00:10") + n * 20_000, disk, (world) => world.pass(5_000))
      const events = yield* last(skills, at("22T12:05"), at("24T00:00"), disk)
      assert.deepStrictEqual(runs(events, "briefing"), ["23T04:00"])
      assert.deepStrictEqual(runs(events, "digest").slice(1), ["23T07:30"])
      assert.strictEqual(runs(events, "mail").length, 42)
    })
  ))

it("openclaw/openclaw#10348: nothing fires after a restart, and the next run is tomorrow's - here: the next slot of the same hour runs", () =>
  inVirtualTime(
    Effect.gen(function* () {
      const skills = [cron("todo", "30 * * * *"), cron("digest", "5 18 * * *"), cron("post", "35 17 * * *")]
      const disk = diskMemory()
      yield* life(skills, at("22T15:00"), disk, through(at("22T17:00"))) // It is asked to stop: the disk itself goes on, not a copy of it.
      const events = yield* last(skills, at("22T17:00:02"), at("22T19:45"), disk)
      assert.deepStrictEqual(runs(events, "todo", at("22T17:00")), ["22T17:30", "22T18:30", "22T19:30"])
      assert.deepStrictEqual([...runs(events, "digest"), ...runs(events, "post")], ["22T18:05", "22T17:35"])
    })
  ))

it("openclaw/openclaw#11924: for three days nothing fires after a morning of starts that failed - here: a start fails or works, and the evening runs", () =>
  inVirtualTime(
    Effect.gen(function* () {
      const skills = [cron("debrief", "30 17 * * *"), cron("bedtime", "30 21 * * *")]
      const disk = yield* life(skills, at("22T09:00"), diskMemory(), through(at("22T11:28")))
      for (let n = 0; n < 5; n++) {
        disk.fail("read", "EACCES")
        assert.isTrue(Exit.isFailure(yield* Effect.exit(life(skills, at("22T11:28:40") + n * 60_000, disk, () => Effect.void))))
        disk.heal()
      }
      const events = yield* last(skills, at("22T11:34"), at("23T22:00"), disk)
      assert.deepStrictEqual(runs(events, "debrief"), ["22T17:30", "23T17:30"])
      assert.deepStrictEqual(runs(events, "bedtime"), ["22T21:30", "23T21:30"])
    })
  ))

it("openclaw/openclaw#6814: a deleted job runs again, from a temporary file of before - here: files of that kind are never read", () =>
  inVirtualTime(
    Effect.gen(function* () {
      const [kept, deleted] = [cron("kept", "* * * * *"), cron("deleted", "* * * * *")]
      const before = yield* life([kept, deleted], at("22T06:00"), diskMemory(), through(at("22T06:02:30")))
      const disk = yield* life([kept], at("22T06:03:30"), before, through(at("22T06:05:30")))
      for (const [path, content] of before.files()) {
        disk.put(`${path}.40705.af341ee67e131.tmp`, content)
        disk.put(path.replace(/[^/]*$/, ".draft-0123456789abcdef"), content)
      }
      const events = yield* last([kept], at("22T06:10:30"), at("22T06:15:30"), disk)
      assert.deepStrictEqual(runs(events, "deleted"), ["22T06:01", "22T06:02"])
      assert.strictEqual(runs(events, "kept", at("22T06:11")).length, 5)
      assert.deepStrictEqual(
        [...disk.files().keys()].filter((path) => /\/state\/(skills\/status\/)?\.draft-/.test(path)),
        []
      )
    })
  ))

it("openclaw/openclaw#50414: a job that a restart interrupts is shown as completed - here: it is tried again, or on record as interrupted", () =>
  inVirtualTime(
    Effect.gen(function* () {
      for (const [onInterruption, outcome] of [
        ["rerun", "success"],
        ["record", "interrupted"]
      ] as const) {
        const skills = [cron("report", "0 9 * * *", { onInterruption }, () => Effect.sleep("1 minute"))]
        const disk = yield* life(skills, at("22T08:00"), diskMemory(), through(at("22T09:00:30")))
        const status = () => String(disk.files().get("/state/skills/status/report.txt"))
        assert.strictEqual(status(), "undefined")
        let meanwhile = ""
        yield* life(skills, at("22T09:00:40"), disk, (world) =>
          Effect.gen(function* () {
            yield* world.pass(30_000)
            meanwhile = status()
            yield* world.pass(60_000)
            const settled = world.events().filter(({ type }) => type === "run.settled")
            assert.deepStrictEqual(
              settled.map((event) => "outcome" in event && event.outcome),
              [outcome]
            )
          })
        )
        assert.match(meanwhile, outcome === "success" ? /^undefined$/ : /^status=interrupted,/)
        assert.match(status(), new RegExp(`^status=${outcome},`))
      }
    })
  ))

it("openclaw/openclaw#33092: a slot inside a restart of seconds is skipped, with no entry anywhere - here: it runs when the runtime is back", () =>
  inVirtualTime(
    Effect.gen(function* () {
      const skills = [cron("market", "30 8 * * *")]
      const disk = yield* life(skills, at("22T08:00"), diskMemory(), through(at("22T08:29:47")))
      const events = yield* last(skills, at("22T08:31:05"), at("22T08:35"), disk)
      assert.deepStrictEqual(runs(events, "market"), ["22T08:30 +65 s"])
    })
  ))

it("openclaw/openclaw#4018: a job that was due while the gateway restarted leaves no record of the miss - here: where it is not to be made good, it is on record as missed", () =>
  inVirtualTime(
    Effect.gen(function* () {
      const skills = [cron("market", "0 21,22 * * *", { catchUp: "none" })]
      const disk = yield* life(skills, at("22T20:00"), diskMemory(), through(at("22T20:59:59")))
      const events = yield* last(skills, at("22T21:00:21"), at("22T22:10"), disk)
      assert.deepStrictEqual(runs(events, "market"), ["22T22:00"])
      const settled = events.flatMap((event) => (event.type === "slot.settled" ? [`${iso(event.slot)} ${event.verdict}`] : []))
      assert.deepStrictEqual(settled, ["2026-11-22T21:00:00Z missed"])
    })
  ))

it("openclaw/openclaw#104412: a slot that falls due inside of a restart is skipped in silence - here: a crash behind any line of the journal leaves one run of that slot", () =>
  inVirtualTime(
    Effect.gen(function* () {
      const skills = [
        job("sync", { schedule: { at: iso(at("22T06:01")) } }, (ctx) =>
          Effect.andThen(
            ctx.step("copy", () => Effect.void),
            Effect.sleep("1 second")
          )
        )
      ]
      const adopted = yield* life(skills, at("22T06:00"), diskMemory(), through(at("22T06:02")))
      const crashes = cuts(adopted, /skill\.adopted/)
      assert.isAtLeast(crashes.length, 6)
      for (const disk of crashes) {
        const events = yield* last(skills, at("22T06:02:10"), at("22T06:03"), disk)
        assert.strictEqual(runs(events, "sync").length, 1)
        assert.strictEqual(events.filter((event) => event.type === "run.settled" && event.outcome === "success").length, 1)
      }
    })
  ))

it("openclaw/openclaw#6460: after a restart the list of jobs is empty - here: each is there with what it did and when it is due, from the journal alone", () =>
  inVirtualTime(
    Effect.gen(function* () {
      const skills = [cron("reminder", "0 * * * *"), cron("monitor", "30 6 * * *")]
      const whole = yield* life(skills, at("22T05:59"), diskMemory(), through(at("22T06:45")))
      const disk = diskMemory()
      for (const [path, content] of whole.files()) if (path.startsWith("/state/journal/")) disk.put(path, content)
      yield* life(skills, at("22T06:50"), disk, (world) =>
        Effect.map(world.runtime.picture, ({ skills: shown }) =>
          assert.deepStrictEqual(
            shown.map(({ name, next, lastSuccess }) => [name, next, lastSuccess]),
            [
              ["reminder", "2026-11-22T07:00:00Z", "2026-11-22T06:00:00Z"],
              ["monitor", "2026-11-23T06:30:00Z", "2026-11-22T06:30:00Z"]
            ]
          )
        )
      )
    })
  ))

it("openclaw/openclaw#64137: the scheduler crashes at its start where a job was running - here: it starts, whatever part of the run is on record, and the others run on time", () =>
  inVirtualTime(
    Effect.gen(function* () {
      const skills = [
        job("long", { schedule: { at: iso(at("22T06:01")) } }, (ctx) =>
          Effect.andThen(
            ctx.step("fetch", () => Effect.void),
            Effect.sleep("1 hour")
          )
        ),
        cron("other", "5 * * * *")
      ]
      const running = yield* life(skills, at("22T06:00"), diskMemory(), through(at("22T06:02")))
      const crashes = cuts(running, /run\.claimed/)
      assert.isAtLeast(crashes.length, 4)
      for (const disk of crashes)
        assert.deepStrictEqual(runs(yield* last(skills, at("22T06:03"), at("22T07:30"), disk), "other"), ["22T06:05", "22T07:05"])
    })
  ))
