/** The gateway of OpenClaw itself, lean and in a home of its own, which these tests start, break and stop. */
import { type ChildProcess, spawn } from "node:child_process"
import { once } from "node:events"
import { mkdtempSync, openSync, readFileSync, realpathSync, rmSync, writeFileSync } from "node:fs"
import type { AddressInfo } from "node:net"
import { createServer } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { setTimeout as sleep } from "node:timers/promises"
import { Effect } from "effect"
import { get } from "../gateway/client.ts"
import { command } from "./installed.ts"

export const token = "secret-token" // What the bare client of test/gateway says.
/** A first start on a cold disk took 44 s. */
const readyWithinMs = 120_000

export class OpenClaw {
  readonly port: number
  readonly #home: string
  #process: ChildProcess | undefined

  private constructor(port: number) {
    this.port = port
    this.#home = realpathSync(mkdtempSync(join(tmpdir(), "holdfast-openclaw-")))
    writeFileSync(join(this.#home, "openclaw.json"), JSON.stringify(config(port, join(this.#home, "gateway.log"))), { mode: 0o600 })
  }

  /** A home and a free port; nothing runs yet. */
  static async make(): Promise<OpenClaw> {
    const server = createServer().listen(0, "127.0.0.1")
    await once(server, "listening")
    const { port } = server.address() as AddressInfo
    server.close()
    return new OpenClaw(port)
  }

  get url(): string {
    return `ws://127.0.0.1:${this.port}`
  }

  /** Starts the process; resolves once it is ready, with the instant at which that was seen. */
  async start(): Promise<number> {
    const output = openSync(join(this.#home, "output.log"), "a")
    const inherited = Object.entries(process.env).filter(([name]) => !/^(HOLDFAST_|OPENCLAW_|VITEST|NODE_OPTIONS|XDG_)/.test(name))
    this.#process = spawn(process.execPath, [command, "gateway", "run"], {
      cwd: this.#home,
      stdio: ["ignore", output, output],
      env: {
        ...Object.fromEntries(inherited),
        HOME: this.#home,
        OPENCLAW_STATE_DIR: join(this.#home, "state"),
        OPENCLAW_CONFIG_PATH: join(this.#home, "openclaw.json")
      }
    })
    return this.ready()
  }

  /** Resolves once `/readyz` says so, with the instant at which it did. */
  async ready(): Promise<number> {
    for (const deadline = Date.now() + readyWithinMs; Date.now() < deadline; await sleep(25)) {
      if (this.#process?.exitCode !== null) throw new Error(`it ended with ${this.#process?.exitCode}: ${this.#lastWords()}`)
      const answer = await Effect.runPromise(get(this.port, "/readyz", { timeoutMs: 2_000 }))
      if (typeof answer !== "string" && answer.body.ready === true) return Date.now()
    }
    throw new Error(`it was not ready within ${readyWithinMs / 1_000} s: ${this.#lastWords()}`)
  }

  signal(signal: "SIGSTOP" | "SIGCONT" | "SIGKILL" | "SIGTERM"): void {
    this.#process?.kill(signal)
  }

  /** Resolves once the process is gone. */
  async gone(): Promise<void> {
    if (this.#process?.exitCode === null && this.#process.signalCode === null) await once(this.#process, "exit")
  }

  /** Ends the process that was started here, if it is there, and removes its home. */
  async remove(): Promise<void> {
    this.signal("SIGKILL")
    await this.gone()
    rmSync(this.#home, { recursive: true, force: true, maxRetries: 5 })
  }

  #lastWords(): string {
    return readFileSync(join(this.#home, "output.log"), "utf8").trim().split("\n").slice(-3).join(" | ")
  }
}

/** No model, no plugin, no page, no heartbeat: a gateway that is ready in twenty seconds and asks nobody outside. */
const config = (port: number, log: string) => ({
  gateway: { mode: "local", port, bind: "loopback", auth: { mode: "token", token }, controlUi: { enabled: false } },
  plugins: { enabled: false },
  discovery: { mdns: { mode: "off" } },
  update: { checkOnStart: false },
  logging: { file: log },
  agents: { defaults: { heartbeat: { every: "0m" } } }
})
