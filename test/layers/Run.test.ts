/** One run over a disk that is watched: what is on record before what, and what the session is told. */
import { Effect, Fiber, Layer } from "effect"
import { Pools } from "../../src/layers/Pools.ts"
import { TestClock } from "effect/testing"
import { assert, describe, it } from "vitest"
import type { Disk } from "../../src/layers/Disk.ts"
import { diskMemory, type DiskMemory } from "../../src/layers/DiskMemory.ts"
import { Gateway } from "../../src/layers/Gateway.ts"
import { History } from "../../src/layers/History.ts"
import type { SkillGiven } from "../../src/layers/Holdfast.ts"
import type { Link } from "../../src/layers/Link.ts"
import { resume, Run } from "../../src/layers/Run.ts"
import { Session } from "../../src/layers/Session.ts"
import { effectWork, type EffectSkillContext } from "../../src/layers/SkillFunction.ts"
import type { RunRecord } from "../../src/domain/Ledger.ts"
import { interruptionsMax, type SkillDefinition } from "../../src/domain/Skill.ts"
import { afterCrash, makeWorld } from "../../src/testing/World.ts"
import { beginningMs, inVirtualTime } from "../property.ts"
import { memory, memoryStore } from "./memoryStore.ts"

const given = (
  settings: SkillGiven["settings"],
  work: (ctx: EffectSkillContext) => Effect.Effect<void | { readonly [key: string]: number | string }, unknown> = () => Effect.void
): SkillGiven => ({ name: "job", description: "", settings, work: effectWork(work) })

/** A link that is there and never up: results are to be reported, and wait. */
const down: Link = Layer.mergeAll(
  Session.layerNoop,
  Layer.succeed(History, { has: () => Effect.succeed(false), newest: () => Effect.succeed([]) }),
  Layer.succeed(Gateway, { probe: Effect.never })
)

/** The same disk, and every operation that changed it, in order: what the journal got, and which views were put in place. */
const watched = (): DiskMemory & { readonly log: Array<string> } => {
  const memory = diskMemory()
  const log: Array<string> = []
  const disk: Disk["Service"] = {
    ...memory.disk,
    open: (path, options) =>
      Effect.map(memory.disk.open(path, options), (file) => {
        let unsynced: Array<string> = []
        return {
          ...file,
          append: (bytes) =>
            Effect.tap(file.append(bytes), () =>
              Effect.sync(() => {
                unsynced.push(
                  ...Buffer.from(bytes)
                    .toString()
                    .matchAll(/"type":"([a-z.]+)"/g)
                    .map(([, type]) => type!)
                )
              })
            ),
          datasync: Effect.tap(file.datasync, () =>
            Effect.sync(() => {
              log.push(...unsynced)
              unsynced = []
            })
          )
        }
      }),
    rename: (from, to) =>
      Effect.andThen(
        Effect.sync(() => {
          if (!to.endsWith("status.json") && !to.endsWith("owner.json")) log.push(to)
        }),
        memory.disk.rename(from, to)
      )
  }
  return { ...memory, disk, log }
}

describe("the order of what is on record", () => {
  it("is claim, attempt, steps, outcome, and the status file never before the outcome is durable", () =>
    inVirtualTime(
      Effect.gen(function* () {
        const disk = watched()
        const world = yield* makeWorld({
          skills: [
            given({ schedule: { every: "10 seconds" } }, (ctx) =>
              Effect.gen(function* () {
                disk.log.push("(work begins)")
                yield* ctx.step("first", () =>
                  Effect.sync(() => {
                    disk.log.push("(first)")
                  })
                )
                yield* ctx.step("second", () =>
                  Effect.sync(() => {
                    disk.log.push("(second)")
                  })
                )
                return { posts: 2 }
              })
            )
          ],
          disk
        })
        yield* world.pass(10_000)
        assert.deepStrictEqual(disk.log.slice(disk.log.indexOf("run.claimed")), [
          "run.claimed",
          "attempt.started",
          "(work begins)",
          "step.started",
          "(first)",
          "step.finished",
          "step.started",
          "(second)",
          "step.finished",
          "run.settled",
          "/state/skills/status/job.txt"
        ])
      })
    ))

  it("has the failed attempt and its next try before that try begins", () =>
    inVirtualTime(
      Effect.gen(function* () {
        const disk = watched()
        const world = yield* makeWorld({
          skills: [
            given({ schedule: { every: "1 minute" }, retry: { attempts: 2, first: "2 seconds" } }, ({ attempt }) => {
              disk.log.push(`(attempt ${attempt})`)
              return Effect.fail("no luck")
            })
          ],
          disk
        })
        yield* world.pass(70_000)
        assert.deepStrictEqual(disk.log.slice(disk.log.indexOf("run.claimed")), [
          "run.claimed",
          "attempt.started",
          "(attempt 1)",
          "attempt.failed",
          "attempt.started",
          "(attempt 2)",
          "run.settled",
          "/state/skills/status/job.txt"
        ])
      })
    ))

  it("shows nobody an outcome that is not durable: not the status file, not the ledger, not the picture", () =>
    inVirtualTime(
      Effect.gen(function* () {
        const world = yield* makeWorld({
          skills: [given({ schedule: { every: "10 seconds" } }, () => Effect.as(Effect.sleep(1_000), { done: 1 }))]
        })
        yield* world.pass(10_500)
        world.disk.fail("append", "ENOSPC")
        yield* world.pass(3_000)
        assert.isUndefined(world.disk.files().get("/state/skills/status/job.txt"))
        assert.isUndefined(world.store.ledger.skills.get("job")?.last)
        assert.isUndefined((yield* world.runtime.picture).skills[0]?.last)
        world.disk.heal()
        yield* world.pass(2_000)
        assert.match(String(world.disk.files().get("/state/skills/status/job.txt")), /^status=success,.*done=1/)
      })
    ))
})

