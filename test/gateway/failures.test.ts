import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber } from "effect"
import { challenged, connected, dial, get, hello, RawClient, until } from "./client.ts"
import { started } from "./world.ts"

const session = "agent:main:main"
const opened = Effect.gen(function* () {
  const gateway = yield* started()
  const client = yield* connected(gateway.url)
  yield* client.call("sessions.create", { key: session })
  const texts = Effect.map(gateway.transcript(session), (rows) => rows.map(({ text }) => text))
  const inject = (message: string) => client.post("chat.inject", { sessionKey: session, message })
  return { gateway, client, inject, texts, control: gateway.control }
})
const committed = (texts: Effect.Effect<ReadonlyArray<string>>, count: number) =>
  until(() => Effect.runSync(texts).length >= count, `${count} rows`)
const healthy = { status: 200, body: { ok: true, status: "live" } }

describe("the connection", () => {
  it.live("is reset by drop, and taken anew", () =>
    Effect.gen(function* () {
      const { gateway, client, control } = yield* opened
      yield* control.drop
      assert.strictEqual((yield* client.end).code, 1006)
      const again = yield* connected(gateway.url)
      assert.strictEqual(again.hello.server.bootId, client.hello.server.bootId)
    })
  )

  it.live("is refused from refuse to accept, on the same port and in the same boot", () =>
    Effect.gen(function* () {
      const { gateway, client, control } = yield* opened
      yield* control.refuse
      assert.strictEqual((yield* client.end).code, 1006)
      assert.strictEqual(yield* dial(gateway.port), "ECONNREFUSED")
      assert.strictEqual(yield* get(gateway.port, "/healthz"), "ECONNREFUSED")
      yield* control.accept
      assert.strictEqual((yield* connected(gateway.url)).hello.server.bootId, client.hello.server.bootId)
      yield* control.dropFor(20)
      assert.deepStrictEqual(yield* get(gateway.port, "/healthz"), healthy)
    })
  )

  it.live("can lose its sessions while HTTP stays healthy", () =>
    Effect.gen(function* () {
      const { gateway, client, control } = yield* opened
      yield* control.refuseSessions
      assert.strictEqual((yield* client.end).code, 1006)
      assert.strictEqual((yield* new RawClient(gateway.url).end).code, 1006)
      assert.deepStrictEqual(yield* get(gateway.port, "/healthz"), healthy)
      assert.strictEqual(((yield* get(gateway.port, "/readyz")) as any).body.ready, true)
      yield* control.acceptSessions
      yield* connected(gateway.url)
    })
  )

  it.live("can lose HTTP while sessions go on", () =>
    Effect.gen(function* () {
      const { gateway, client, control } = yield* opened
      yield* control.failHttp
      assert.deepStrictEqual(yield* get(gateway.port, "/healthz"), { status: 503, body: { ok: false, status: "failing" } })
      yield* control.resetHttp
      assert.strictEqual(yield* get(gateway.port, "/healthz"), "ECONNRESET")
      assert.strictEqual((yield* client.call("health")).ok, true)
      yield* connected(gateway.url)
      yield* control.healHttp
      assert.deepStrictEqual(yield* get(gateway.port, "/healthz"), healthy)
    })
  )
})

