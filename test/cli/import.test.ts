import { existsSync, mkdirSync, readdirSync, readFileSync, realpathSync, writeFileSync } from "node:fs"
import { join, resolve } from "node:path"
import { DatabaseSync } from "node:sqlite"
import { assert, it } from "@effect/vitest"
import { Effect, Result } from "effect"
import { readFrontMatter } from "../../src/domain/FrontMatter.ts"
import type { EmbeddedGateway } from "../../src/gateway/index.ts"
import { createRuntime } from "../../src/index.ts"
import { folder, started } from "../gateway/world.ts"
import { run, type Said } from "./inProcess.ts"

const fixtures = resolve(import.meta.dirname, "../fixtures/import")
/** What OpenClaw 2026.9.6 answered. */
const { jobs } = JSON.parse(readFileSync(join(fixtures, "openclaw-cron-list.json"), "utf8")) as { jobs: ReadonlyArray<any> }
const named = (name: string) => jobs.find((job) => job.name === name)

interface Here {
  readonly home: string
  readonly skills: string
  readonly gateway: EmbeddedGateway
  readonly openclaw: (...args: ReadonlyArray<string>) => Effect.Effect<Said>
}
/** A gateway with these jobs, and a config that names it and a folder for skills. */
const here = Effect.fnUntraced(function* (given: ReadonlyArray<any>, change: { readonly url?: string; readonly token?: string } = {}) {
  const gateway = yield* started({ jobs: given })
  const home = realpathSync(yield* folder)
  const config = join(home, "holdfast.config.json")
  writeFileSync(join(home, "token"), change.token ?? "secret-token", { mode: 0o600 })
  const settings = { gateway: { url: change.url ?? gateway.url, tokenFile: "token" }, skillsFolders: ["skills"], state: "state" }
  writeFileSync(config, JSON.stringify(settings))
  const openclaw = (...args: ReadonlyArray<string>) => run("import", "openclaw", "--config", config, ...args)
  return { home, skills: join(home, "skills"), gateway, openclaw } satisfies Here
})
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
    const { gateway, home, openclaw, skills } = yield* here([named("Poll"), past, never])
    assert.strictEqual((yield* openclaw("--write", "--disable", "Poll")).code, 0)
    for (const id of ["past", "never"]) skill(skills, id, { importedFrom: `openclaw/${id}`, run: ["true"] })
    const back = (job: string) => openclaw("--hand-back", job, "--json")
    const state = join(home, "state")

    mkdirSync(state, { mode: 0o700 })
    assert.strictEqual((yield* back("Poll")).code, "RUNTIME_DOWN")
    assert.deepStrictEqual(yield* enabled(gateway), [])

    yield* Effect.acquireRelease(
      Effect.promise(() => createRuntime({ state, skills: [skills] })),
      (runtime) => Effect.promise(() => runtime.stop({ now: true }))
    )
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

const skill = (skills: string, name: string, settings: object): string => {
  mkdirSync(join(skills, name), { recursive: true })
  const text = `---\nname: ${name}\nmetadata:\n  holdfast: ${JSON.stringify(settings)}\n---\n`
  writeFileSync(join(skills, name, "SKILL.md"), text)
  return text
}