describe("an attempt", () => {
  it("is counted before it starts, so that a crash in the middle earns no free try", () =>
    inVirtualTime(
      Effect.gen(function* () {
        const world = yield* makeWorld({ skills: [given({ schedule: { at: "2026-11-22T06:00:10Z" } }, () => Effect.never)] })
        yield* world.pass(10_000)
        assert.deepInclude(world.store.ledger.unsettled()[0], { phase: "executing", attempts: 1, failedAttempts: 0 })
        const next = yield* makeWorld({
          skills: [given({ schedule: { at: "2026-11-22T06:00:10Z" } }, () => Effect.never)],
          disk: afterCrash(world)
        })
        yield* next.pass(1)
        assert.deepInclude(next.store.ledger.unsettled()[0], { phase: "executing", attempts: 2, failedAttempts: 0 })
      })
    ))

  it("that ended by a defect of its skill is a failure like any other", () =>
    inVirtualTime(
      Effect.gen(function* () {
        const world = yield* makeWorld({
          skills: [given({ schedule: { every: "1 minute" }, retry: { attempts: 1 } }, () => Effect.die(new Error("oops")))]
        })
        yield* world.pass(60_000)
        assert.deepInclude(
          world.events().find(({ type }) => type === "run.settled"),
          { outcome: "failed", reason: "RUN_THREW: oops" }
        )
      })
    ))

  it("that was interrupted too often by deaths of the runtime is not tried again: it may be their cause", () =>
    inVirtualTime(
      Effect.gen(function* () {
        let begun = 0
        const skill = given({ schedule: { at: "2026-11-22T06:00:10Z" }, quarantine: { failures: 0 } }, () =>
          Effect.andThen(
            Effect.sync(() => {
              begun += 1
            }),
            Effect.never
          )
        )
        yield* TestClock.setTime(beginningMs)
        let disk = diskMemory()
        const lives: Array<number> = []
        for (let life = 0; life < interruptionsMax + 3; life++) {
          disk = yield* Effect.scoped(
            Effect.gen(function* () {
              const world = yield* makeWorld({ skills: [skill], disk })
              yield* world.pass(10_000)
              lives.push(begun)
              return afterCrash(world)
            })
          )
        }
        assert.deepStrictEqual(lives, [1, 2, 3, 4, 5, 5, 5, 5])
        const world = yield* makeWorld({ skills: [skill], disk })
        const settled = world.events().filter((event) => event.type === "run.settled")
        assert.strictEqual(settled.length, 1)
        assert.deepInclude(settled[0], { outcome: "interrupted", reason: "interrupted 5 times: it may be what ends the runtime" })
      })
    ))
})

describe("the steps of a run that is expected", () => {
  it("are waited for until its attempt is taken over; of any other attempt they are refused", () =>
    inVirtualTime(
      Effect.gen(function* () {
        const runs = yield* Run
        const [run, other] = ["job@20261122T060000Z", "job@20261122T060100Z"]
        runs.expect([run])
        assert.deepStrictEqual([runs.survives(run), runs.survives(other)], [true, false])
        const asked = yield* Effect.forkChild(runs.steps(run, 1), { startImmediately: true })
        assert.strictEqual((yield* Effect.flip(runs.steps(other, 1))).code, "STEP_NOT_EXECUTING")
        yield* TestClock.adjust(60_000)
        assert.isUndefined(asked.pollUnsafe())
      }).pipe(Effect.provide(Layer.fresh(Run.layer({ session: undefined })).pipe(Layer.provide([memoryStore(memory()), Pools.layer()]))))
    ))
})

