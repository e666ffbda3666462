import { Effect } from "effect"
import { execFileSync, spawn } from "node:child_process"
import * as fs from "node:fs"
import { join } from "node:path"
import { setTimeout } from "node:timers/promises"
import { Worker } from "node:worker_threads"
import { assert, describe, it, onTestFinished } from "vitest"
import type { Picture } from "../../src/domain/Picture.ts"
import { type Stall, WatchFile, type Watched } from "../../src/layers/Watch.ts"
import { until } from "../cli/holdfast.ts"
import { folder } from "../layers/children.ts"

const program = Effect.runSync(WatchFile)!
const stalledIn = (view: string) => (JSON.parse(fs.readFileSync(view, "utf8")) as Picture).stalled

/** The thread alone and quicker than the real one, beside a counter that moves when the test says so. */
const thread = (picture: object | string | undefined) => {
  const directory = folder()
  const view = join(directory, "status.json")
  if (picture !== undefined) fs.writeFileSync(view, typeof picture === "string" ? picture : JSON.stringify(picture))
  const counter = new Int32Array(new SharedArrayBuffer(4))
  const said: Array<Stall> = []
  const workerData: Watched = { beats: counter.buffer, view, everyMs: 10, stalledAfterMs: 100 }
  const worker = new Worker(program, { workerData, execArgv: [] }).on("message", (stall: Stall) => said.push(stall))
  onTestFinished(() => worker.terminate().then(() => {}))
  return { directory, view, said, move: () => void Atomics.add(counter, 0, 1) }
}
const mine = { pid: process.pid, mode: "standalone", skills: [{ name: "a" }] }

describe("the thread", () => {
  it("adds to the last picture since when the loop stands still, and says for how long once it moves", async () => {
    const { directory, view, said, move } = thread(mine)
    const { since } = await until(() => stalledIn(view))
    assert.deepStrictEqual(JSON.parse(fs.readFileSync(view, "utf8")), { ...mine, stalled: { since } })
    assert.isBelow(Math.abs(Date.now() - Date.parse(since)), 10_000)
    assert.strictEqual(fs.statSync(view).mode & 0o777, 0o600)
    assert.deepStrictEqual([said, fs.readdirSync(directory)], [[], ["status.json"]])
    move()
    await until(() => said[0])
    assert.isAtLeast(said[0]!.forMs, 100)
  })

  it("says it again when an older picture took the place of its own", async () => {
    const { view } = thread(mine)
    await until(() => stalledIn(view))
    fs.writeFileSync(`${view}.late`, JSON.stringify(mine))
    fs.renameSync(`${view}.late`, view)
    await until(() => stalledIn(view))
  })

  it.each([
    ["of another process", JSON.stringify({ ...mine, pid: process.pid + 1 })],
    ["that is half there", JSON.stringify(mine).slice(0, 20)],
    ["that is not there", undefined]
  ])("leaves a picture alone %s", async (_, text) => {
    const { directory, view, said, move } = thread(text)
    while (said.length === 0) {
      await setTimeout(200)
      move() // Until the thread was there to see one stall, from its beginning to its end.
    }
    assert.strictEqual(fs.existsSync(view) ? fs.readFileSync(view, "utf8") : undefined, text)
    assert.deepStrictEqual(fs.readdirSync(directory), text === undefined ? [] : ["status.json"])
  })

  it("writes no more once the loop moves", async () => {
    const { directory, view, said, move } = thread(undefined)
    execFileSync("mkfifo", [view]) // It reads there until we have written.
    const pipe = await fs.promises.open(view, "w")
    move()
    await pipe.writeFile(JSON.stringify(mine))
    await pipe.close()
    await until(() => said[0])
    assert.isTrue(fs.lstatSync(view).isFIFO())
    assert.deepStrictEqual(fs.readdirSync(directory), ["status.json"])
  })

  it("takes no time for a stall in which the whole process was stopped", async () => {
    const child = spawn(process.execPath, ["--input-type=module", "-e", onCommand, program, join(folder(), "status.json")], {
      stdio: ["pipe", "pipe", "inherit"]
    })
    onTestFinished(() => void child.kill("SIGKILL"))
    let said = ""
    child.stdout.setEncoding("utf8").on("data", (text: string) => (said += text))
    const says = (pattern: RegExp) => until(() => pattern.exec(said) ?? undefined)
    const move = () => child.stdin.write(".")
    await says(/ready/)
    move()
    await says(/moved/)
    await setTimeout(60) // The thread has seen it.
    child.kill("SIGSTOP")
    await setTimeout(700)
    child.kill("SIGCONT")
    await setTimeout(60)
    move()
    await setTimeout(2_000) // Twenty-five looks, also where the thread gets few of its turns.
    move()
    await says(/(moved.*){3}stall/)
    assert.match(said, /^ready moved moved moved stall \d+ $/)
  })
})

/** A process with the thread in it, whose counter moves by what comes on stdin. */
const onCommand = `
  import { Worker } from "node:worker_threads"
  const [program, view] = process.argv.slice(1)
  const counter = new Int32Array(new SharedArrayBuffer(4))
  const worker = new Worker(program, { workerData: { beats: counter.buffer, view, everyMs: 20, stalledAfterMs: 500 }, execArgv: [] })
  worker.on("message", ({ forMs }) => process.stdout.write("stall " + forMs + " "))
  worker.on("online", () => process.stdout.write("ready "))
  process.stdin.on("data", (bytes) => {
    for (const _ of bytes) {
      Atomics.add(counter, 0, 1)
      process.stdout.write("moved ")
    }
  })
`
