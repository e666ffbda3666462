import * as fs from "node:fs"
import * as path from "node:path"
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { challenged, connected, get, hello, RawClient, until } from "./client.ts"
import { folder, started } from "./world.ts"

const session = "agent:main:main"

describe("the handshake", () => {
  it.live("challenges at once, and greets a client with the token", () =>
    Effect.gen(function* () {
      const gateway = yield* started({ tickIntervalMs: 50 })
      const client = yield* connected(gateway.url)
      assert.strictEqual(client.frames[0]!.event, "connect.challenge")
      assert.isString(client.frames[0]!.payload.nonce)
      assert.strictEqual(client.hello.type, "hello-ok")
      assert.strictEqual(client.hello.protocol, 4)
      assert.strictEqual(client.hello.server.bootId, yield* gateway.bootId)
      assert.deepStrictEqual(client.hello.auth.scopes, ["operator.admin"])
      assert.deepStrictEqual(client.hello.policy, { maxPayload: 1_048_576, tickIntervalMs: 50 })
      yield* until(() => client.frames.filter(({ event }) => event === "tick").length >= 2, "two ticks")
      assert.deepStrictEqual(
        client.frames
          .filter(({ event }) => event === "tick")
          .slice(0, 2)
          .map(({ seq }) => seq),
        [1, 2]
      )
      assert.strictEqual(client.socket.extensions, "")
    })
  )

  it.live("refuses what it should, each with its own error and close code", () =>
    Effect.gen(function* () {
      const gateway = yield* started()
      const cases = [
        [{ auth: { token: "secret-tokem" } }, "INVALID_REQUEST", "AUTH_TOKEN_MISMATCH", 1008],
        [{ auth: { token: "" } }, "INVALID_REQUEST", "AUTH_TOKEN_MISMATCH", 1008],
        [{ auth: {} }, "INVALID_REQUEST", "AUTH_TOKEN_MISSING", 1008],
        [{ minProtocol: 5, maxProtocol: 6 }, "INVALID_REQUEST", "PROTOCOL_MISMATCH", 1002],
        [{ minProtocol: 1, maxProtocol: 3 }, "INVALID_REQUEST", "PROTOCOL_MISMATCH", 1002],
        [{ role: "node" }, "NOT_PAIRED", "DEVICE_IDENTITY_REQUIRED", 1008],
        [{ client: { id: "holdfast", mode: "backend", version: "1", platform: "linux" } }, "INVALID_REQUEST", undefined, 1008],
        [{ unheardOf: 1 }, "INVALID_REQUEST", undefined, 1008]
      ] as const
      for (const [change, code, detail, close] of cases) {
        const client = yield* challenged(gateway.url)
        const reply = yield* client.call("connect", hello(change))
        assert.strictEqual(reply.ok, false)
        assert.strictEqual(reply.error.code, code)
        assert.strictEqual(reply.error.details?.code, detail)
        assert.notInclude(JSON.stringify(reply), "secret-toke")
        assert.strictEqual((yield* client.end).code, close)
      }
    })
  )

  it.live("closes a client whose first frame is not connect, says nothing, or says too much", () =>
    Effect.gen(function* () {
      const gateway = yield* started({ handshakeMs: 300 })
      const health = JSON.stringify({ type: "req", id: "1", method: "health" })
      const first = [
        [health, 1008],
        ["not json", 1000],
        ["x".repeat(70_000), 1009],
        ["x".repeat(1_100_000), 1009]
      ] as const
      for (const [frame, code] of first) {
        const client = yield* challenged(gateway.url)
        client.socket.send(frame)
        assert.strictEqual((yield* client.end).code, code)
      }
      const silent = yield* challenged(gateway.url)
      assert.strictEqual((yield* silent.end).code, 1000)
    })
  )

  it.live("refuses every Origin with 1008, and every Host that is not this machine's own", () =>
    Effect.gen(function* () {
      const gateway = yield* started()
      for (const origin of [`http://127.0.0.1:${gateway.port}`, "null", "https://evil.example"]) {
        const client = new RawClient(gateway.url, { headers: { origin } })
        assert.deepStrictEqual(yield* client.end, { code: 1008, reason: "origin not allowed" })
        assert.deepStrictEqual(client.frames, [])
      }
      const { port } = gateway
      for (const host of ["evil.example", `127.evil.example:${port}`, "localhost", `localhost:${port + 1}`, `localhost.:${port}`]) {
        const client = new RawClient(gateway.url, { headers: { host } })
        assert.strictEqual((yield* client.end).code, 1006, host)
        const refused = { status: 421, body: { ok: false, error: "unknown host" } }
        assert.deepStrictEqual(yield* get(port, "/healthz", { headers: { host } }), refused)
      }
      for (const host of ["localhost", "127.0.0.1", "[::1]"]) {
        yield* challenged(gateway.url, { host: `${host}:${gateway.port}` })
        assert.strictEqual(((yield* get(gateway.port, "/healthz", { headers: { host: `${host}:${gateway.port}` } })) as any).status, 200)
      }
    })
  )
})

