import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs"
import { hostname } from "node:os"
import { join } from "node:path"
import * as Effect from "effect/Effect"
import { beforeAll, expect, it } from "vitest"
import { standing } from "../../src/cli/standing.ts"
import { processIdentity } from "../../src/layers/platform.ts"
import { makeWorld, until, type World } from "./holdfast.ts"

const seen = (state: string, nowMs = Date.now()) => Effect.runPromise(standing(state, nowMs))
let self: { readonly pid: number; readonly startTime: string; readonly bootId: string }
beforeAll(async () => {
  self = (await Effect.runPromise(processIdentity(process.pid)))!
})

const well = {
  format: 1,
  mode: "connected",
  means: "session and gateway up",
  guarantee: { local: "fires", session: "fires", gateway: "fires", results: "delivered" },
  reasons: {},
  regions: {},
  pid: process.pid,
  epoch: 1,
  version: "0.1.0",
  startedAt: "2026-11-22T06:00:00Z",
  updatedAt: "2026-11-22T06:00:00Z",
  skills: [],
  problems: [],
  slots: { run: 0, coalesced: 0, skipped: 0, missed: 0, superseded: 0 },
  outbox: { waiting: 0, parked: 0, acknowledged: 0 }
}
const skill = { name: "a", state: "waiting", failures: 0 }
const nowMs = Date.parse("2026-11-22T06:00:10Z")
/** A state directory that says this of itself, and whose owner is this very process unless told otherwise. */
const stateOf = (world: World, picture: object | string | undefined, owner: object | undefined = {}): string => {
  mkdirSync(world.state, { recursive: true })
  if (picture !== undefined)
    writeFileSync(join(world.state, "status.json"), typeof picture === "string" ? picture : JSON.stringify({ ...well, ...picture }))
  if (owner !== undefined)
    writeFileSync(join(world.state, "owner.json"), JSON.stringify({ ...self, since: "2026-11-22T06:00:00Z", host: hostname(), ...owner }))
  return world.state
}

it("shows the circuit to the gateway while it is not closed", async () => {
  const world = makeWorld()
  const shown = (state: string) => {
    stateOf(world, { updatedAt: new Date().toISOString(), parkedRuns: [], circuit: { state, failures: 5 } })
    return world.run("status", "--state", world.state)
  }
  expect((await shown("open")).stdout).toContain("circuit open: 5 calls to the gateway failed in a row")
  expect((await shown("closed")).stdout).not.toContain("circuit")
})

it.each([
  ["ok", {}],
  ["ok", { mode: "standalone" }],
  ["ok", { mode: "resyncing" }],
  ["warning", { mode: "degraded.sessionLost" }],
  ["warning", { mode: "held" }],
  ["warning", { problems: [{ code: "X", where: "", got: "", want: "", fix: "" }] }],
  ["warning", { outbox: { waiting: 0, parked: 1, acknowledged: 0 } }],
  ["warning", { skills: [{ ...skill, failures: 1 }] }],
  [
    "warning",
    { skills: [{ ...skill, failures: 1, last: { run: "a@1", outcome: "unproven", at: "", durationMs: 1, reason: "out.md is empty" } }] }
  ],
  ["warning", { skills: [{ ...skill, state: "held", reason: "needs session" }] }],
  ["warning", { skills: [{ ...skill, state: "quarantined" }] }],
  ["critical", { mode: "blocked" }],
  ["critical", { mode: "failed" }],
  ["critical", { updatedAt: "2026-11-22T05:58:00Z" }],
  ["critical", { stalled: { since: "2026-11-22T06:00:05Z" } }],
  ["unknown", { format: 2 }],
  ["unknown", '{ "format": 1, "mo']
])("a runtime at work is %s when its picture says %j", async (health, picture) => {
  expect((await seen(stateOf(makeWorld(), picture), nowMs)).health).toBe(health)
})

it("a runtime that is still reading the journal is starting, whatever its predecessor wrote; after 90 s it is stuck", async () => {
  const before = { mode: "stopped", pid: process.pid + 1, updatedAt: "2026-11-22T05:00:00Z" }
  expect(await seen(stateOf(makeWorld(), before), nowMs)).toMatchObject({ running: true, mode: "starting", health: "warning" })
  expect(await seen(stateOf(makeWorld(), undefined), nowMs)).toMatchObject({ running: true, mode: "starting", health: "warning" })
  expect(await seen(stateOf(makeWorld(), before), nowMs + 90_000)).toMatchObject({ running: true, mode: "starting", health: "critical" })
})

it("a stall is in words on the screen, and is none of a runtime that is no more", { timeout: 60_000 }, async () => {
  const stalled = {
    mode: "standalone",
    stalled: { since: new Date(Date.now() - 12_000).toISOString() },
    updatedAt: new Date().toISOString()
  }
  const world = makeWorld()
  const { code, stdout } = await world.run("status", "--state", stateOf(world, stalled), "--exit-code")
  expect(code).toBe(2)
  expect(stdout).toMatch(/^ {2}stalled: its event loop has stood still for 1\d s: no skill starts, ends or is timed out$/m)
  const gone = await world.run("status", "--state", stateOf(world, stalled, { startTime: "1" }))
  expect(gone.stdout).not.toContain("stalled")
})

