/** The promise API, as an embedder uses it: real folders, real time, no Effect in sight. */
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { assert, describe, expectTypeOf, it, onTestFinished } from "vitest"
import { createRuntime, guarantees, type JournalEvent, type Mode, type Runtime, type RuntimeOptions, skill } from "../src/index.ts"
import { folder } from "./layers/children.ts"

/** A runtime that is stopped after the test, whatever became of it. */
const started = async (options: RuntimeOptions): Promise<Runtime> => {
  const runtime = await createRuntime(options)
  onTestFinished(async () => void (await runtime.stop({ now: true })))
  return runtime
}
const beat = skill({ name: "beat", run: () => ({ beats: 1 }) })

/** The first event that fits; rejects after ten seconds. */
const event = (runtime: Runtime, fits: (event: JournalEvent) => boolean): Promise<JournalEvent> =>
  new Promise((resolve, reject) => {
    const late = setTimeout(() => reject(new Error("no such event")), 10_000)
    const leave = runtime.subscribe((event) => {
      if (!fits(event)) return
      clearTimeout(late)
      leave()
      resolve(event)
    })
  })
/** What a promise was rejected with. */
const rejection = (promise: Promise<unknown>): Promise<Record<string, unknown>> =>
  promise.then(
    () => assert.fail("was not rejected"),
    (error: unknown) => ({ ...(error as object), isError: error instanceof Error })
  )