describe("requests", () => {
  it.live("injects a row a call, even when the call is the same", () =>
    Effect.gen(function* () {
      const gateway = yield* started()
      const client = yield* connected(gateway.url)
      yield* client.call("sessions.create", { key: session })
      yield* client.call("sessions.messages.subscribe", { key: session })
      const call = { sessionKey: session, message: "4 of 4", label: "holdfast run=a" }
      const first = yield* client.call("chat.inject", call)
      const second = yield* client.call("chat.inject", call)
      assert.notStrictEqual(first.payload.messageId, second.payload.messageId)

      const rows = yield* gateway.transcript(session)
      assert.deepStrictEqual(
        rows.map(({ text }) => text),
        ["[holdfast run=a]\n\n4 of 4", "[holdfast run=a]\n\n4 of 4"]
      )
      const told = client.frames.filter(({ event }) => event === "session.message")
      assert.deepStrictEqual(
        told.map(({ payload }) => payload.messageId),
        [first.payload.messageId, second.payload.messageId]
      )
      const chat = yield* client.event("chat")
      assert.strictEqual(chat.payload.runId, `inject-${first.payload.messageId}`)
      assert.strictEqual(chat.payload.state, "final")
    })
  )

  it.live("refuses what the real one refuses", () =>
    Effect.gen(function* () {
      const gateway = yield* started()
      const client = yield* connected(gateway.url)
      yield* client.call("sessions.create", { key: session })
      const refused = [
        ["chat.inject", { sessionKey: session, message: "a", idempotencyKey: "k" }],
        ["chat.inject", { sessionKey: "agent:main:other", message: "a" }],
        ["chat.inject", { sessionKey: session, message: "a", label: "x".repeat(101) }],
        ["chat.history", { sessionKey: session, limit: 0 }],
        ["chat.history", { sessionKey: session, extra: true }],
        ["sessions.create", { key: "../".repeat(200) }],
        ["chat.unheardOf", {}]
      ] as const
      for (const [method, params] of refused) {
        assert.strictEqual((yield* client.call(method, params)).error?.code, "INVALID_REQUEST", `${method} ${JSON.stringify(params)}`)
      }
      assert.deepStrictEqual(yield* gateway.transcript(session), [])
    })
  )

  it.live("takes a wake of a client that may write, says no more than that it did, and has forgotten it after a boot", () =>
    Effect.gen(function* () {
      const gateway = yield* started()
      const client = yield* challenged(gateway.url)
      yield* client.call("connect", hello({ scopes: ["operator.write"] }))
      const wake = { mode: "next-heartbeat", text: "done", sessionKey: session }
      for (let i = 0; i < 2; i++) assert.deepStrictEqual((yield* client.call("wake", wake)).payload, { ok: true })
      assert.deepStrictEqual(yield* gateway.wakes, [{ text: "done", sessionKey: session }])
      assert.strictEqual((yield* client.call("wake", { ...wake, label: "x" })).error.code, "INVALID_REQUEST")
      const reader = yield* challenged(gateway.url)
      yield* reader.call("connect", hello({ scopes: ["operator.read"] }))
      assert.strictEqual((yield* reader.call("wake", wake)).error.code, "FORBIDDEN")
      yield* gateway.control.restart(0)
      assert.deepStrictEqual(yield* gateway.wakes, [])
    })
  )

  it.live("grants a client no more than the scopes it asked for", () =>
    Effect.gen(function* () {
      const gateway = yield* started()
      const reader = yield* challenged(gateway.url)
      yield* reader.call("connect", hello({ scopes: ["operator.read"] }))
      assert.strictEqual((yield* reader.call("sessions.list")).ok, true)
      for (const method of ["chat.inject", "chat.unheardOf"]) {
        const { error } = yield* reader.call(method, { sessionKey: session, message: "a" })
        assert.deepStrictEqual([error.code, error.details], ["FORBIDDEN", { code: "MISSING_SCOPE", missingScope: "operator.admin" }])
      }
      const probe = yield* challenged(gateway.url)
      yield* probe.call("connect", hello({ client: { id: "gateway-client", mode: "cli", version: "1", platform: "linux" } }))
      assert.strictEqual((yield* probe.call("health")).ok, true)
      assert.strictEqual((yield* probe.call("status")).error.code, "FORBIDDEN")
    })
  )

  it.live("gives history in pages from the newest back, and keeps one row for one idempotency key", () =>
    Effect.gen(function* () {
      const gateway = yield* started()
      const client = yield* connected(gateway.url)
      const one = yield* client.call("sessions.create", { key: session })
      const two = yield* client.call("sessions.create", { key: session })
      assert.strictEqual(one.payload.sessionId, two.payload.sessionId)
      for (const message of ["a", "b", "c"]) yield* client.call("chat.inject", { sessionKey: session, message })
      const newest = yield* client.call("chat.history", { sessionKey: session, limit: 2 })
      assert.deepStrictEqual([texts(newest), newest.payload.hasMore, newest.payload.nextOffset], [["b", "c"], true, 2])
      const older = yield* client.call("chat.history", { sessionKey: session, limit: 2, offset: 2 })
      assert.deepStrictEqual([texts(older), older.payload.hasMore, older.payload.nextOffset], [["a"], false, undefined])

      const send = { sessionKey: session, message: "hi", idempotencyKey: "k1" }
      assert.strictEqual((yield* client.call("chat.send", send)).payload.status, "started")
      assert.strictEqual((yield* client.call("chat.send", send)).payload.status, "in_flight")
      assert.strictEqual((yield* gateway.transcript(session)).length, 4)
    })
  )
})

