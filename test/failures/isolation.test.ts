/** Skills in child hosts that hold their own event loop in three ways, beside one that is due each second. */
import { mkdirSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { assert, it, onTestFinished } from "vitest"
import { parseRunId } from "../../src/domain/Run.ts"
import { createRuntime, type JournalEvent } from "../../src/index.ts"
import { until } from "../cli/holdfast.ts"
import { folder, living } from "../layers/children.ts"

const hanging = {
  loop: "export default () => { for (;;); }",
  child: "import { execFileSync } from 'node:child_process'\nexport default () => execFileSync('sleep', ['6173'])",
  regex: "export default () => ({ matches: /^(a+)+$/.test('a'.repeat(64) + 'b') })"
}

it("a module that holds its event loop ends by its timeout, leaves nothing behind, and delays no other skill by a second", async () => {
  const home = folder()
  const skills = join(home, "skills")
  const left = () => [...living(home), ...living("sleep 6173")]
  const write = (name: string, settings: object, module = "") => {
    mkdirSync(join(skills, name), { recursive: true })
    writeFileSync(join(skills, name, "skill.mjs"), module)
    const front = `---\nname: ${name}\ndescription: A skill.\nmetadata:\n  holdfast: ${JSON.stringify(settings)}\n---\n`
    writeFileSync(join(skills, name, "SKILL.md"), front)
  }
  write("tick", { schedule: { every: "1 second" }, run: ["true"] })
  for (const [name, module] of Object.entries(hanging))
    write(name, { module: "./skill.mjs", timeout: "2500ms", grace: "500ms", retry: { attempts: 1 } }, module)

  const events: Array<JournalEvent> = []
  const runtime = await createRuntime({ state: join(home, "state"), skills: [skills], onEvent: (event) => events.push(event) })
  onTestFinished(async () => {
    await runtime.stop({ now: true })
    for (const pid of left()) process.kill(pid, "SIGKILL")
  })
  const runs = await Promise.all(Object.keys(hanging).map((name) => runtime.trigger(name)))
  const settled = (run: string) => events.find((event) => event.type === "run.settled" && event.run === run)
  await until(() => (runs.every(settled) ? true : undefined))
  for (const run of runs) assert.deepInclude(settled(run), { outcome: "failed", reason: "RUN_TIMEOUT: not done after 2.5 s" })
  assert.deepStrictEqual(left(), [])

  const lateMs = events.flatMap((event) => {
    const run = event.type === "run.settled" && event.outcome === "success" ? parseRunId(event.run) : undefined
    return run?.skill === "tick" && event.type === "run.settled" ? [event.startedAtMs! - run.slotAtMs] : []
  })
  console.log(`a skill that is due each second beside them started ${lateMs.join(", ")} ms late`)
  assert.isAtLeast(lateMs.length, 2)
  assert.isBelow(Math.max(...lateMs), 1_000)
  assert.isEmpty(events.filter(({ type }) => type === "slot.settled" || type === "runtime.stalled"))
})
