import { readFileSync } from "node:fs"
import { resolve } from "node:path"
import * as Result from "effect/Result"
import { expect, it } from "vitest"
import { readOpenClawJob } from "../../src/domain/OpenClawJob.ts"

/** What OpenClaw 2026.9.6 answered. */
const { jobs } = JSON.parse(readFileSync(resolve(import.meta.dirname, "../fixtures/import/openclaw-cron-list.json"), "utf8")) as {
  readonly jobs: ReadonlyArray<{ readonly name: string; readonly payload: object }>
}
const nowMs = Date.parse("2026-11-27T18:00:00Z")
const named = (name: string) => jobs.find((job) => job.name === name)!
const made = (job: unknown) => readOpenClawJob(job, { zone: "Asia/Tokyo", nowMs }).made
const settings = (job: unknown) => Result.getOrThrow(made(job)).settings
const why = (job: unknown) => Result.match(made(job), { onFailure: (text) => text, onSuccess: () => "it became a skill" })

it("commands become skills that do as much as they did: once a slot, in their folder, with their variables and limit", () => {
  expect(settings(named("Daily backup"))).toEqual({
    schedule: { cron: "0 6 * * *", timezone: "Europe/Berlin" },
    run: ["/bin/echo", "backup done"],
    retry: { attempts: 1 },
    onInterruption: "record",
    report: { when: "never" }
  })
  expect(settings(named("Poll"))).toMatchObject({
    schedule: { every: "10 minutes", anchor: "2026-11-27T17:42:17.430Z" },
    run: ["/bin/sh", "-c", `cd "$0" && exec "$@"`, "/tmp", "/usr/bin/env", "A=b", "/bin/date"],
    timeout: "30 seconds"
  })
  expect(settings(named("Morning notes"))).toMatchObject({ prompt: true, schedule: { cron: "30 7 * * 1-5", timezone: "Asia/Tokyo" } })
  expect(Result.getOrThrow(made(named("Morning notes"))).prompt).toBe("Write the morning notes.")
})

it("what will be different is said", () => {
  const cron = (schedule: object, more: object = {}) =>
    Result.getOrThrow(made({ ...named("Daily backup"), schedule: { kind: "cron", expr: "0 * * * *", ...schedule }, ...more })).differs
  expect(cron({ staggerMs: 300_000 })).toContain("begins on its slot; there up to 5 minutes after it")
  expect(cron({})).toContain("no zone is named there: Asia/Tokyo is this machine's")
  expect(cron({}, { delivery: { mode: "announce", channel: "telegram", to: "1" } })).toContain(
    "reported to the session that Holdfast reports to; there by announce to telegram 1"
  )
  expect(Result.getOrThrow(made(named("Poll"))).differs).toEqual(["on a fixed grid; there each late run shifts the ones after it"])
})

it("a single run keeps its instant, which means UTC where no zone is given, and one that is past becomes nothing", () => {
  const at = (text: string) => ({ ...named("Daily backup"), schedule: { kind: "at", at: text } })
  expect(settings(at("2027-01-05T08:00:00"))).toMatchObject({ schedule: { at: "2027-01-05T08:00:00.000Z" } })
  expect(settings(at("2027-01-05T08:00:00+09:00"))).toMatchObject({ schedule: { at: "2027-01-04T23:00:00.000Z" } })
  expect(settings(at("2027-01-05"))).toMatchObject({ schedule: { at: "2027-01-05T00:00:00.000Z" } })
  expect(settings(at("2027-01-05T08:00:00"))).not.toHaveProperty("onInterruption")
  expect(why(at("2026-11-27T18:00:00Z"))).toBe("its one run was due at 2026-11-27T18:00:00Z, which is past")
  expect(readOpenClawJob(at("2026-11-27T18:00:00Z"), { zone: "UTC", nowMs }).onceAtMs).toBe(nowMs)
})

it.each<readonly [says: string, change: object]>([
  ["a schedule of kind on-exit has no instants", { schedule: { kind: "on-exit", command: "x" } }],
  ["a schedule of kind stream has no instants", { schedule: { kind: "stream" } }],
  ["a schedule that this version does not read", { schedule: { kind: "lunar" } }],
  ["it has trigger, which only the gateway can judge", { trigger: { script: "x" } }],
  ["it has pacing, which only the gateway can judge", { pacing: { min: "1m" } }],
  ["the gateway's own job", { declarationKey: "heartbeat:main" }],
  ["it puts a text into a session", { payload: { kind: "systemEvent", text: "x" } }],
  [`a payload of kind script runs inside of the gateway`, { payload: { kind: "script", script: "x" } }],
  ["its command has input, which a skill has not", { payload: { kind: "command", argv: ["cat"], input: "x" } }],
  ["its command is not one that this version reads", { payload: { kind: "command", argv: [] } }],
  ["its API_KEY looks like a secret", { payload: { kind: "command", argv: ["x"], env: { API_KEY: "s3cret-value" } } }],
  [`it starts in work, which is no absolute path`, { payload: { kind: "command", argv: ["x"], cwd: "work" } }],
  ["its agent turn has no message", { payload: { kind: "agentTurn", message: " " } }],
  ["its description is not one that this version reads", { schedule: 7 }]
])("refused by name: %s", (says, change) => {
  expect(why({ ...named("Daily backup"), ...change })).toContain(says)
})