describe("a hung gateway", () => {
  it.live("lets TCP connect, and says nothing on any connection, old or new", () =>
    Effect.gen(function* () {
      const { gateway, client, control } = yield* opened
      yield* control.hang
      assert.strictEqual(yield* dial(gateway.port), "open")
      const fresh = new RawClient(gateway.url)
      const before = client.frames.length
      client.socket.ping()
      client.post("health", {})
      assert.strictEqual(yield* get(gateway.port, "/healthz", { timeoutMs: 300 }), "timeout")
      assert.deepStrictEqual([client.frames.length, client.pongs, client.closed], [before, 0, undefined])
      assert.strictEqual(fresh.socket.readyState, fresh.socket.CONNECTING)

      yield* control.thaw
      yield* until(() => client.frames.length > before && client.pongs === 1, "what was asked while it hung")
      yield* fresh.event("connect.challenge")
      assert.deepStrictEqual(yield* get(gateway.port, "/healthz"), healthy)
    })
  )

  it.live("commits after the thaw what arrived while it hung, though its client is gone", () =>
    Effect.gen(function* () {
      const { gateway, client, inject, texts, control } = yield* opened
      yield* control.hang
      inject("sent into the hang")
      yield* until(() => client.socket.bufferedAmount === 0, "the frame to leave")
      client.socket.terminate()
      yield* Effect.sleep(100)
      assert.deepStrictEqual(yield* texts, [])
      yield* control.thaw
      yield* committed(texts, 1)
      assert.deepStrictEqual(yield* texts, ["sent into the hang"])
      yield* connected(gateway.url)
    })
  )

  it.live("commits after the thaw what it had read before it hung", () =>
    Effect.gen(function* () {
      const { gateway, client, inject, texts, control } = yield* opened
      yield* control.delayCommit(500)
      inject("read before the hang")
      assert.strictEqual((yield* client.call("health")).ok, true) // Read after it, so the row's frame has been read as well.
      yield* control.hang
      const other = new RawClient(gateway.url)
      yield* Effect.sleep(700)
      assert.deepStrictEqual(yield* texts, [])
      yield* control.thaw
      yield* committed(texts, 1)
      yield* other.event("connect.challenge")
    })
  )

  it.live("that is killed commits nothing of what it was sent", () =>
    Effect.gen(function* () {
      const { gateway, client, inject, texts, control } = yield* opened
      const bootId = yield* gateway.bootId
      yield* control.hang
      inject("sent into the hang")
      yield* until(() => client.socket.bufferedAmount === 0, "the frame to leave")
      yield* Effect.sleep(100)
      yield* control.restart(50)
      assert.notStrictEqual(yield* gateway.bootId, bootId)
      const again = yield* connected(gateway.url)
      assert.strictEqual((yield* again.call("health")).ok, true)
      assert.deepStrictEqual(yield* texts, [])
    })
  )
})

describe("a row", () => {
  it.live("stays when its reply is lost, as often as asked", () =>
    Effect.gen(function* () {
      const { gateway, client, inject, texts, control } = yield* opened
      yield* control.loseReplies(1)
      assert.strictEqual((yield* client.call("health")).ok, true)
      const id = inject("committed")
      assert.strictEqual((yield* client.end).code, 1006)
      assert.isUndefined(client.frames.find((frame) => frame.type === "res" && frame.id === id))
      assert.deepStrictEqual(yield* texts, ["committed"])
      const again = yield* connected(gateway.url)
      assert.strictEqual((yield* again.call("chat.inject", { sessionKey: session, message: "answered" })).ok, true)
    })
  )

  it.live("is committed late under a commit delay, while other requests are answered", () =>
    Effect.gen(function* () {
      const { client, inject, texts, control } = yield* opened
      yield* control.delayCommit(1_000)
      for (const message of ["a", "b", "c"]) inject(message)
      assert.strictEqual((yield* client.call("health")).ok, true)
      assert.deepStrictEqual(yield* texts, [])
      yield* committed(texts, 3)
      assert.deepStrictEqual(yield* texts, ["a", "b", "c"])
    })
  )
})