describe("a run that is taken up again", () => {
  const definition = {
    retry: { attemptsMax: 3, firstMs: 1, capMs: 1 },
    onInterruption: "rerun",
    work: { _tag: "Function" }
  } as SkillDefinition
  const record = (change: Partial<RunRecord>) =>
    ({ run: "job@20261122T060000Z", attempts: 0, failedAttempts: 0, phase: "claimed", retryAtMs: undefined, ...change }) as RunRecord

  it("waits no longer for its next try than it would have", () => {
    assert.strictEqual(
      resume(record({ phase: "retryable", attempts: 1, failedAttempts: 1, retryAtMs: 5_000 }), definition, 2_000).retryInMs,
      3_000
    )
    assert.strictEqual(
      resume(record({ phase: "retryable", attempts: 1, failedAttempts: 1, retryAtMs: 5_000 }), definition, 9_000).retryInMs,
      0
    )
    assert.isUndefined(resume(record({}), definition, 9_000).retryInMs)
  })

  it("counts as interrupted only where an attempt was under way", () => {
    const recorded = { ...definition, onInterruption: "record" as const }
    assert.isUndefined(resume(record({}), recorded, 0).interrupted)
    assert.isUndefined(resume(record({ phase: "retryable", attempts: 1, failedAttempts: 1, retryAtMs: 0 }), recorded, 0).interrupted)
    assert.isDefined(resume(record({ phase: "executing", attempts: 1 }), recorded, 0).interrupted)
    assert.isUndefined(resume(record({ phase: "executing", attempts: 3, failedAttempts: 2 }), definition, 0).interrupted)
  })
})

describe("run.cancel", () => {
  it("settles the run as cancelled once the attempt has ended what it started, and not before", () =>
    inVirtualTime(
      Effect.gen(function* () {
        const log: Array<string> = []
        const world = yield* makeWorld({
          skills: [
            given({ schedule: { every: "1 minute" } }, () =>
              Effect.onInterrupt(Effect.never, () =>
                Effect.andThen(
                  Effect.sleep(4_000),
                  Effect.sync(() => log.push("ended"))
                )
              )
            )
          ]
        })
        yield* world.pass(61_000)
        world.supervisor.actor("job")?.send({ type: "run.cancel", run: "job@20261122T060100Z", by: "operator" })
        yield* world.pass(3_999)
        assert.isUndefined(world.events().find(({ type }) => type === "run.settled"))
        assert.deepInclude(world.supervisor.actor("job")?.getSnapshot().children["job@20261122T060100Z"]?.getSnapshot(), {
          value: { executing: "cancelling" }
        })
        yield* world.pass(1)
        assert.deepStrictEqual(log, ["ended"])
        assert.deepInclude(
          world.events().find(({ type }) => type === "run.settled"),
          { outcome: "cancelled", reason: "cancelled by operator", atMs: beginningMs + 65_000 }
        )
        assert.deepInclude(world.supervisor.actor("job")?.getSnapshot().value, { work: "idle" })
      })
    ))

  it("ends the wait for another try", () =>
    inVirtualTime(
      Effect.gen(function* () {
        const world = yield* makeWorld({
          skills: [given({ schedule: { every: "1 minute" }, retry: { attempts: 5, first: "30 seconds" } }, () => Effect.fail("no"))]
        })
        yield* world.pass(61_000)
        world.supervisor.actor("job")?.send({ type: "run.cancel", run: "job@20261122T060100Z", by: "operator" })
        yield* world.pass(1)
        assert.deepInclude(
          world.events().find(({ type }) => type === "run.settled"),
          { outcome: "cancelled" }
        )
        yield* world.pass(50_000)
        assert.strictEqual(world.events().filter(({ type }) => type === "attempt.started").length, 1)
      })
    ))

  it("is on record before a drain that was waiting for the run is over", () =>
    inVirtualTime(
      Effect.gen(function* () {
        const world = yield* makeWorld({ skills: [given({ schedule: { every: "1 minute" } }, () => Effect.never)] })
        yield* world.pass(61_000)
        const draining = yield* Effect.forkChild(world.runtime.drain)
        yield* world.pass(1)
        world.supervisor.actor("job")?.send({ type: "run.cancel", run: "job@20261122T060100Z", by: "operator" })
        yield* world.pass(1_000)
        yield* Fiber.join(draining)
        assert.deepInclude(
          world.events().find(({ type }) => type === "run.settled"),
          { outcome: "cancelled" }
        )
      })
    ))
})