describe("transcripts", () => {
  it.live("are on disk before the reply, and come back with another gateway", () =>
    Effect.gen(function* () {
      const directory = yield* folder
      yield* Effect.scoped(
        Effect.gen(function* () {
          const gateway = yield* started({ directory })
          const client = yield* connected(gateway.url)
          yield* client.call("sessions.create", { key: session })
          yield* client.call("sessions.create", { key: "Agent:../x" })
          yield* client.call("chat.inject", { sessionKey: session, message: "kept" })
          assert.deepStrictEqual(fs.readdirSync(directory).toSorted(), ["%41gent%3a..%2fx.jsonl", "agent%3amain%3amain.jsonl"])
          assert.strictEqual(JSON.parse(fs.readFileSync(path.join(directory, "agent%3amain%3amain.jsonl"), "utf8")).text, "kept")
        })
      )
      fs.appendFileSync(path.join(directory, "agent%3amain%3amain.jsonl"), '{"id":"torn')
      const gateway = yield* started({ directory })
      const client = yield* connected(gateway.url)
      assert.strictEqual((yield* client.call("sessions.list")).payload.count, 2)
      yield* client.call("chat.inject", { sessionKey: session, message: "more" })
      assert.deepStrictEqual(
        (yield* gateway.transcript(session)).map(({ text }) => text),
        ["kept", "more"]
      )
      yield* gateway.control.restart(0)
      assert.deepStrictEqual(
        (yield* gateway.transcript(session)).map(({ text }) => text),
        ["kept", "more"]
      )
    })
  )

  it.live("that cannot be read stop the gateway with the line that is wrong", () =>
    Effect.gen(function* () {
      const directory = yield* folder
      fs.writeFileSync(path.join(directory, "a.jsonl"), '{"id":1}\n')
      const error = yield* Effect.flip(started({ directory }))
      assert.strictEqual(error.code, "GATEWAY_TRANSCRIPT")
      assert.include(error.where, "a.jsonl:1")
    })
  )
})

describe("the port", () => {
  it.live("that is taken is named, with what to do", () =>
    Effect.gen(function* () {
      const gateway = yield* started()
      const error = yield* Effect.flip(started({ port: gateway.port }))
      assert.strictEqual(error.code, "LISTEN_IN_USE")
      assert.include(error.where, String(gateway.port))
      assert.include(error.fix, `:${gateway.port}`)
      assert.strictEqual((yield* Effect.flip(started({ port: 65_536 }))).code, "LISTEN_PORT")
    })
  )
})

const texts = (page: any) => page.payload.messages.map((message: any) => message.content[0].text)

describe("POST /tools/invoke", () => {
  const invoke = (port: number, body: string, headers: Record<string, string> = {}) =>
    Effect.promise(async () => {
      const response = await fetch(`http://127.0.0.1:${port}/tools/invoke`, {
        method: "POST",
        body,
        headers: { authorization: "Bearer secret-token", ...headers }
      })
      return { status: response.status, body: (await response.json()) as any }
    })

  it.live("does a tool for who has the token, and denies what the real one denies", () =>
    Effect.gen(function* () {
      const { port, control, invoked } = yield* started()
      const list = JSON.stringify({ tool: "sessions_list", action: "json", args: {} })
      const done = yield* invoke(port, list)
      assert.strictEqual(done.status, 200)
      assert.deepInclude(done.body, { ok: true })
      assert.isObject(done.body.result)
      for (const tool of ["exec", "fs_read", "sessions_send", "cron", "gateway", "unheard_of"]) {
        assert.strictEqual((yield* invoke(port, JSON.stringify({ tool, args: {} }))).status, 404)
      }
      assert.strictEqual((yield* invoke(port, list, { authorization: "Bearer secret-tokem" })).status, 401)
      assert.strictEqual((yield* invoke(port, "{}")).status, 400)
      assert.deepInclude(yield* get(port, "/tools/invoke"), { status: 405 })
      assert.deepStrictEqual(yield* invoked, [{ tool: "sessions_list", action: "json", args: {} }])
      yield* control.failHttp
      assert.strictEqual((yield* invoke(port, list)).status, 503)
    })
  )
})
