/**
 * Failures that users of another scheduler have reported in public, each made once more and held against what happens here:
 * processes and sockets, with real ones. docs/public-failures.md has the list.
 */
import { assert, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { execFileSync, spawn } from "node:child_process"
import { readFileSync } from "node:fs"
import { createServer } from "node:http"
import type { AddressInfo, Socket } from "node:net"
import { join } from "node:path"
import { onTestFinished } from "vitest"
import { WebSocketServer } from "ws"
import { createRuntime } from "../../src/index.ts"
import { Dial } from "../../src/layers/Dial.ts"
import { processIdentity } from "../../src/layers/platform.ts"
import { Process, type ProcessEnd } from "../../src/layers/Process.ts"
import { built } from "../built.ts"
import { makeWorld } from "../cli/holdfast.ts"
import { folder, living, until } from "../layers/children.ts"

const linux = it.live.runIf(process.platform === "linux")

/** A length of sleep that no other process uses, to find its sleepers by. */
let naps = 0
const nap = () => `8${process.pid}${++naps}`

/** One run of a shell program, as a skill's process. */
const run = (script: string): Effect.Effect<ProcessEnd, unknown> => {
  const directory = folder()
  const env = { PATH: process.env["PATH"]! }
  return Process.use((processes) =>
    processes.run({
      argv: ["sh", "-c", script],
      directory,
      cwd: directory,
      env,
      timeoutMs: 20_000,
      graceMs: 500,
      onSpawned: () => Effect.void
    })
  ).pipe(Effect.provide(Process.layer))
}

/** A skill whose process has two helpers, one of which has left its group; all of them sleep until they are ended. */
const browsing = (mark: string) => ({ run: ["/bin/sh", "-c", `setsid sleep ${mark} & sleep ${mark} & exec sleep ${mark}`], grace: "0s" })

it.live(
  "openclaw/openclaw#10864: helpers outlive the turns that they worked for, 45 of them in two days - here: what a run leaves behind is ended with it",
  () =>
    Effect.gen(function* () {
      const mark = nap()
      for (let n = 0; n < 5; n++) assert.deepStrictEqual(yield* run(`sleep ${mark} & sleep ${mark} & exit 0`), { _tag: "Exited", code: 0 })
      assert.deepStrictEqual(living(mark), [])
    })
)

it.live("openclaw/openclaw#97616: children are never reaped, until no process can be started - here: no run leaves a zombie", () =>
  Effect.gen(function* () {
    const runs = [`(exit 1) & (exit 2) & wait`, `sleep 60 & kill -9 $$`, `sh -c 'exit 3' & exit 4`, `exec true`]
    yield* Effect.forEach([...runs, ...runs, ...runs], run, { concurrency: 4 })
    const zombies = execFileSync("ps", ["-axo", "ppid=,stat="], { encoding: "utf8" })
      .split("\n")
      .filter((line) => new RegExp(`^\\s*${process.pid}\\s+Z`).test(line))
    assert.deepStrictEqual(zombies, [])
  })
)

it.live("openclaw/openclaw#111370: helpers stay where the run that started them is killed - here: they go whichever way a run ends", () =>
  Effect.gen(function* () {
    const mark = nap()
    const helpers = Array.from({ length: 6 }, () => `sleep ${mark} &`).join(" ")
    assert.deepStrictEqual(yield* run(`${helpers} kill -9 $$`), { _tag: "Signalled", signal: "SIGKILL" })
    assert.deepStrictEqual(living(mark), [])
  })
)

linux(
  "openclaw/openclaw#11257: a browser outlives the restart of what started it - here: a stop ends all that a run has started, also what left its group",
  () =>
    Effect.gen(function* () {
      const mark = nap()
      const runtime = yield* started("browser", browsing(mark))
      yield* Effect.promise(() => runtime.trigger("browser"))
      yield* until(() => living(mark).length === 3, "the browser and its helpers")
      yield* Effect.promise(() => runtime.stop({ now: true }))
      assert.deepStrictEqual(living(mark), [])
    })
)

linux("openclaw/openclaw#64984: each restart adds another set of helpers to the old ones - here: after each restart there is one set", () =>
  Effect.gen(function* () {
    const mark = nap()
    const state = join(folder(), "state")
    for (let restart = 0; restart < 3; restart++) {
      const runtime = yield* started("server", browsing(mark), state)
      if (restart === 0) yield* Effect.promise(() => runtime.trigger("server")) // The others take up the run that was interrupted.
      yield* until(() => living(mark).length >= 3, "a set of helpers")
      assert.strictEqual(living(mark).length, 3)
      yield* Effect.promise(() => runtime.stop({ now: true }))
    }
    assert.deepStrictEqual(living(mark), [])
  })
)

it.live(
  "openclaw/openclaw#75774: a server is started once more for each run, beside those that are there - here: a skill has one run at a time",
  () =>
    Effect.gen(function* () {
      const mark = nap()
      const runtime = yield* started("server", { run: ["/bin/sleep", mark], grace: "0s" })
      const first = yield* Effect.promise(() => runtime.trigger("server"))
      yield* until(() => living(mark).length === 1, "the server")
      for (let n = 0; n < 3; n++) {
        const refused = yield* Effect.promise(() => runtime.trigger("server").catch((error: { readonly code: string }) => error.code))
        assert.strictEqual(refused, "RUN_OVERLAP")
      }
      assert.strictEqual(living(mark).length, 1)
      yield* Effect.promise(() => runtime.cancel(first))
      assert.deepStrictEqual(living(mark), [])
      yield* Effect.promise(() => runtime.stop({ now: true }))
    })
)

it.live.runIf(process.platform === "linux" && built())(
  "openclaw/openclaw#118652: a restart loses the registry of children, which live on - here: the journal is the registry, and a start ends them first",
  () =>
    Effect.gen(function* () {
      const mark = nap()
      const world = makeWorld()
      // Each attempt sleeps for a length of its own, so that the first one's processes are told from the second one's.
      const script = `setsid sleep ${mark}$HOLDFAST_ATTEMPT & sleep ${mark}$HOLDFAST_ATTEMPT & exec sleep ${mark}$HOLDFAST_ATTEMPT`
      world.skill("extract", { run: ["/bin/sh", "-c", script], schedule: { every: "1 second" }, timeout: "1 hour", grace: "0s" })
      const command = ["up", "--state", world.state, "--skills", world.skills]
      const first = world.start(...command)
      yield* until(() => living(`${mark}1`).length === 3, "the children of the first attempt")
      first.kill("SIGKILL")
      yield* Effect.promise(() => first.ended)
      assert.strictEqual(living(`${mark}1`).length, 3) // Nobody's children now.
      const second = world.start(...command)
      yield* until(() => living(`${mark}2`).length === 3, "the children of the second attempt")
      assert.deepStrictEqual(living(`${mark}1`), [])
      second.kill("SIGKILL")
      yield* Effect.promise(() => second.ended)
      for (const pid of living(mark)) process.kill(pid, "SIGKILL")
    }),
  60_000
)

it.live("openclaw/openclaw#86119: 32 orphans of workers keep the processors busy for hours - here: the next start ends each of them", () =>
  Effect.gen(function* () {
    const mark = nap()
    const orphans = yield* Effect.forEach(Array.from({ length: 16 }), () =>
      Effect.gen(function* () {
        const worker = spawn("sh", ["-c", `sleep ${mark} & exec sleep ${mark}`], {
          detached: true,
          stdio: "ignore"
        })
        onTestFinished(() => void worker.kill("SIGKILL"))
        return { directory: folder(), process: yield* processIdentity(worker.pid!) }
      })
    )
    yield* until(() => living(`sleep ${mark}`).length === 32, "the orphans")
    const ended = yield* Process.use((processes) => processes.survivors(orphans)).pipe(Effect.provide(Process.layer))
    assert.deepStrictEqual(ended, { killed: 32, alive: [] })
    assert.deepStrictEqual(living(mark), [])
  })
)

linux(
  "openclaw/openclaw#56215: sockets pile up in CLOSE_WAIT until the process dies - here: a line that ends, in whatever way, leaves no socket",
  () =>
    Effect.gen(function* () {
      const http = createServer()
      const ends: ReadonlyArray<(socket: Socket) => void> = [
        (socket) => socket.end(), // Its half is closed, and nothing is said: the way into CLOSE_WAIT.
        (socket) => socket.destroy(),
        (socket) => socket.resetAndDestroy(),
        () => {} // It never ends; we do.
      ]
      let lines = 0
      new WebSocketServer({ server: http }).on("connection", (socket, { socket: raw }) => {
        socket.send("hello")
        ends[lines++ % ends.length]!(raw)
      })
      yield* Effect.acquireRelease(
        Effect.callback<void>((resume) => {
          http.listen(0, "127.0.0.1", () => resume(Effect.void))
        }),
        () => Effect.sync(() => http.close())
      )
      const { port } = http.address() as AddressInfo
      const line = Effect.scoped(
        Dial.use((dial) => dial.connect(`ws://127.0.0.1:${port}`)).pipe(
          Effect.flatMap((one) => Effect.andThen(one.take, Effect.timeoutOption(one.take, "20 millis"))),
          Effect.ignore
        )
      ).pipe(Effect.provide(Dial.layer))
      yield* Effect.forEach(Array.from({ length: 100 }), () => line, { concurrency: 10 })
      assert.strictEqual(lines, 100)
      yield* until(() => socketsTo(port).length === 0, "an end of all sockets") // The other side has yet to say that it has heard.
    })
)

/** The states of this machine's sockets whose other end has this port, but for those that only wait for the network to forget them. */
const socketsTo = (port: number): ReadonlyArray<string> =>
  readFileSync("/proc/net/tcp", "utf8")
    .split("\n")
    .flatMap((row) => {
      const [, remote = "", state = ""] = /^\s*\d+: \S+ (\S+) (\S+)/.exec(row) ?? []
      return remote.endsWith(`:${port.toString(16).toUpperCase().padStart(4, "0")}`) && state !== "06" ? [state] : []
    })

/** A runtime with this one skill, by hand only unless it has a schedule. */
const started = (name: string, settings: object, state = join(folder(), "state")) =>
  Effect.promise(() => {
    const world = makeWorld()
    world.skill(name, settings)
    return createRuntime({ state, skills: [world.skills] })
  })