describe("a report", () => {
  it("when: change is one of the first run, of each failure, and of the recovery", () =>
    inVirtualTime(
      Effect.gen(function* () {
        const outcomes = [true, true, false, false, true, true]
        const world = yield* makeWorld({
          skills: [
            given({ schedule: { every: "1 minute" }, retry: { attempts: 1 } }, () =>
              Effect.suspend(() => (outcomes.shift() === false ? Effect.fail("no luck") : Effect.void))
            )
          ],
          link: down
        })
        yield* world.pass(6 * 60_000)
        const told = world
          .events()
          .flatMap((event) => (event.type === "run.settled" ? [`${event.outcome}${event.report === null ? "" : " told"}`] : []))
        assert.deepStrictEqual(told, ["success told", "success", "failed told", "failed told", "success told", "success"])
        assert.strictEqual(world.store.ledger.outbox.size, 4)
      })
    ))

  it("goes to the skill's own session where it names one, and is none where no gateway is configured", () =>
    inVirtualTime(
      Effect.gen(function* () {
        const settings = { schedule: { every: "1 minute" }, report: { when: "always", session: "agent:main:news" } } as const
        for (const [link, session] of [
          [down, "agent:main:news"],
          [undefined, undefined]
        ] as const) {
          const world = yield* makeWorld({ skills: [given(settings)], ...(link === undefined ? {} : { link }) })
          yield* world.pass(60_000)
          const settled = world.events().find((event) => event.type === "run.settled")
          assert.strictEqual(settled?.type === "run.settled" ? settled.report?.session : "", session)
        }
      })
    ))
})

describe("the terms of a report", () => {
  it("are fixed when its run settles: way, end of its time, and whether a later one stands in for it", () =>
    inVirtualTime(
      Effect.gen(function* () {
        const reports = Effect.fnUntraced(function* (terms: object) {
          const settings = { schedule: { every: "1 minute" }, report: { when: "always", ...terms } } as const
          const world = yield* makeWorld({ skills: [given(settings)], link: down })
          yield* world.pass(60_000)
          return world
            .events()
            .flatMap((event) =>
              event.type === "run.settled" ? [{ ...event.report, lastsMs: (event.report?.expiresAtMs ?? 0) - event.atMs }] : []
            )[0]
        })
        assert.deepInclude(yield* reports({ via: "wake", keepFor: "1 hour", collapse: true }), {
          via: "wake",
          lastsMs: 3_600_000,
          collapse: true
        })
        assert.doesNotHaveAnyKeys(yield* reports({ via: "inject", collapse: false }), ["via", "expiresAtMs", "collapse"])
        assert.doesNotHaveAnyKeys(yield* reports({ via: "none" }), ["session", "text"])
      })
    ))

  it("a report that is too long says that it was cut and where the whole is, which is there", () =>
    inVirtualTime(
      Effect.gen(function* () {
        for (const pad of ["", "a"]) {
          const summary = pad + "\u{1f980}".repeat(5_000) // One of both would be cut between its halves.
          const work = () => Effect.succeed({ summary })
          const world = yield* makeWorld({ skills: [given({ schedule: { every: "1 minute" } }, work)], link: down })
          yield* world.pass(60_000)
          const [settled] = world.events().flatMap((event) => (event.type === "run.settled" ? [event] : []))
          const { text } = settled!.report!
          const [, shown = "", path = ""] = /^(.*)\n\(cut: the whole is in (\S+)\)$/s.exec(text)!
          assert.isAtMost(text.length, 4_000)
          assert.isTrue(shown.isWellFormed() && shown.endsWith("\u{1f980}"))
          assert.include(world.disk.files().get(`/state/${path}`)!.toString(), summary)
          assert.strictEqual(path, `runs/${settled!.run}/report.txt`)
        }
      })
    ))
})

describe("an outcome that the disk will never take", () => {
  it("ends the runtime as failed, and the next start takes the run up again", () =>
    inVirtualTime(
      Effect.gen(function* () {
        const skill = given({ schedule: { at: "2026-11-22T06:00:10Z" } }, () => Effect.sleep(1_000))
        const world = yield* makeWorld({ skills: [skill] })
        yield* world.pass(10_500)
        world.disk.fail("datasync", "EIO")
        yield* world.pass(2_000)
        assert.deepInclude(yield* world.runtime.ended, {
          mode: "failed",
          reason: "STORAGE_FAILED at /state/journal/0000000001.log: EIO from datasync"
        })
        assert.strictEqual(yield* world.runtime.mode, "failed")
        assert.isUndefined(world.disk.files().get("/state/skills/status/job.txt"))
        world.disk.heal()
        const next = yield* makeWorld({ skills: [skill], disk: afterCrash(world) })
        yield* next.pass(2_000)
        assert.deepInclude(
          next.events().findLast(({ type }) => type === "run.settled"),
          { outcome: "success" }
        )
      })
    ))
})
