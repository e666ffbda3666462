import * as Result from "effect/Result"
import { expect, it } from "vitest"
import { readHermesJobs } from "../../src/domain/HermesJob.ts"

const nowMs = Date.parse("2026-11-27T18:00:00Z")
const place = { zone: "Europe/Berlin", nowMs, scripts: "/home/a/.hermes/scripts" }
const job = (change: object) => ({
  id: "faf8d91da716",
  name: "Watchdog",
  prompt: "",
  schedule: { kind: "interval", minutes: 5, display: "every 5m" },
  schedule_display: "every 5m",
  repeat: { times: null, completed: 3 },
  enabled: true,
  state: "scheduled",
  deliver: "local",
  script: "watchdog.sh",
  no_agent: true,
  ...change
})
const read = (change: object = {}) => readHermesJobs({ jobs: [job(change)], updated_at: "x" }, place)![0]!
const why = (change: object) => Result.match(read(change).made, { onFailure: (text) => text, onSuccess: () => "it became a skill" })
const settings = (change: object = {}) => Result.getOrThrow(read(change).made).settings

it("scripts and prompts become skills, at the times that they had", () => {
  expect(settings()).toEqual({
    schedule: { every: "5 minutes" },
    run: ["/bin/sh", "-c", `cd "$0" && exec "$@"`, place.scripts, "/bin/bash", "/home/a/.hermes/scripts/watchdog.sh"],
    retry: { attempts: 1 },
    onInterruption: "record"
  })
  expect(settings({ script: "/opt/x.py", workdir: "/srv" }).run!.slice(3)).toEqual(["/srv", "python3", "/opt/x.py"])
  const prompt = { script: null, no_agent: false, prompt: "Write.", schedule: { kind: "cron", expr: "0 9 * * *" } }
  expect(settings(prompt)).toMatchObject({ prompt: true, schedule: { cron: "0 9 * * *", timezone: "Europe/Berlin" } })
  expect(Result.getOrThrow(read(prompt).made).prompt).toBe("Write.")
  expect(settings({ schedule: { kind: "once", run_at: "2026-12-24T18:00:00+01:00" } }).schedule).toEqual({ at: "2026-12-24T17:00:00.000Z" })
})

it("one that is paused or done is not enabled, and a list alone is read as well", () => {
  expect([{}, { enabled: false }, { state: "paused" }, { state: "completed" }].map((change) => read(change).enabled)).toEqual([
    true,
    false,
    false,
    false
  ])
  expect(readHermesJobs([job({})], place)).toHaveLength(1)
  expect(readHermesJobs({ tasks: [] }, place)).toBeUndefined()
})

it.each<readonly [says: string, change: object]>([
  ["it ends after 3 runs", { repeat: { times: 3 } }],
  ["it reads what another job has said", { context_from: ["a"] }],
  ["a schedule that this version does not read", { schedule: { kind: "moon" } }],
  ["a schedule that this version does not read", { schedule: { kind: "once", run_at: "2026-12-24T18:00:00" } }],
  ["which is past", { schedule: { kind: "once", run_at: "2026-01-01T00:00:00Z" } }],
  ["it has no script", { script: null }],
  ["its prompt begins with what a script prints", { no_agent: false, prompt: "x" }],
  ["its prompt loads skills of Hermes: a", { no_agent: false, script: null, prompt: "x", skills: ["a"] }],
  ["its agent starts in a workdir", { no_agent: false, script: null, prompt: "x", workdir: "/srv" }],
  ["neither a prompt nor a script", { no_agent: false, script: null }],
  ["it is not one that this version reads", { schedule: "every 5m" }]
])("refused by name: %s", (says, change) => {
  expect(why(change)).toContain(says)
})
