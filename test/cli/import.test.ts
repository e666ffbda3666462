import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { DatabaseSync } from "node:sqlite"
import { assert, it } from "@effect/vitest"
import { Effect, Result } from "effect"
import { readFrontMatter } from "../../src/domain/FrontMatter.ts"
import type { EmbeddedGateway } from "../../src/gateway/index.ts"
import { run, type Said } from "./inProcess.ts"
import { atWork, fixtures, type Here, here, jobs, named, skill } from "./installation.ts"

/** The schedules that the skill files have, by skill. */
const schedules = ({ skills }: Here) =>
  Effect.sync(() =>
    Object.fromEntries(
      (existsSync(skills) ? readdirSync(skills) : []).map((name) => {
        const { value } = Result.getOrThrow(readFrontMatter(readFileSync(join(skills, name, "SKILL.md"), "utf8")))
        return [name, Object.keys((value as any).metadata.holdfast.schedule ?? { none: "" })[0]]
      })
    )
  )
const enabled = (gateway: EmbeddedGateway) => Effect.map(gateway.jobs, (all) => all.filter((job) => job.enabled).map(({ name }) => name))

/** The file that a gateway leaves behind, in its own table. */
const store = (home: string): string => {
  const directory = join(home, ".openclaw")
  mkdirSync(join(directory, "state"), { recursive: true })
  const file = new DatabaseSync(join(directory, "state/openclaw.sqlite"))
  file.exec(readFileSync(join(fixtures, "openclaw-cron-jobs.sql"), "utf8"))
  const insert = file.prepare(
    "INSERT INTO cron_jobs (store_key, job_id, name, enabled, payload_kind, job_json, state_json, sort_order, updated_at) VALUES (?,?,?,?,?,?,?,?,?)"
  )
  for (const [i, { nextRunAtMs, state, ...job }] of jobs.entries()) {
    insert.run(
      "jobs.json",
      job.id,
      job.name,
      job.enabled ? 1 : 0,
      job.payload.kind,
      JSON.stringify({ ...job, state: {} }),
      JSON.stringify({ nextRunAtMs, ...state }),
      i,
      1
    )
  }
  file.close()
  return directory
}

it.live("a dry run shows what would become of each job and changes nothing, with the gateway up and from its file while it is down", () =>
  Effect.gen(function* () {
    const up = yield* here(jobs)
    const asked = yield* up.openclaw("--json")
    assert.strictEqual(asked.code, 0)
    const shown = asked.values.map(({ called, skill, becomes = "nothing" }) => [called, skill, becomes])
    assert.sameDeepMembers(shown, [
      ["Daily backup", "daily-backup", "byHand"],
      ["Minutely", null, "nothing"],
      ["Morning notes", null, "nothing"],
      ["Once", null, "nothing"],
      ["Poll", "poll", "byHand"],
      ["Watch build", null, "nothing"],
      ["heartbeat-main", null, "nothing"],
      ["skill-collection-review-main", null, "nothing"]
    ])
    assert.match(asked.values.find(({ called }) => called === "Morning notes").why, /^AGENT_MISSING: /)
    assert.deepStrictEqual(yield* up.gateway.jobs, jobs)
    assert.deepStrictEqual(yield* schedules(up), {})

    const down = yield* here([], { url: "ws://127.0.0.1:1" })
    const state = ["--state-dir", store(down.home)]
    const read = yield* down.openclaw("--json", ...state)
    assert.match(read.stderr, /^ws:\/\/127\.0\.0\.1:1\/ does not answer \(refused\): read from /)
    assert.sameDeepMembers([...read.values], [...asked.values])
    assert.strictEqual((yield* down.openclaw("--write", "--disable", ...state)).code, "GATEWAY_DOWN")
    assert.deepStrictEqual(yield* schedules(down), {})
  })
)

it.live("a gateway that refuses the token is not gone round by its file", () =>
  Effect.gen(function* () {
    const { home, openclaw } = yield* here(jobs, { token: "another-token" })
    const ended = yield* openclaw("--state-dir", store(home))
    assert.match(ended.stderr, /^GATEWAY_UNREACHABLE at ws:[^]*unauthorized[^]*HOLDFAST_GATEWAY_TOKEN/)
    assert.notInclude(ended.stderr, "another-token")
  })
)

