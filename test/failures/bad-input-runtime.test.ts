/** What a runtime is given wrongly, and the exact code of the answer. A bad gateway is a mode: the skills go on. */
import { Effect, Exit, Redacted, Scope } from "effect"
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, realpathSync, renameSync, rmSync, writeFileSync } from "node:fs"
import { createServer as createHttp } from "node:http"
import { type AddressInfo, createServer } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { crc32 } from "node:zlib"
import { assert, describe, it, onTestFinished } from "vitest"
import { type WebSocket, WebSocketServer } from "ws"
import type { Problem } from "../../src/domain/Errors.ts"
import { EmbeddedGateway } from "../../src/gateway/index.ts"
import { journalIn } from "../journal.ts"
import { until } from "../layers/children.ts"
import { createRuntime, type Runtime, type RuntimeOptions, skill } from "../../src/index.ts"

const folder = (): string => {
  const made = realpathSync(mkdtempSync(join(tmpdir(), "holdfast-bad-")))
  onTestFinished(() => {
    chmodSync(made, 0o700)
    rmSync(made, { recursive: true, force: true })
  })
  return made
}
const refusal = async (options: RuntimeOptions): Promise<Problem> => {
  try {
    const runtime = await createRuntime(options)
    await runtime.stop({ now: true })
  } catch (error) {
    return error as Problem
  }
  return assert.fail("it started")
}
const beat = skill({ name: "beat", schedule: { every: "1 second" }, run: () => ({ beats: 1 }) })

describe("a state directory", () => {
  const cases: ReadonlyArray<readonly [string, (dir: string) => string, string]> = [
    [
      "that is a file",
      (dir) => {
        writeFileSync(join(dir, "state"), "")
        return join(dir, "state")
      },
      "STATE_DIR_NOT_DIR"
    ],
    [
      "with somebody else's files",
      (dir) => {
        writeFileSync(join(dir, "holiday.jpg"), "")
        return dir
      },
      "STATE_DIR_FOREIGN"
    ],
    [
      "of a newer version",
      (dir) => {
        mkdirSync(join(dir, "journal"))
        const json = JSON.stringify({ product: "holdfast", format: 999, segment: 1, epoch: 1, after: 0, chain: "00000000" })
        writeFileSync(join(dir, "journal", "0000000001.log"), line(json))
        return dir
      },
      "STATE_TOO_NEW"
    ]
  ]
  for (const [name, make, code] of cases) {
    it(`${name} is ${code}, with where, got, want and fix`, async () => {
      const problem = await refusal({ state: make(folder()), skills: [beat] })
      assert.strictEqual(problem.code, code)
      for (const answer of ["where", "got", "want", "fix"] as const) assert.isNotEmpty(problem[answer], answer)
    })
  }

  it("that another runtime holds is LOCK_HELD, naming its pid and since when", async () => {
    const state = join(folder(), "state")
    const first = await createRuntime({ state, skills: [beat] })
    onTestFinished(async () => void (await first.stop({ now: true })))
    const problem = await refusal({ state, skills: [beat] })
    assert.strictEqual(problem.code, "LOCK_HELD")
    assert.include(problem.got, String(process.pid))
    assert.match(problem.got, /since \d{4}-\d\d-\d\dT/)
  })

  it("of which the newest version's journal is refused stays as it was, to the byte", async () => {
    const dir = folder()
    mkdirSync(join(dir, "journal"))
    const file = join(dir, "journal", "0000000001.log")
    writeFileSync(file, line(JSON.stringify({ product: "holdfast", format: 999, segment: 1, epoch: 1, after: 0, chain: "00000000" })))
    const before = readFileSync(file)
    await refusal({ state: dir, skills: [beat] })
    assert.deepStrictEqual(readFileSync(file), before)
  })
})

describe("options", () => {
  const cases: ReadonlyArray<readonly [string, Partial<RuntimeOptions>, string]> = [
    ["a cron that never comes", { skills: [skill({ name: "a", schedule: { cron: "0 0 31 2 *" }, run: () => {} })] }, "CRON_NEVER"],
    [
      "an unknown zone",
      { skills: [skill({ name: "a", schedule: { cron: "0 6 * * *", timezone: "America/Nowhere" }, run: () => {} })] },
      "TIMEZONE_UNKNOWN"
    ],
    ["a name that leads out", { skills: [skill({ name: "../a", run: () => {} })] }, "SKILL_NAME_INVALID"],
    ["two skills of one name", { skills: [beat, beat] }, "SKILL_DUPLICATE"],
    ["an unknown setting", { skills: [skill({ name: "a", schedul: {}, run: () => {} } as never)] }, "UNKNOWN_KEY"],
    ["a timeout that is no duration", { skills: [skill({ name: "a", timeout: "soon", run: () => {} })] }, "FIELD_TYPE"],
    ["a limit on memory for what shares ours", { skills: [skill({ name: "a", memory: "1 GB", run: () => {} } as never)] }, "FIELD_RANGE"],
    ["a need without a gateway", { skills: [skill({ name: "a", needs: ["session"], run: () => {} })] }, "NEEDS_GATEWAY"],
    ["an http address", { gateway: { url: "http://localhost:1" } }, "GATEWAY_URL"],
    ["a plain socket to another machine", { gateway: { url: "ws://example.org" } }, "GATEWAY_URL"],
    ["credentials in the address", { gateway: { url: "ws://me:hunter2@localhost:1" } }, "GATEWAY_URL_CREDENTIALS"]
  ]
  for (const [name, options, code] of cases) {
    it(`${name}: ${code}`, async () => {
      const problem = await refusal({ state: join(folder(), "state"), skills: [beat], ...options })
      assert.strictEqual(problem.code, code)
      assert.notInclude(JSON.stringify(problem), "hunter2")
    })
  }
})