it(
  "what is odd about the link is on the screen: slowness, counts by name, the last such frame, problems by their code",
  { timeout: 60_000 },
  async () => {
    const world = makeWorld()
    const misread = { code: "FRAME_SHAPE", where: "session", got: "an object at id", want: "w", fix: "f" }
    const problem = { code: "GATEWAY_CLOCK_SKEW", where: "session", got: "the gateway's clock is 600 s ahead", want: "w", fix: "set it" }
    const state = stateOf(world, {
      session: { state: "slow", counted: { unknownFrame: 3, lateAnswer: 1 }, misread },
      gateway: { state: "up" },
      problems: [problem]
    })
    const { stdout } = await world.run("status", "--state", state)
    expect(stdout).toMatch(/^ {2}session: slow, its answers come late$/m)
    expect(stdout).not.toMatch(/gateway: slow/)
    expect(stdout).toMatch(/^session 3 unknownFrame, 1 lateAnswer\n {2}last: FRAME_SHAPE, an object at id$/m)
    expect(stdout).toMatch(/^GATEWAY_CLOCK_SKEW at session: set it$/m)
    expect((await seen(state, nowMs)).why).toEqual(["GATEWAY_CLOCK_SKEW at the session: the gateway's clock is 600 s ahead"])
  }
)

it("an owner whose number is another process by now is not running, and neither is one that died", async () => {
  expect(await seen(stateOf(makeWorld(), {}, { startTime: "1" }), nowMs)).toMatchObject({
    running: false,
    health: "critical",
    pid: null,
    since: well.updatedAt
  })
  expect(await seen(stateOf(makeWorld(), {}, { bootId: "before" }), nowMs)).toMatchObject({ running: false })
  expect(await seen(stateOf(makeWorld(), {}, { pid: 2 ** 22 + 1 }), nowMs)).toMatchObject({ running: false })
})

it("an owner on another host cannot be judged from here, and is not called dead", async () => {
  expect(await seen(stateOf(makeWorld(), {}, { host: "elsewhere" }), nowMs)).toMatchObject({ running: "unknown", health: "unknown" })
})

it("where no runtime has ever been: an error of its own, and 3 for a monitor", { timeout: 60_000 }, async () => {
  const world = makeWorld()
  const [plain, monitor, runs] = await Promise.all([
    world.run("status", "--state", "none"),
    world.run("status", "--state", "none", "--exit-code", "--json"),
    world.run("runs", "--state", "none")
  ])
  expect(plain).toMatchObject({ code: 74, stdout: "", stderr: expect.stringContaining("STATE_MISSING at ") })
  expect(monitor.code).toBe(3)
  expect(JSON.parse(monitor.stdout)).toMatchObject({ health: "unknown", running: false, picture: null })
  expect(runs.code).toBe(74)
  expect(existsSync(join(world.home, "none"))).toBe(false)
})

it("status and runs work while the runtime runs, after it was stopped, and after kill -9", { timeout: 90_000 }, async () => {
  const world = makeWorld()
  world.skill("tick", { schedule: { every: "1 second" }, run: ["true"] })
  const up = () => world.start("up", "--state", world.state, "--skills", world.skills)
  const status = (...flags: ReadonlyArray<string>) => world.run("status", "--state", world.state, "--exit-code", ...flags)

  const first = up()
  await first.says(/tick {2}success/)
  await until(() => (readFileSync(join(world.state, "status.json"), "utf8").includes('"outcome"') ? true : undefined))
  const running = await status()
  expect(running.code).toBe(0)
  expect(running.stdout).toMatch(/^standalone {2}no gateway configured; healthy\nlocal skills: fires · needs session: refused/)
  expect(running.stdout).toMatch(/^tick {3}\w+ +\d\d:\d\d:\d\d .* success {2}/m)
  expect(running.stdout).toMatch(new RegExp(`pid ${first.pid}, up .*, ${world.state}`))
  first.kill("SIGINT")
  await first.ended
  const stopped = await status()
  expect(stopped).toMatchObject({ code: 2, stdout: expect.stringMatching(/^not running, last heard of .* \(20.*Z\)\nnothing fires/) })
  expect(stopped.stdout).toMatch(/^tick {3}- +- +success/m) // What it was doing then is not what it does now.

  const second = up()
  await until(() => (readFileSync(join(world.state, "status.json"), "utf8").includes('"standalone"') ? true : undefined))
  second.kill("SIGKILL")
  await second.ended
  const killed = await status("--json")
  expect(killed.code).toBe(2)
  expect(JSON.parse(killed.stdout)).toMatchObject({ running: false, health: "critical", picture: { mode: "standalone" } })

  const runs = await world.run("runs", "tick", "--limit", "1", "--state", world.state)
  expect(runs).toMatchObject({ code: 0, stdout: expect.stringMatching(/^RUN .*\ntick@\S+Z {2}.*\n$/) })
  const mistyped = await world.run("runs", "tic", "--state", world.state)
  expect(mistyped).toMatchObject({
    code: 1,
    stdout: "",
    stderr: expect.stringMatching(/^SKILL_UNKNOWN at skill\n.*\n {2}fix: did you mean tick\?\n$/)
  })
  expect(existsSync(join(world.state, "owner.json"))).toBe(true) // Looking has tidied nothing.
})
