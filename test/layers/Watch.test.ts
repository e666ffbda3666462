import { Effect, Logger } from "effect"
import { execFileSync, spawn } from "node:child_process"
import * as fs from "node:fs"
import { join } from "node:path"
import { assert, describe, it, onTestFinished } from "vitest"
import { standing } from "../../src/cli/standing.ts"
import type { Picture } from "../../src/domain/Picture.ts"
import { Holdfast, Runtime } from "../../src/effect.ts"
import { createRuntime } from "../../src/index.ts"
import { WatchFile } from "../../src/layers/Watch.ts"
import { built } from "../built.ts"
import { makeWorld, until } from "../cli/holdfast.ts"
import { journalIn } from "../journal.ts"
import { fixture, folder } from "./children.ts"

/** What anybody sees who reads the file all the while. */
interface Look {
  readonly atMs: number
  readonly stalled: Picture["stalled"]
}

describe("a runtime whose event loop a skill holds for 4 s", () => {
  const heldMs = 4_000
  const kinds = [["from its sources", ["--conditions=holdfast-source"]] as const, ...(built() ? [["as it is built", []] as const] : [])]

  /** Its life from start to stop. */
  const live = async (flags: ReadonlyArray<string>) => {
    const home = folder()
    const [state, view] = [join(home, "state"), join(home, "state/status.json")]
    const child = spawn(process.execPath, [...flags, fixture("stalling.ts"), home, String(heldMs)], {
      stdio: ["ignore", "pipe", "inherit"]
    })
    onTestFinished(() => void child.kill("SIGKILL"))
    let log = ""
    child.stdout.setEncoding("utf8").on("data", (text: string) => (log += text))
    const looks: Array<Look> = []
    let during: Effect.Success<ReturnType<typeof standing>> | undefined
    await until(async () => {
      if (!fs.existsSync(view)) return undefined
      const { stalled } = JSON.parse(fs.readFileSync(view, "utf8")) as Picture // Half a file would throw.
      assert.strictEqual(fs.statSync(view).mode & 0o777, 0o600)
      looks.push({ atMs: Date.now(), stalled })
      if (stalled !== undefined) during ??= await Effect.runPromise(standing(state, Date.now()))
      return during !== undefined && stalled === undefined && log.includes("RUNTIME_STALLED") ? true : undefined
    })
    const after = await Effect.runPromise(standing(state, Date.now()))
    child.kill("SIGTERM")
    const code = await new Promise((done) => child.once("exit", done))
    return { state, looks, during: during!, after, code, beganAtMs: Number(fs.readFileSync(join(home, "begun"), "utf8")) }
  }

  it("says so in status.json while it lasts and no longer, is critical meanwhile, and has it on record", async () => {
    for (const [kind, { state, looks, during, after, code, beganAtMs }] of await Promise.all(
      kinds.map(async ([kind, flags]) => [kind, await live(flags)] as const)
    )) {
      const seen = looks.filter(({ stalled }) => stalled !== undefined)
      const [first, last] = [seen[0]!.atMs - beganAtMs, seen.at(-1)!.atMs - beganAtMs - heldMs]
      console.log(`${kind}: in the file after ${first} ms, and for ${last} ms after the end`)
      assert.isAbove(first, 1_500)
      assert.isBelow(first, 3_000)
      assert.isBelow(last, 1_500)
      assert.isBelow(Math.abs(Date.parse(seen[0]!.stalled!.since) - beganAtMs), 1_000)
      assert.deepInclude(during, { health: "critical", running: true, mode: "standalone" })
      assert.match(during.why[0]!, /^its event loop has stood still since \S+Z: no skill starts/)
      assert.deepInclude(after, { health: "ok", running: true })
      assert.strictEqual(code, 0)
      const [stall, ...more] = journalIn(state).filter(({ type }) => type === "runtime.stalled")
      assert.isEmpty(more)
      assert.isTrue(stall?.type === "runtime.stalled" && stall.forMs >= 2_000 && stall.forMs <= heldMs + 500)
      assert.isEmpty(fs.readdirSync(state).filter((name) => name.startsWith(".draft-")))
    }
  })
})

describe("the layer", () => {
  const threads = (pid: number) =>
    execFileSync("ps", ["-L", "-o", "comm=", "-p", String(pid)], { encoding: "utf8" }).split("holdfast-watch").length - 1
  const onLinux = process.platform === "linux"

  it.runIf(onLinux)("ends the thread with its scope", async () => {
    const runtime = await createRuntime({ state: folder() })
    await until(() => (threads(process.pid) === 1 ? true : undefined))
    await runtime.stop()
    assert.strictEqual(threads(process.pid), 0)
  })

  it.runIf(onLinux && built())("finds the thread's program from the command as well, which is one file", async () => {
    const world = makeWorld()
    const { pid } = world.start("up", "--state", world.state)
    await until(() => (threads(pid) === 1 ? true : undefined))
  })

  it("is a warning, and no more, where the thread cannot be had", async () => {
    for (const file of [undefined, "/nowhere/main.js"]) {
      const warnings: Array<string> = []
      const logger = Logger.make(({ message }) => void warnings.push(String(message)))
      await Effect.gen(function* () {
        const runtime = yield* Runtime
        yield* Effect.promise(() => until(() => warnings[0]))
        assert.strictEqual(yield* runtime.mode, "standalone")
      }).pipe(
        Effect.provide(Holdfast.layer({ state: folder() })),
        Effect.provideService(WatchFile, file),
        Effect.provide(Logger.layer([logger])),
        Effect.runPromise
      )
      assert.match(warnings.join(), /^WATCH_MISSING: stalls are not seen: /)
    }
  })
})
