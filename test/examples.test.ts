/** Every example, run as a reader would run it: by Node, from its file, with the types stripped. */
import { assert, describe, it, onTestFinished } from "vitest"
import { spawn } from "node:child_process"
import { once } from "node:events"
import { mkdtempSync, readdirSync, readFileSync, realpathSync, rmSync } from "node:fs"
import type { AddressInfo } from "node:net"
import { tmpdir } from "node:os"
import { join, resolve } from "node:path"
import { Effect, Redacted } from "effect"
import { WebSocketServer } from "ws"
import { EmbeddedGateway } from "../src/gateway/index.ts"

const root = resolve(import.meta.dirname, "..")
const withinMs = 60_000

describe("an example", () => {
  it("is tried here, each of them", () => {
    const files = readdirSync(join(root, "examples"), { recursive: true, encoding: "utf8" }).filter((name) => /\.\w+$/.test(name))
    const tried = [
      "effect.ts",
      "embed.ts",
      "inspect.ts",
      "link.ts",
      "own-gateway.ts",
      "skills/hello/SKILL.md",
      "skills/hello/hello.sh",
      "test-your-skill.ts"
    ]
    assert.sameMembers(files, tried)
  })

  it(
    "embeds a runtime, and shows a run and its status line",
    async () => {
      const { code, stdout, stderr } = await start("examples/embed.ts").ended
      assert.strictEqual(code, 0, stderr)
      assert.match(stdout, /^standalone: no gateway configured; healthy; heartbeat@\d{8}T\d{6}Z success\n/)
      assert.match(stdout, /\nstatus=success,timestamp=\S+,run=heartbeat@\d{8}T\d{6}Z,duration_ms=\d+,late_ms=\d+,beats=1\n/)
    },
    withinMs
  )

  it(
    "is a runtime as a layer, whose skill uses a service",
    async () => {
      const { code, stdout, stderr } = await start("examples/effect.ts").ended
      assert.strictEqual(code, 0, stderr)
      assert.match(stdout, /for \S+Z \(greeting@\d{8}T\d{6}Z\/publish\)/)
      assert.match(stdout, /standalone; greeting: success/)
    },
    withinMs
  )

  it(
    "lets a skill crash in virtual time and finds each post published once",
    async () => {
      const { code, stdout, stderr } = await start("examples/test-your-skill.ts").ended
      assert.strictEqual(code, 0, stderr)
      assert.strictEqual(stdout, "held fast: one run, each post once\n")
      assert.isAtMost(read("examples/test-your-skill.ts").trimEnd().split("\n").length, 30)
    },
    withinMs
  )

  it(
    "reports to a gateway of its own kind",
    async () => {
      const { code, stdout, stderr } = await start("examples/own-gateway.ts").ended
      assert.strictEqual(code, 0, stderr)
      assert.match(stdout, /^HEARTBEAT: SUCCESS FOR .*\n.*ALL IS WELL\n$/)
    },
    withinMs
  )

  it(
    "shows every machine to Stately's inspector, each skill below the supervisor",
    async () => {
      const relay = new WebSocketServer({ host: "127.0.0.1", port: 0 })
      onTestFinished(() => relay.close())
      const told: Array<Told> = []
      relay.on("connection", (socket) => socket.on("message", (data: Buffer) => told.push(JSON.parse(data.toString()))))
      await once(relay, "listening")
      const example = start("examples/inspect.ts", `ws://127.0.0.1:${(relay.address() as AddressInfo).port}`)
      const actors = () => told.filter((event) => event.type === "@xstate.actor")
      await until(
        () => told.some((event) => event.type === "@xstate.snapshot") && actors().some(({ name = "" }) => /@\d{8}T/.test(name)),
        () => example.text()
      )
      const above = (one: Told): ReadonlyArray<Told> => actors().filter(({ sessionId }) => sessionId === one.parentId)
      const ancestors = (one: Told): ReadonlyArray<string> => above(one).flatMap((parent) => [parent.name ?? "", ...ancestors(parent)])
      const names = ancestors(actors().find(({ name = "" }) => /@\d{8}T/.test(name))!)
      assert.strictEqual(names[0], "heartbeat")
      assert.include(names, "supervisor")
      assert.strictEqual(names.at(-1), "runtime")
      example.stop()
      assert.strictEqual((await example.ended).code, 0)
    },
    withinMs
  )

  it(
    "asks the session and the gateway, and tells the session once",
    () =>
      Effect.runPromise(
        Effect.scoped(
          Effect.gen(function* () {
            const token = Redacted.make("secret-token")
            const gateway = yield* EmbeddedGateway.make({ port: 0, token, directory: temporary() })
            const example = startWith({ HOLDFAST_GATEWAY_TOKEN: "secret-token" }, "examples/link.ts", gateway.url)
            const { code, stdout, stderr } = yield* Effect.promise(() => example.ended)
            assert.strictEqual(code, 0, stderr)
            const [, run] = /^(digest@\d{8}T\d{6}Z) success {"messages":\d+,"sessions":true,"already":false}\n$/.exec(stdout) ?? []
            assert.isDefined(run, stdout)
            const told = (yield* gateway.transcript("agent:main:main")).filter(({ label }) => label === `holdfast run=${run} tell`)
            assert.strictEqual(told.length, 1)
          })
        )
      ),
    withinMs
  )

  it(
    "is a process skill that is good, runs, and answers with fields",
    async () => {
      const state = join(temporary(), "state")
      const check = await holdfast("skills", "check", "examples/skills").ended
      assert.strictEqual(check.code, 0, check.stdout)
      const runtime = holdfast("up", "--state", state, "--skills", "examples/skills")
      await until(
        () => runtime.text().includes("hello"),
        () => runtime.text()
      )
      const triggered = await holdfast("trigger", "hello", "--wait", "--state", state).ended
      assert.strictEqual(triggered.code, 0, triggered.stderr)
      const run = triggered.stdout.split("\n")[0]!
      runtime.stop()
      assert.strictEqual((await runtime.ended).code, 0)
      assert.include(readFileSync(join(state, "skills/status/hello.txt"), "utf8"), `,greeted=world,key=${run}\n`)
      assert.match(readFileSync(join(state, "runs", run, "stdout.log"), "utf8"), /^hello world, for the slot of \S+Z \(attempt 1\)\n$/)
    },
    withinMs
  )
})

