import { chmodSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { assert, beforeEach, it, vi } from "@effect/vitest"
import { Clock, Effect } from "effect"
import { run, type Said } from "./inProcess.ts"
import { atWork, type Here, here, named, skill } from "./installation.ts"

beforeEach(() => {
  vi.stubEnv("HERMES_HOME", "/nowhere")
  vi.stubEnv("OPENCLAW_STATE_DIR", "/nowhere")
  return () => vi.unstubAllEnvs()
})
/** What this user's crontab is for a test. */
const crontab = (home: string, line: string): void => {
  const bin = join(home, "bin")
  mkdirSync(bin)
  writeFileSync(join(bin, "crontab"), `#!/bin/sh\necho '${line}'\n`)
  chmodSync(join(bin, "crontab"), 0o755)
  vi.stubEnv("PATH", `${bin}:${process.env["PATH"]}`)
}
const unwell = ({ values }: Said) => values.flatMap(({ name, health }) => (health === "ok" ? [] : [`${health} ${name}`]))
/** Asks until it says this of what is not well: a picture is written a moment after what it shows. */
const settled = (now: Here, expected: ReadonlyArray<string>) =>
  Effect.gen(function* () {
    for (let tries = 0; tries < 100; tries++) {
      const said = yield* now.doctor
      if (JSON.stringify(unwell(said)) === JSON.stringify(expected)) return said
      yield* Effect.sleep(50)
    }
    const said = yield* now.doctor
    assert.deepStrictEqual(unwell(said), expected, said.stderr)
    return said
  })

it.live("a job that is enabled on both sides is a failure with what to do, and none once the skill is paused", () =>
  Effect.gen(function* () {
    const now = yield* here([named("Poll"), named("Minutely")])
    crontab(now.home, "* * * * * /bin/other")
    assert.strictEqual((yield* now.openclaw("--write", "--disable")).code, 0)
    skill(now.skills, "twin", { schedule: { cron: "* * * * *", timezone: "UTC" }, run: ["sh", "-lc", "date"] })
    const runtime = yield* atWork(now, true)
    const well = yield* settled(now, [])
    assert.strictEqual(well.code, 0)
    assert.deepInclude(well.values.at(-1), { name: "schedulers", says: "3 jobs of others, none of them run here as well" })

    assert.strictEqual((yield* now.openclaw("--hand-back", "Poll", "--state", now.state)).code, 0)
    yield* settled(now, [])
    yield* Effect.promise(() => runtime.resume("poll"))
    const double = yield* settled(now, ["fail schedulers"])
    assert.strictEqual(double.code, 2)
    assert.match(double.values.at(-1).says, /\(Poll\) is enabled, and poll, which was made of it, is scheduled here: every slot runs twice/)
    assert.match(double.values.at(-1).fix, new RegExp(`^openclaw cron disable ${named("Poll").id}, or .* pause poll$`))
  })
)

it.live("a crontab's line with the name of a skill is a warning", () =>
  Effect.gen(function* () {
    const now = yield* here([])
    crontab(now.home, "@daily /opt/report.sh")
    skill(now.skills, "report", { schedule: { every: "1 hour" }, run: ["true"] })
    yield* atWork(now, true)
    assert.strictEqual((yield* settled(now, ["warn schedulers"])).code, 1)
  })
)

it.live("a gateway that is away is a warning, one that refuses the token a failure, and neither hides the rest", () =>
  Effect.gen(function* () {
    const away = yield* here([], { url: "ws://127.0.0.1:1" })
    mkdirSync(away.skills)
    assert.deepStrictEqual(unwell(yield* away.doctor), ["fail runtime", "warn gateway"])
    const refusing = yield* here([], { token: "another-token" })
    skill(refusing.skills, "bad", { run: [] })
    const said = yield* refusing.doctor
    assert.deepStrictEqual(unwell(said), ["fail runtime", "warn skills", "fail gateway"])
    assert.strictEqual(said.code, 2)
    assert.notInclude(JSON.stringify(said), "another-token")
  })
)

it.live("a clock that is behind the record and a journal that is not whole are failures", () =>
  Effect.gen(function* () {
    const now = yield* here([])
    mkdirSync(now.skills)
    const runtime = yield* atWork(now, true)
    yield* settled(now, [])
    const live = yield* Clock.Clock
    const clockAt = (ms: number): Clock.Clock =>
      Object.assign(Object.create(live), { currentTimeMillis: Effect.succeed(ms), currentTimeMillisUnsafe: () => ms })
    const earlier = yield* Effect.provideService(now.doctor, Clock.Clock, clockAt(Date.now() - 3_600_000))
    assert.include(unwell(earlier), "fail clock")
    assert.include(unwell(yield* Effect.provideService(now.doctor, Clock.Clock, clockAt(0))), "fail clock")

    yield* Effect.promise(() => runtime.stop({ now: true }))
    const [first] = readdirSync(join(now.state, "journal"))
    const file = join(now.state, "journal", first!)
    writeFileSync(file, readFileSync(file, "utf8").replace("runtime.started", "runtime.Started"))
    const damaged = yield* now.doctor
    assert.include(unwell(damaged), "fail state")
    assert.strictEqual(damaged.code, 2)
    assert.strictEqual(
      (yield* run("state", "verify", "--state", now.state)).code,
      damaged.values.find(({ name }) => name === "state").says.split(":")[0]
    )
  })
)