describe("a runtime", () => {
  it("runs what it is asked to, and keeps what came of it in plain files", async () => {
    const state = folder()
    const runtime = await started({ state, skills: [beat] })
    const settled = event(runtime, ({ type }) => type === "run.settled")
    const run = await runtime.trigger("beat", { key: "first" })
    assert.match(run, /^beat@\d{8}T\d{6}(\.\d{3})?Z\+manual-first$/)
    assert.strictEqual(await runtime.trigger("beat", { key: "first" }), run)
    assert.deepInclude(await settled, { run, outcome: "success", fields: { beats: 1 } })
    assert.deepStrictEqual(await runtime.stop(), { mode: "stopped", reason: "asked to" })
    assert.match(readFileSync(join(state, "skills/status/beat.txt"), "utf8"), /^status=success,.*beats=1/)
    assert.deepInclude(JSON.parse(readFileSync(join(state, "status.json"), "utf8")), { mode: "stopped" })
  })

  it("runs a skill on its schedule", async () => {
    const runtime = await started({ state: folder(), skills: [skill({ name: "quick", schedule: { every: "1 second" }, run: () => {} })] })
    const settled = await event(runtime, ({ type }) => type === "run.settled")
    assert.deepInclude(settled, { outcome: "success" })
  })

  it("is one a folder, and any number a process", async () => {
    const [a, b] = [folder(), folder()]
    const [first, second] = await Promise.all([started({ state: a, skills: [beat] }), started({ state: b, skills: [beat] })])
    const [ran, alsoRan] = await Promise.all([first.trigger("beat"), second.trigger("beat")])
    assert.isString(ran)
    assert.isString(alsoRan)
    assert.deepInclude(await rejection(createRuntime({ state: a })), { code: "LOCK_HELD", isError: true })
    assert.strictEqual(first.mode, "standalone")
    await first.stop()
    const again = await started({ state: a })
    assert.strictEqual(again.mode, "standalone")
    assert.strictEqual(second.mode, "standalone")
  })

  it("says at any time what it is doing, and what that promises", async () => {
    const runtime = await started({ state: folder(), skills: [beat], hold: true })
    expectTypeOf(runtime.mode).toEqualTypeOf<Mode>()
    assert.strictEqual(runtime.mode, "held")
    assert.strictEqual(guarantees[runtime.mode].local, "held")
    assert.deepInclude(await rejection(runtime.trigger("beat")), { code: "SKILL_HELD" })
    runtime.release()
    assert.strictEqual(runtime.mode, "standalone")
    assert.deepInclude(await runtime.status(), { mode: "standalone", problems: [] })
    await runtime.stop()
    assert.strictEqual(runtime.mode, "stopped")
    assert.strictEqual(runtime.actor.getSnapshot().status, "done")
  })

  it("may be stopped twice, and from two sides at once", async () => {
    const runtime = await started({ state: folder() })
    const ends = await Promise.all([runtime.stop(), runtime.stop({ now: true }), runtime.ended])
    assert.deepStrictEqual(ends, [ends[0], ends[0], ends[0]])
    assert.deepStrictEqual(await runtime.stop(), { mode: "stopped", reason: "asked to" })
  })

  it("lets running work finish when it is stopped, and interrupts it when that is to be now", async () => {
    const finished: Array<string> = []
    const slow = skill({
      name: "slow",
      run: ({ signal }) =>
        new Promise((resolve) => {
          const timer = setTimeout(() => {
            finished.push("slow")
            resolve()
          }, 300)
          signal.addEventListener("abort", () => {
            clearTimeout(timer)
            finished.push("aborted")
          })
        })
    })
    const patient = await started({ state: folder(), skills: [slow] })
    await patient.trigger("slow")
    await patient.stop()
    assert.deepStrictEqual(finished, ["slow"])
    const hasty = await started({ state: folder(), skills: [slow] })
    const begun = event(hasty, ({ type }) => type === "attempt.started")
    await hasty.trigger("slow")
    await begun
    await new Promise((resolve) => setTimeout(resolve, 50))
    await hasty.stop({ now: true })
    assert.deepStrictEqual(finished, ["slow", "aborted"])
  })

  it("cancels a run that is under way, once it has ended what it does", async () => {
    const ended: Array<string> = []
    const endless = skill({
      name: "endless",
      run: ({ signal }) =>
        new Promise((_, reject) => {
          signal.addEventListener("abort", () => {
            ended.push("aborted")
            reject(new Error("aborted"))
          })
        })
    })
    const runtime = await started({ state: folder(), skills: [endless] })
    const begun = event(runtime, ({ type }) => type === "attempt.started")
    const id = await runtime.trigger("endless")
    await begun
    const settled = event(runtime, ({ type }) => type === "run.settled")
    await runtime.cancel(id)
    assert.deepInclude(await settled, { outcome: "cancelled", reason: "cancelled by the embedding program" })
    assert.deepStrictEqual(ended, ["aborted"])
  })

  it("pauses and resumes a skill, which can be triggered meanwhile", async () => {
    const runtime = await started({ state: folder(), skills: [beat] })
    await runtime.pause("beat", { why: "no power" })
    assert.deepInclude((await runtime.status()).skills[0], { state: "paused", reason: "paused by the embedding program: no power" })
    const settled = event(runtime, ({ type }) => type === "run.settled")
    await runtime.trigger("beat")
    await settled
    await runtime.resume("beat")
    assert.deepInclude((await runtime.status()).skills[0], { state: "waiting" })
    const refused = await runtime.resume("beat").catch((error: unknown) => error)
    assert.deepInclude({ ...(refused as object) }, { code: "SKILL_NOT_PAUSED" })
  })

  it("makes good slots of the past, once each", async () => {
    const runtime = await started({ state: folder(), skills: [skill({ name: "hourly", schedule: { every: "1 hour" }, run: () => {} })] })
    const [from, to] = [new Date("2024-11-20T06:00:00Z"), new Date("2024-11-20T08:00:00Z")]
    const settled = event(runtime, ({ type }) => type === "run.settled")
    assert.deepStrictEqual(await runtime.backfill("hourly", { from, to, limit: 1, why: "a try" }), ["hourly@20241120T060000Z"])
    await settled
    assert.deepStrictEqual(await runtime.backfill("hourly", { from, to }), ["hourly@20241120T070000Z", "hourly@20241120T080000Z"])
    assert.deepStrictEqual(await runtime.backfill("hourly", { from, to }), [])
    const refused = await runtime.backfill("hourly", { from, to: new Date("2236-01-01") }).catch((error: unknown) => error)
    assert.deepInclude({ ...(refused as object) }, { code: "BACKFILL_FUTURE" })
  })

  it("installs no signal handler and listens to nothing of the process", async () => {
    const names = ["SIGINT", "SIGTERM", "SIGHUP", "exit", "beforeExit", "uncaughtException", "unhandledRejection", "warning"] as const
    const counts = () => names.map((name) => process.listenerCount(name))
    const before = counts()
    const runtime = await started({ state: folder(), skills: [beat] })
    await runtime.trigger("beat")
    assert.deepStrictEqual(counts(), before)
    await runtime.stop()
    assert.deepStrictEqual(counts(), before)
  })
})

