/** Skills that outlive a runtime which is killed, each in its own way, and what the next runtime makes of them. */
import { spawn } from "node:child_process"
import { existsSync, mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync, statSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join, resolve } from "node:path"
import { afterAll, assert, beforeAll, describe, it } from "vitest"
import { createRuntime, type JournalEvent, type Runtime } from "../../src/index.ts"
import { outputBytesMax } from "../../src/layers/Output.ts"
import { checkRuns } from "../../src/testing/checkers/index.ts"
import { until } from "../cli/holdfast.ts"
import { journalIn } from "../journal.ts"
import { living } from "../layers/children.ts"

const wait = (file: string) => `while [ ! -e "$SURVIVORS/${file}" ]; do sleep 0.05; done`
const answer = (json: string) => `echo '${json}' > "$HOLDFAST_RESULT.draft"; mv "$HOLDFAST_RESULT.draft" "$HOLDFAST_RESULT"`
const first = (script: string) => `[ "$HOLDFAST_ATTEMPT" = 1 ] || exit 0\n${script}`
/** By name, in the order of what becomes of them. */
const scripts = {
  answers: `${wait("taken")}\n${answer('{"posts":4,"summary":"Four posts."}')}\nsleep 0.3`,
  steps: `set -e\nholdfast step one -- sh -c '${wait("taken")}; echo one >> book'\nholdfast step two -- sh -c 'echo two >> book'\n${answer("{}")}`,
  prints: `${wait("taken")}\nhead -c 3000000 /dev/zero | tr '\\0' x\nsleep 1\n${answer("{}")}`,
  late: "sleep 6271",
  cancelled: `trap 'echo asked; exit 0' TERM\nsleep 6271 & wait`,
  mute: first(wait("taken")),
  recorded: wait("taken"),
  gone: first(wait("dead")),
  finished: `${wait("dead")}\n${answer('{"posts":2}')}`,
  killed: first("sleep 6271")
} as const
type Name = keyof typeof scripts
const settings: Partial<Record<Name, object>> = {
  late: { timeout: "2500ms", grace: "100 milliseconds", retry: { attempts: 1 } },
  recorded: { onInterruption: "record" },
  killed: { onRuntimeDeath: "kill" }
}

let home = ""
let runtime: Runtime
let killedAtMs = 0
let startedAtMs = 0
const events: Array<JournalEvent> = []
const state = () => join(home, "state")
const runOf = (name: Name): string =>
  journalIn(state()).flatMap((event) => (event.type === "run.claimed" && event.skill === name ? [event.run] : []))[0] ?? ""
const story = (name: Name) =>
  journalIn(state()).flatMap((event) =>
    "run" in event && event.run === runOf(name) && /^(attempt|run)\.(started|adopted|failed|settled)/.test(event.type)
      ? [event.type === "run.settled" ? event.outcome : event.type.slice(8)]
      : []
  )
const settled = (name: Name) => {
  const run = runOf(name)
  return until(() => events.find((event) => event.type === "run.settled" && event.run === run))
}
const touch = (file: string) => writeFileSync(join(home, file), "")

beforeAll(async () => {
  home = realpathSync(mkdtempSync(join(tmpdir(), "holdfast-survivors-")))
  for (const [name, script] of Object.entries(scripts)) {
    const folder = join(home, "skills", name)
    mkdirSync(folder, { recursive: true })
    writeFileSync(join(folder, "go.sh"), `#!/bin/sh\n${script}\n`, { mode: 0o755 })
    const mine = {
      run: ["./go.sh"],
      env: ["SURVIVORS"],
      retry: { first: "1 millisecond" },
      onRuntimeDeath: "adopt",
      ...settings[name as Name]
    }
    writeFileSync(
      join(folder, "SKILL.md"),
      `---\nname: ${name}\ndescription: A skill.\nmetadata:\n  holdfast: ${JSON.stringify(mine)}\n---\n`
    )
  }
  const options = { state: state(), skills: [join(home, "skills")] }
  const root = resolve(import.meta.dirname, "../..")
  const text = `import { createRuntime } from ${JSON.stringify(join(root, "src/index.ts"))}
    const runtime = await createRuntime(${JSON.stringify(options)})
    for (const name of ${JSON.stringify(Object.keys(scripts))}) await runtime.trigger(name)`
  process.env["SURVIVORS"] = home
  const old = spawn(process.execPath, ["--conditions=holdfast-source", "--input-type=module", "-e", text], { cwd: root, stdio: "inherit" })
  const journal = () => (existsSync(join(state(), "journal")) ? journalIn(state()) : [])
  await until(() => journal().filter(({ type }) => type === "attempt.spawned").length === Object.keys(scripts).length || undefined)
  await until(() => journal().some(({ type }) => type === "step.started") || undefined)
  old.kill("SIGKILL")
  await new Promise((done) => old.once("exit", done))
  killedAtMs = Date.now()
  touch("dead")
  await until(() => (living("gone/go.sh").length + living("finished/go.sh").length === 0 ? true : undefined))
  startedAtMs = Date.now()
  runtime = await createRuntime({ ...options, onEvent: (event) => events.push(event) })
  touch("taken")
})
afterAll(async () => {
  await runtime.stop({ now: true })
  for (const pid of living("sleep 6271")) process.kill(pid, "SIGKILL")
  delete process.env["SURVIVORS"]
  rmSync(home, { recursive: true, force: true, maxRetries: 5 })
})