describe("a skill file that cannot be used this time is not removed, whatever is wrong", () => {
  const cases: ReadonlyArray<readonly [string, (skills: string) => Partial<RuntimeOptions> | void, string]> = [
    [
      "its settings",
      (skills) => writeFileSync(join(skills, "post", "SKILL.md"), "---\nname: post\nmetadata: { holdfast: {} }\n---\n"),
      "WORK_MISSING"
    ],
    ["its folder", (skills) => chmodSync(join(skills, "post"), 0o777), "SKILL_PERMISSIONS"],
    ["a folder in it", (skills) => chmodSync(join(skills, "post", "bin"), 0o777), "SKILL_PERMISSIONS"],
    ["the folder of all skills", (skills) => chmodSync(skills, 0o777), "SKILL_PERMISSIONS"],
    ["the place of that", (skills) => renameSync(skills, `${skills}-away`), "SKILLS_FOLDER"],
    ["what the config says of it", () => ({ overrides: { post: { retry: { first: "1 hour", cap: "1 second" } } } }), "FIELD_RANGE"]
  ]
  for (const [name, spoil, code] of cases) {
    it(`${name}: ${code}`, async () => {
      const base = folder()
      const [state, skills] = [join(base, "state"), join(base, "skills")]
      mkdirSync(join(skills, "post", "bin"), { recursive: true })
      writeFileSync(
        join(skills, "post", "SKILL.md"),
        "---\nname: post\nmetadata: { holdfast: { run: [./bin/work.sh], schedule: { every: 1 hour } } }\n---\n"
      )
      writeFileSync(join(skills, "post", "bin", "work.sh"), "#!/bin/sh\n", { mode: 0o755 })
      const codes = async (options: Partial<RuntimeOptions> = {}) => {
        const runtime = await createRuntime({ state, skills: [skills], ...options })
        const { problems } = await runtime.status()
        await runtime.stop({ now: true })
        return problems.map((problem) => problem.code)
      }
      assert.deepStrictEqual(await codes(), [])
      assert.include(await codes(spoil(skills) ?? {}), code)
      const types = journalIn(state).map(({ type }) => type)
      assert.include(types, "skill.adopted")
      assert.notInclude(types, "skill.removed")
    })
  }
})