it.live("a written skill has no schedule while its job is enabled there, and gets it with --disable, once the job is disabled", () =>
  Effect.gen(function* () {
    const now = yield* here([named("Daily backup"), named("Poll")])
    assert.strictEqual((yield* now.openclaw("--write")).code, 0)
    assert.deepStrictEqual(yield* schedules(now), { "daily-backup": "none", poll: "none" })
    assert.deepStrictEqual(yield* enabled(now.gateway), ["Daily backup", "Poll"])

    const taken = yield* now.openclaw("--write", "--disable", "Poll", "--json")
    assert.deepInclude(taken.values[0], { skill: "poll", becomes: "takenOver", written: true })
    assert.deepStrictEqual(yield* schedules(now), { "daily-backup": "none", poll: "every" })
    assert.deepStrictEqual(yield* enabled(now.gateway), ["Daily backup"])
    assert.deepStrictEqual(readdirSync(now.skills), ["daily-backup", "poll"])
    assert.deepStrictEqual(readdirSync(join(now.skills, "poll")), ["SKILL.md"])
  })
)

it.live("where it is not known whether the job was disabled, the skill stays without its schedule, and asking again mends it", () =>
  Effect.gen(function* () {
    const now = yield* here([named("Poll")])
    yield* now.gateway.control.loseReplies(1)
    const lost = yield* now.openclaw("--write", "--disable")
    assert.strictEqual(lost.code, 1)
    assert.include(lost.stdout, "GATEWAY_REFUSED")
    assert.deepStrictEqual(yield* schedules(now), { poll: "none" })
    assert.deepStrictEqual(yield* enabled(now.gateway), [])
    assert.strictEqual((yield* now.openclaw("--write", "--disable", "Poll")).code, 0)
    assert.deepStrictEqual(yield* schedules(now), { poll: "every" })
  })
)

it.live("nothing is written over what is there, and a job whose skill could not be put there is not disabled", () =>
  Effect.gen(function* () {
    const idle = Array.from({ length: 20 }, (_, i) => ({ ...named("Minutely"), id: `idle-${i}`, name: `Idle ${i}` }))
    const { gateway, openclaw, skills } = yield* here([named("Poll"), named("Daily backup"), ...idle])
    const text = skill(skills, "poll", { run: ["true"] })
    const ended = yield* openclaw("--write", "--disable")
    assert.match(ended.stdout, /^-- {2}Poll .*\n +\S+\/poll is there already$/m)
    assert.strictEqual(readFileSync(join(skills, "poll/SKILL.md"), "utf8"), text)
    assert.deepStrictEqual(yield* enabled(gateway), ["Poll"])
    const unknown = yield* openclaw("--write", "nobody", "Idle 19")
    assert.match(unknown.stdout, /^ok {2}idle-19 /m)
    assert.strictEqual(unknown.code, 1)
    assert.include(unknown.stderr, "no job is called nobody")
    assert.strictEqual((yield* openclaw("--disable")).code, "FLAGS_CONFLICT")
  })
)