describe("a restart", () => {
  it.live("by drain says so first, then closes with 1012, is away, and comes back as another boot", () =>
    Effect.gen(function* () {
      const { gateway, client, inject, texts, control } = yield* opened
      inject("kept")
      yield* committed(texts, 1)
      const drain = yield* Effect.forkChild(control.drain(1_000, 1_500), { startImmediately: true })
      assert.deepStrictEqual(yield* get(gateway.port, "/healthz"), healthy)
      const ready: any = yield* get(gateway.port, "/readyz")
      assert.deepStrictEqual([ready.status, ready.body.ready, ready.body.failing], [503, false, ["gateway-draining"]])
      assert.deepStrictEqual(yield* get(gateway.port, "/startupz"), { status: 503, body: { ok: false, status: "draining" } })
      const { error } = yield* client.call("chat.inject", { sessionKey: session, message: "refused" })
      assert.deepStrictEqual(error, {
        code: "UNAVAILABLE",
        message: "gateway restarting",
        details: { reason: "gateway-restarting" },
        retryable: true,
        retryAfterMs: 1_000
      })
      assert.deepStrictEqual(yield* client.end, { code: 1012, reason: "service restart" })
      assert.strictEqual(client.frames.at(-1)!.event, "shutdown")
      assert.isString(client.frames.at(-1)!.payload.reason)
      yield* until(() => Effect.runSync(Effect.map(gateway.bootId, (id) => id !== client.hello.server.bootId)), "another boot")
      assert.strictEqual(yield* dial(gateway.port), "ECONNREFUSED")
      yield* Fiber.join(drain)
      const again = yield* connected(gateway.url)
      assert.notStrictEqual(again.hello.server.bootId, client.hello.server.bootId)
      assert.deepStrictEqual(yield* texts, ["kept"])
    })
  )

  it.live("by force loses what was not yet committed", () =>
    Effect.gen(function* () {
      const { gateway, client, inject, texts, control } = yield* opened
      yield* control.delayCommit(500)
      inject("in memory")
      yield* client.call("health")
      yield* control.restart(0)
      assert.strictEqual((yield* client.end).code, 1006)
      yield* Effect.sleep(700)
      assert.deepStrictEqual(yield* texts, [])
      assert.notStrictEqual((yield* connected(gateway.url)).hello.server.bootId, client.hello.server.bootId)
    })
  )

  it.live("that is slow listens, and turns sessions away with 1013 until it is ready", () =>
    Effect.gen(function* () {
      const { gateway, client, control } = yield* opened
      const boot = yield* Effect.forkChild(control.starting(2_000))
      yield* client.end
      yield* until(() => Effect.runSync(Effect.map(gateway.bootId, (id) => id !== client.hello.server.bootId)), "another boot")
      yield* Effect.gen(function* () {
        while ((yield* dial(gateway.port)) !== "open") yield* Effect.sleep(5)
      })
      const early = yield* challenged(gateway.url)
      const { error } = yield* early.call("connect", hello())
      assert.deepStrictEqual([error.code, error.details.reason, error.retryAfterMs], ["UNAVAILABLE", "startup-sidecars", 500])
      assert.deepStrictEqual(yield* early.end, { code: 1013, reason: "gateway starting" })
      const ready: any = yield* get(gateway.port, "/readyz")
      assert.deepStrictEqual([ready.status, ready.body.failing], [503, ["startup-sidecars"]])
      assert.deepStrictEqual(yield* get(gateway.port, "/healthz"), healthy)
      yield* Fiber.join(boot)
      assert.deepStrictEqual(((yield* get(gateway.port, "/ready")) as any).body.failing, [])
      assert.deepStrictEqual(yield* get(gateway.port, "/startupz"), { status: 200, body: { ok: true, status: "started" } })
      yield* connected(gateway.url)
    })
  )
})

describe("HTTP", () => {
  it.live("knows its five paths, and only reading", () =>
    Effect.gen(function* () {
      const { gateway } = yield* opened
      assert.deepStrictEqual(yield* get(gateway.port, "/health"), healthy)
      assert.deepStrictEqual(yield* get(gateway.port, "/healthz?verbose"), healthy)
      assert.strictEqual(((yield* get(gateway.port, "/metrics")) as any).status, 404)
      assert.strictEqual(((yield* get(gateway.port, "/../etc/passwd")) as any).status, 404)
      assert.strictEqual(((yield* get(gateway.port, "/healthz", { method: "POST" })) as any).status, 405)
    })
  )
})