/** What the inspector sends, as far as it is looked at here. */
interface Told {
  readonly type: string
  readonly name?: string
  readonly sessionId: string
  readonly parentId?: string
}

const read = (path: string): string => readFileSync(join(root, path), "utf8")

const temporary = (): string => {
  const folder = realpathSync(mkdtempSync(join(tmpdir(), "holdfast-example-")))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true, maxRetries: 5 }))
  return folder
}

/** What examples make goes to a temporary folder of ours. */
const start = (...words: ReadonlyArray<string>) => startWith({}, ...words)
const startWith = (variables: Readonly<Record<string, string>>, ...words: ReadonlyArray<string>) => {
  const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !/^(HOLDFAST_|VITEST|NODE_)/.test(name)))
  const child = spawn(process.execPath, ["--conditions=holdfast-source", ...words], {
    cwd: root,
    env: { ...env, ...variables, TMPDIR: temporary(), NO_COLOR: "1" },
    stdio: ["ignore", "pipe", "pipe"]
  })
  const said = { stdout: "", stderr: "" }
  for (const name of ["stdout", "stderr"] as const)
    child[name].setEncoding("utf8").on("data", (chunk: string) => {
      said[name] += chunk
    })
  const ended = new Promise<{ readonly code: number | null } & typeof said>((done) =>
    child.once("close", (code) => done({ code, ...said }))
  )
  onTestFinished(async () => {
    if (child.exitCode === null && child.signalCode === null) child.kill("SIGKILL")
    await ended
  })
  return { ended, stop: () => child.kill("SIGINT"), text: () => said.stdout + said.stderr }
}

const holdfast = (...words: ReadonlyArray<string>) => start("dist/bin.js", ...words)

const until = async (holds: () => boolean, why: () => string): Promise<void> => {
  for (const deadline = Date.now() + 40_000; !holds();) {
    if (Date.now() > deadline) throw new Error(`in vain:\n${why()}`)
    await new Promise((resume) => setTimeout(resume, 25))
  }
}