it.live("a job that is handed back is enabled there once its skill is paused on record, and never to run at once", () =>
  Effect.gen(function* () {
    const past = { ...named("Poll"), id: "past", name: "Past", enabled: false, schedule: { kind: "at", at: "2026-01-05T08:00:00Z" } }
    const never = { ...named("Poll"), id: "never", name: "Never", enabled: false, schedule: { kind: "cron", expr: "0 0 30 2 *" } }
    const now = yield* here([named("Poll"), past, never])
    const { gateway, openclaw, skills, state } = now
    assert.strictEqual((yield* openclaw("--write", "--disable", "Poll")).code, 0)
    for (const id of ["past", "never"]) skill(skills, id, { importedFrom: `openclaw/${id}`, run: ["true"] })
    const back = (job: string) => openclaw("--hand-back", job, "--json")

    mkdirSync(state, { mode: 0o700 })
    assert.strictEqual((yield* back("Poll")).code, "RUNTIME_DOWN")
    assert.deepStrictEqual(yield* enabled(gateway), [])

    yield* atWork(now)
    assert.strictEqual((yield* back("Past")).code, "JOB_PAST")
    assert.strictEqual((yield* back("never")).code, "HAND_BACK_OVERDUE")
    assert.deepStrictEqual(yield* enabled(gateway), [])

    const asked = Date.now()
    const done = yield* back("poll")
    assert.strictEqual(done.code, 0, done.stderr)
    assert.deepStrictEqual(yield* enabled(gateway), ["Poll"])
    assert.isAbove((yield* gateway.jobs).find(({ name }) => name === "Poll")!.nextRunAtMs!, asked)
    const events = (yield* run("state", "export", "--state", state)).stdout
    assert.include(events, `"handed back to openclaw/${named("Poll").id}"`)
    assert.notInclude(events, "handed back to openclaw/past")
  })
)

it.live("a hand-back whose answer got lost leaves the skill paused and says so", () =>
  Effect.gen(function* () {
    const now = yield* here([named("Poll")])
    yield* now.openclaw("--write", "--disable")
    const runtime = yield* atWork(now)
    yield* now.gateway.control.loseReplies(1)
    const lost = yield* now.openclaw("--hand-back", "Poll")
    assert.strictEqual(lost.code, "GATEWAY_REFUSED")
    assert.match(lost.stderr, /^poll stays paused: holdfast resume poll once /)
    yield* Effect.promise(() => runtime.resume("poll")) // Rejects where it is not paused.
  })
)

it.live("where a skill is from is shown, and is no part of what it does", () =>
  Effect.gen(function* () {
    const { skills } = yield* here([])
    const check = (settings: object) =>
      Effect.andThen(
        Effect.sync(() => skill(skills, "one", settings)),
        run("skills", "check", skills, "--json")
      )
    const digest = ({ values }: Said) => values[0].skills[0].digest
    const before = digest(yield* check({ run: ["true"] }))
    assert.strictEqual(digest(yield* check({ run: ["true"], importedFrom: "crontab/1a2b" })), before)
    assert.include((yield* run("skills", "check", skills)).stdout, "    imported  from crontab/1a2b\n")
    assert.strictEqual((yield* check({ run: ["true"], importedFrom: "cron" })).values[0].problems[0].code, "FIELD_RANGE")
  })
)

it.live("a crontab's lines and the jobs of Hermes are written without a schedule until somebody says that they have been ended", () =>
  Effect.gen(function* () {
    const now = yield* here([])
    const config = ["--config", join(now.home, "holdfast.config.json"), "--write"]
    const file = join(now.home, "crontab")
    writeFileSync(file, "@daily /bin/one\n@daily /bin/two\n")
    assert.strictEqual((yield* run("import", "crontab", file, ...config)).code, 0)
    assert.deepStrictEqual(yield* schedules(now), { one: "none", two: "none" })
    assert.strictEqual((yield* run("import", "crontab", file, ...config, "--ended")).code, 0)
    assert.deepStrictEqual(yield* schedules(now), { one: "cron", two: "cron" })
    assert.strictEqual((yield* run("import", "crontab", "/etc/crontab", ...config)).code, "CRONTAB_SYSTEM")

    const hermes = join(now.home, "jobs.json")
    const job = { id: "a", name: "Three", schedule: { kind: "interval", minutes: 5 }, no_agent: true, script: "x.sh" }
    writeFileSync(hermes, JSON.stringify({ jobs: [job] }))
    assert.strictEqual((yield* run("import", "hermes", hermes, ...config)).code, 0)
    assert.deepStrictEqual(yield* schedules(now), { one: "cron", three: "none", two: "cron" })
    writeFileSync(hermes, JSON.stringify({ tasks: [] }))
    assert.strictEqual((yield* run("import", "hermes", hermes, ...config)).code, "HERMES_JOBS")
  })
)