describe("a gateway that cannot be used", () => {
  const token = "right-token-0123456789"
  const withRuntime = async (url: string, check: (runtime: Runtime) => Promise<void>, given = token) => {
    const runtime = await createRuntime({ state: join(folder(), "state"), skills: [beat], gateway: { url, token: given } })
    try {
      await check(runtime)
    } finally {
      await runtime.stop({ now: true })
    }
  }
  /** The problem, once the status has it, and a run of the skill that did not mind. */
  const problemIn = async (runtime: Runtime, code: string) => {
    const settled = new Promise<void>((resolve) => runtime.subscribe(({ type }) => type === "run.settled" && resolve()))
    let status = await runtime.status()
    for (let i = 0; i < 400 && !status.problems.some((problem) => problem.code === code); i++) {
      await new Promise((resolve) => {
        setTimeout(resolve, 20)
      })
      status = await runtime.status()
    }
    const problem = status.problems.find((one) => one.code === code)
    assert.isDefined(problem, JSON.stringify(status.reasons))
    await settled
    assert.match(runtime.mode, /^degraded\./)
    return problem
  }

  it("wrong token: GATEWAY_AUTH, and the token stands nowhere", async () => {
    const scope = Effect.runSync(Scope.make())
    onTestFinished(() => Effect.runPromise(Scope.close(scope, Exit.void)))
    const gateway = await Effect.runPromise(
      Effect.provideService(EmbeddedGateway.make({ port: 0, token: Redacted.make(token), directory: folder() }), Scope.Scope, scope)
    )
    await withRuntime(
      gateway.url,
      async (runtime) => {
        const problem = await problemIn(runtime, "GATEWAY_AUTH")
        assert.match(problem.fix, /HOLDFAST_GATEWAY_TOKEN/)
        assert.notInclude(JSON.stringify(await runtime.status()), "wrong-token-canary")
      },
      "wrong-token-canary"
    )
  })

  it("wrong token, refused when the gateway was found ready already: status.json says so, though the mode stays and nothing runs", async () => {
    const [state, server] = [folder(), createHttp((_, response) => response.end(JSON.stringify({ ready: true })))]
    const sockets = new WebSocketServer({ server }).on("connection", (socket) => {
      socket.send(JSON.stringify({ type: "event", event: "connect.challenge", payload: { nonce: "n", ts: 1 } }))
    })
    const refuse = (socket: WebSocket) => socket.close(1008)
    const runtime = await createRuntime({ state, gateway: { url: `ws://127.0.0.1:${await listening(server)}`, token } })
    const file = join(state, "status.json")
    const shown = (text: string) => () => existsSync(file) && readFileSync(file, "utf8").includes(text)
    await Effect.runPromise(until(shown('"mode": "degraded.sessionLost"'), "the mode"))
    sockets.on("connection", refuse)
    for (const socket of sockets.clients) refuse(socket)
    await Effect.runPromise(until(shown("GATEWAY_AUTH"), "the problem"))
    await runtime.stop({ now: true })
  })

  it("wrong protocol: GATEWAY_VERSION", async () => {
    const server = createHttp((_, response) => response.end(JSON.stringify({ ready: true })))
    new WebSocketServer({ server }).on("connection", (socket) => {
      socket.send(JSON.stringify({ type: "event", event: "connect.challenge", payload: { nonce: "n", ts: Date.now(), capabilities: [] } }))
      socket.on("message", (data: Buffer) => {
        const { id } = JSON.parse(data.toString()) as { readonly id: string }
        socket.send(
          JSON.stringify({
            type: "res",
            id,
            ok: false,
            error: { code: "INVALID_REQUEST", message: "protocol", details: { code: "PROTOCOL_MISMATCH", expectedProtocol: 9 } }
          })
        )
        socket.close(1002)
      })
    })
    await withRuntime(`ws://127.0.0.1:${await listening(server)}`, async (runtime) => {
      await problemIn(runtime, "GATEWAY_VERSION")
    })
  })

  it("a page of HTML: GATEWAY_NOT_WEBSOCKET", async () => {
    const server = createHttp((_, response) => response.setHeader("content-type", "text/html").end("<!doctype html><title>Not it</title>"))
    await withRuntime(`ws://127.0.0.1:${await listening(server)}`, async (runtime) => {
      await problemIn(runtime, "GATEWAY_NOT_WEBSOCKET")
    })
  })

  it("odd frames: counted in the status under the session, with the last one's code, and no problem", async () => {
    const server = createHttp((_, response) => response.end(JSON.stringify({ ready: true })))
    new WebSocketServer({ server }).on("connection", (socket) => {
      socket.send(JSON.stringify({ type: "event", event: "connect.challenge", payload: { nonce: "n", ts: Date.now() } }))
      socket.once("message", (data: Buffer) => {
        const { id } = JSON.parse(data.toString()) as { readonly id: string }
        const payload = { type: "hello-ok", protocol: 4, server: { version: "t", bootId: "b" } }
        socket.send(JSON.stringify({ type: "res", id, ok: true, payload }))
        for (const frame of ["canary-words", "[]", JSON.stringify({ type: "res", id: "h99999", ok: true })]) socket.send(frame)
      })
    })
    await withRuntime(`ws://127.0.0.1:${await listening(server)}`, async (runtime) => {
      let { session, problems } = await runtime.status()
      for (let i = 0; i < 400 && session?.counted.unknownId !== 1; i++) {
        await new Promise((resolve) => {
          setTimeout(resolve, 20)
        })
        ;({ session, problems } = await runtime.status())
      }
      assert.deepInclude(session, { state: "up", counted: { unknownFrame: 2, unknownId: 1 } })
      assert.deepInclude(session?.misread, { code: "FRAME_SHAPE", where: "session", got: "a list for a frame" })
      assert.notInclude(JSON.stringify(session), "canary-words")
      assert.deepStrictEqual(problems, [])
    })
  })

  it("a port that is taken: LISTEN_IN_USE, naming it", async () => {
    const server = createServer()
    const port = await listening(server)
    const refused = await Effect.runPromise(
      Effect.flip(Effect.scoped(EmbeddedGateway.make({ port, token: Redacted.make(token), directory: folder() })))
    )
    assert.strictEqual(refused.code, "LISTEN_IN_USE")
    assert.include(JSON.stringify(refused), String(port))
  })
})

const listening = (server: ReturnType<typeof createServer>): Promise<number> =>
  new Promise((resolve) => {
    onTestFinished(() => {
      if ("closeAllConnections" in server) (server as ReturnType<typeof createHttp>).closeAllConnections()
      server.close()
    })
    server.listen(0, "127.0.0.1", () => resolve((server.address() as AddressInfo).port))
  })

/** A journal's first line: nothing before it, so its chain begins at zero. */
const line = (json: string): string => {
  const covered = `0 1 0 0 ${json}`
  return `${Buffer.byteLength(json)} ${crc32(covered).toString(16).padStart(8, "0")} ${covered}\n`
}