describe("an attempt whose process outlives the runtime", () => {
  it("is taken over within five seconds of the start, and ends with its answer", async () => {
    assert.deepInclude(await settled("answers"), { outcome: "success", fields: { posts: 4 } })
    assert.deepStrictEqual(story("answers"), ["started", "adopted", "success"])
    assert.isBelow(events.find(({ type }) => type === "attempt.adopted")!.atMs - startedAtMs, 5_000)
  })

  it("finishes the step that it was in, and begins others", async () => {
    assert.deepInclude(await settled("steps"), { outcome: "success" })
    assert.deepStrictEqual(story("steps"), ["started", "adopted", "success"])
    assert.strictEqual(readFileSync(join(home, "skills/steps/book"), "utf8"), "one\ntwo\n")
    const finished = journalIn(state()).flatMap((event) => (event.type === "step.finished" ? [event.step] : [])) // A question whose answer was lost begins one twice.
    assert.deepStrictEqual(finished, ["one", "two"])
  })

  it("fills no disk with what it prints", async () => {
    await settled("prints")
    assert.isAtMost(statSync(join(state(), "runs", runOf("prints"), "stdout.log")).size, outputBytesMax)
  })

  it("is cancelled like any other: it is asked, then gone", async () => {
    await runtime.cancel(runOf("cancelled"), { by: "operator" })
    assert.deepInclude(await settled("cancelled"), { outcome: "cancelled", reason: "cancelled by operator" })
    assert.strictEqual(readFileSync(join(state(), "runs", runOf("cancelled"), "stdout.log"), "utf8"), "asked\n")
    assert.deepStrictEqual(living("cancelled/go.sh"), [])
  })

  it("has no more than what is left of its time", async () => {
    const end = await settled("late")
    assert.deepInclude(end, { outcome: "failed", reason: "RUN_TIMEOUT: not done after 2.5 s" })
    assert.deepStrictEqual(story("late"), ["started", "adopted", "failed"])
    const begun = journalIn(state()).find((event) => event.type === "attempt.spawned" && event.run === runOf("late"))!.atMs
    assert.isAtLeast(end.atMs - begun, 2_500)
    assert.isBelow(end.atMs, Math.max(begun + 2_500, startedAtMs) + 1_500) // Less than its time once more.
    assert.isAbove(killedAtMs, begun)
    assert.deepStrictEqual(living("late/go.sh"), [])
  })

  it("and ends without an answer is tried again, or is interrupted where its skill says so", async () => {
    assert.deepInclude(await settled("mute"), { outcome: "success" })
    assert.deepStrictEqual(story("mute"), ["started", "adopted", "failed", "started", "success"])
    const failure = events.find((event) => event.type === "attempt.failed" && event.run === runOf("mute"))
    assert.deepInclude(failure, { reason: "it ended after its runtime had died, and its result.json is not there" })
    assert.deepInclude(await settled("recorded"), { outcome: "interrupted" })
    assert.deepStrictEqual(story("recorded"), ["started", "adopted", "interrupted"])
  })

  it("is ended, and its run tried again, where its skill does not want it", async () => {
    await settled("killed")
    assert.deepStrictEqual(story("killed"), ["started", "started", "success"])
  })
})

describe("an attempt whose process ended while no runtime was there", () => {
  it("ends with the answer that it left", async () => {
    assert.deepInclude(await settled("finished"), { outcome: "success", fields: { posts: 2 } })
    assert.deepStrictEqual(story("finished"), ["started", "adopted", "success"])
  })

  it("was interrupted where it left none", async () => {
    await settled("gone")
    assert.deepStrictEqual(story("gone"), ["started", "started", "success"])
  })
})

it("no two attempts of a run were under way at a time", async () => {
  await Promise.all(Object.keys(scripts).map((name) => settled(name as Name)))
  assert.deepStrictEqual(checkRuns(journalIn(state())), [])
})
