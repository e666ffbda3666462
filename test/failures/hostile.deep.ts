/**
 * All hostile skills at once, in a real runtime, beside an innocent one each second: each comes to its ending, nothing of them is alive
 * afterwards, and the innocent one is as punctual as without them.
 */
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, realpathSync, rmSync, statSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { setTimeout as pause } from "node:timers/promises"
import { assert, it } from "vitest"
import type { JournalEvent } from "../../src/domain/JournalEvent.ts"
import { parseRunId } from "../../src/domain/Run.ts"
import { createRuntime } from "../../src/index.ts"
import { outputBytesMax } from "../../src/layers/Output.ts"
import { type Hostile, hostiles } from "./hostile.ts"

type Settled = Extract<JournalEvent, { readonly type: "run.settled" }>

/** How long the innocent skill is watched alone. */
const quietMs = 30_000
/** How often each hostile one is started. */
const rounds = 3

it.skipIf(process.platform !== "linux")("hostile skills come to their endings, leave nothing, and delay nobody", async () => {
  const home = realpathSync(mkdtempSync(join(tmpdir(), "holdfast-hostile-")))
  const { all, remove } = hostiles()
  for (const { name, skipped } of all) if (skipped !== undefined) console.log(`hostile: ${name} skipped, because ${skipped}`)
  const tried = all.filter(({ skipped }) => skipped === undefined)
  for (const skill of tried) write(join(home, "skills"), skill)
  write(join(home, "skills"), { name: "innocent", script: ":", settings: { catchUp: "all" } }, { every: "1 second" })

  const settled = new Map<string, Settled>()
  const runtime = await createRuntime({
    state: join(home, "state"),
    skills: [join(home, "skills")],
    onEvent: (event) => {
      if (event.type === "run.settled") settled.set(event.run, event)
    }
  })
  const innocent = () => [...settled.values()].filter(({ run }) => run.startsWith("innocent@"))
  try {
    assert.deepStrictEqual((await runtime.status()).problems, [])
    await pause(quietMs)
    const before = innocent()

    for (let round = 1; round <= rounds; round++) {
      const runs: Array<string> = []
      for (const { name } of tried) {
        runs.push(await runtime.trigger(name))
        await pause(150) // Twenty starts in one instant would take each other's time, whatever it is that starts.
      }
      for (let waitedMs = 0; runs.some((run) => !settled.has(run)) && waitedMs < 120_000; waitedMs += 100) await pause(100)
      for (const [i, { name, outcome, reason, worst, afterwards }] of tried.entries()) {
        const end = settled.get(runs[i]!)
        console.log(`hostile: round ${round}: ${name}: ${end?.outcome ?? "no end"} after ${end?.durationMs} ms ${end?.reason}`)
        assert.isDefined(end, `${name} has ended`)
        assert.match(end.reason, reason, name)
        assert.strictEqual(end.outcome, outcome, name)
        assert.isTrue(worst?.() ?? true, `${name} did its worst`)
        assert.isAtMost(printed(join(home, "state/runs", runs[i]!)), outputBytesMax, name)
        afterwards?.()
      }
      await pause(1_000)
      assert.deepStrictEqual(living(home), [])
    }
    const during = innocent().slice(before.length)

    assert.isAtLeast(during.length, 5 * rounds)
    assert.isTrue([...before, ...during].every(({ outcome }) => outcome === "success"))
    const [without, beside] = [lateness(before), lateness(during)]
    console.log(`hostile: the innocent one's lateness in ms: ${shown(without)} without them, ${shown(beside)} beside them`)
    assert.isBelow(beside.p50, without.p50 + 100)
    assert.isBelow(beside.p99, without.p99 + 500)
  } finally {
    await runtime.stop({ now: true })
    for (const { afterwards } of tried) afterwards?.()
    for (const pid of living(home)) process.kill(pid, "SIGKILL")
    await pause(500)
    remove()
    rmSync(home, { recursive: true, force: true })
  }
})

const write = (
  skills: string,
  { name, script, module, settings }: Pick<Hostile, "name" | "script" | "module" | "settings">,
  schedule?: object
) => {
  const folder = join(skills, name)
  mkdirSync(folder, { recursive: true })
  const work = module === undefined ? { run: ["sh", "./skill.sh"] } : { module: "./skill.mjs" }
  const holdfast = { ...work, ...(schedule === undefined ? {} : { schedule }), retry: { attempts: 1 }, ...settings }
  writeFileSync(join(folder, "SKILL.md"), `---\nname: ${name}\nmetadata:\n  holdfast: ${JSON.stringify(holdfast)}\n---\n`)
  writeFileSync(join(folder, module === undefined ? "skill.sh" : "skill.mjs"), module ?? script!)
}

/** Pids of all that carries the folder in its command line, its environment, or as its place. */
const living = (folder: string): ReadonlyArray<number> =>
  readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid)
    .filter((pid) => {
      try {
        const stat = readFileSync(`/proc/${pid}/stat`, "utf8")
        const texts = ["cmdline", "environ"].map((file) => readFileSync(`/proc/${pid}/${file}`, "utf8"))
        return !/\) [ZX]/.test(stat) && texts.some((text) => text.includes(folder))
      } catch {
        return false // It has ended meanwhile.
      }
    })
    .map(Number)

const printed = (directory: string): number =>
  Math.max(0, ...["stdout.log", "stderr.log"].map((name) => statSync(join(directory, name), { throwIfNoEntry: false })?.size ?? 0))

const lateness = (ends: ReadonlyArray<Settled>) => {
  const late = ends.map(({ run, startedAtMs }) => startedAtMs! - parseRunId(run)!.slotAtMs).sort((a, b) => a - b)
  const at = (share: number) => late[Math.min(late.length - 1, Math.floor(late.length * share))]!
  return { p50: at(0.5), p99: at(0.99), slots: late.length }
}

const shown = ({ p50, p99, slots }: ReturnType<typeof lateness>) => `p50 ${p50}, p99 ${p99} (${slots} slots)`