describe("a listener", () => {
  it("hears each event once it is durable, in order, until it leaves", async () => {
    const runtime = await started({ state: folder(), skills: [beat] })
    const [all, some]: [Array<string>, Array<string>] = [[], []]
    runtime.subscribe(({ type }) => void all.push(type))
    const leave = runtime.subscribe(({ type }) => void some.push(type))
    let settled = event(runtime, ({ type }) => type === "run.settled")
    await runtime.trigger("beat", { key: "one" })
    await settled
    leave()
    leave()
    settled = event(runtime, ({ type }) => type === "run.settled")
    await runtime.trigger("beat", { key: "two" })
    await settled
    await runtime.stop()
    const once = ["run.claimed", "attempt.started", "run.settled"]
    assert.deepStrictEqual(
      some.filter((type) => once.includes(type)),
      once
    )
    assert.deepStrictEqual(
      all.filter((type) => once.includes(type)),
      [...once, ...once]
    )
  })

  it("that throws harms nobody, itself included", async () => {
    const runtime = await started({ state: folder(), skills: [beat] })
    let heard = 0
    runtime.subscribe(() => {
      heard += 1
      throw new Error("the listener is broken")
    })
    const settled = event(runtime, ({ type }) => type === "run.settled")
    await runtime.trigger("beat")
    await settled
    await runtime.stop()
    assert.isAtLeast(heard, 3)
  })

  it("that comes after the end hears nothing, and may leave", async () => {
    const runtime = await started({ state: folder() })
    await runtime.stop()
    runtime.subscribe(() => assert.fail("heard something"))()
  })
})

describe("a wrong option is a typed error that says what to do", () => {
  it.each<readonly [what: string, options: Omit<RuntimeOptions, "state">, error: Record<string, unknown>]>([
    [
      "a cron that is none, in code",
      { skills: [skill({ name: "bad", schedule: { cron: "61 * * * *" }, run: () => {} })] },
      { _tag: "ScheduleInvalid" }
    ],
    [
      "a date that never comes",
      { skills: [skill({ name: "bad", schedule: { cron: "0 0 30 2 *" }, run: () => {} })] },
      { _tag: "ScheduleInvalid" }
    ],
    ["a gateway that is no address", { gateway: { url: "localhost" } }, { _tag: "ConfigInvalid" }],
    ["a gateway in the clear on another machine", { gateway: { url: "ws://example.org:3019" } }, { _tag: "ConfigInvalid" }],
    [
      "needs without a gateway",
      { skills: [skill({ name: "bad", needs: ["session"], run: () => {} })] },
      { _tag: "SkillInvalid", code: "NEEDS_GATEWAY" }
    ],
    ["a name that cannot be a file's", { skills: [skill({ name: "../bad", run: () => {} })] }, { _tag: "SkillInvalid" }],
    ["a name twice", { skills: [beat, beat] }, { _tag: "SkillInvalid", code: "SKILL_DUPLICATE" }],
    ["a setting nobody knows", { skills: [skill({ name: "bad", shedule: {}, run: () => {} } as never)] }, { _tag: "SkillInvalid" }]
  ])("%s", async (_, options, error) => {
    const state = folder()
    const rejected = await rejection(createRuntime({ state, ...options }))
    assert.deepInclude(rejected, { ...error, isError: true })
    for (const key of ["code", "where", "got", "want", "fix"]) assert.isString(rejected[key], key)
    assert.isFalse(existsSync(join(state, "journal")), "nothing was made")
    await (await started({ state })).stop() // And nothing is held.
  })

  it("and so is a state directory that is damaged, each time it is asked for", async () => {
    const state = folder()
    await (await started({ state, skills: [beat] })).stop()
    await (await started({ state, skills: [beat] })).stop()
    const [first] = readdirSync(join(state, "journal")).sort()
    const segment = join(state, "journal", first!)
    const bytes = readFileSync(segment)
    bytes[bytes.length >> 1]! ^= 1
    writeFileSync(segment, bytes)
    for (let i = 0; i < 2; i++)
      assert.deepInclude(await rejection(createRuntime({ state })), { _tag: "StateUnusable", code: "JOURNAL_CORRUPT" })
  })

  it("and a token is in none of them", async () => {
    const rejected = await rejection(createRuntime({ state: folder(), gateway: { url: "nonsense", token: "very-secret" } }))
    assert.notInclude(JSON.stringify(rejected), "very-secret")
  })
})

describe("a gateway that is not there", () => {
  it("is a mode, not an error", async () => {
    const runtime = await started({ state: folder(), skills: [beat], gateway: { url: "ws://127.0.0.1:9" } })
    assert.strictEqual(runtime.mode, "degraded.partitioned")
    assert.strictEqual(guarantees[runtime.mode].local, "fires")
    const settled = event(runtime, ({ type }) => type === "run.settled")
    await runtime.trigger("beat")
    assert.deepInclude(await settled, { outcome: "success" })
    assert.deepInclude((await runtime.status()).outbox, { waiting: 1 })
  })
})
