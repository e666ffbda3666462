import { createServer } from "node:http"
import { createServer as createTcp } from "node:net"
import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Exit, Fiber, Layer, Redacted, Result, Stream } from "effect"
import { TestClock } from "effect/testing"
import type { WebSocket } from "ws"
import { gatewayUrl } from "../../src/domain/GatewayUrl.ts"
import { Dial } from "../../src/layers/Dial.ts"
import * as Wire from "../../src/domain/Wire.ts"
import { type CallFailed, Session } from "../../src/layers/Session.ts"
import type { ConnectionEnd } from "../../src/machines/session.ts"
import { scriptedPeer } from "../../src/testing/ScriptedPeer.ts"
import { linked, pass } from "./linked.ts"
import { memory } from "./memoryStore.ts"
import { connected, endAt, greeting, listening, serving, sessionTo, token } from "./served.ts"

const failure = <A>(call: Effect.Effect<A, CallFailed>) => Effect.flip(call)

describe("Session", () => {
  it.live("greets by the protocol, without an Origin, and learns the boot it speaks to", () =>
    Effect.gen(function* () {
      const seen: Array<unknown> = []
      const url = yield* serving((socket, headers) => {
        seen.push(headers["origin"], headers["sec-websocket-extensions"])
        socket.on("message", (data) => seen.push((JSON.parse((data as Buffer).toString("utf8")) as Wire.Request).params))
        greeting()(socket)
      })
      const { session, bootId } = yield* connected(url)
      assert.strictEqual(bootId, "boot-a")
      assert.strictEqual((yield* session.state)._tag, "Connected")
      assert.deepStrictEqual(seen, [
        undefined,
        undefined,
        {
          minProtocol: 4,
          maxProtocol: 4,
          client: { id: "gateway-client", mode: "backend", version: "1.0.0", platform: process.platform, displayName: "holdfast" },
          role: "operator",
          scopes: ["operator.read", "operator.write", "operator.admin"],
          caps: [],
          auth: { token }
        }
      ])
    })
  )

  it.live("matches replies to calls by id, in whatever order they come, beside frames that nobody knows", () =>
    Effect.gen(function* () {
      const held: Array<Wire.Request> = []
      const url = yield* serving(
        greeting((request, socket) => {
          held.push(request)
          if (held.length < 3) return
          socket.send(Wire.event("presence", { who: "cares" }))
          socket.send("not JSON")
          socket.send(JSON.stringify({ type: "surprise", id: 7 }))
          socket.send(Wire.reply("h999", { for: "nobody" }))
          for (const { id, params } of held.toReversed()) socket.send(Wire.reply(id, { echo: params, more: "fields" }))
        })
      )
      const { session } = yield* connected(url)
      const answers = yield* Effect.all(
        [1, 2, 3].map((n) => session.call("health", { n })),
        { concurrency: "unbounded" }
      )
      assert.deepStrictEqual(
        answers.map((answer) => (answer as { readonly echo: unknown }).echo),
        [{ n: 1 }, { n: 2 }, { n: 3 }]
      )
    })
  )

  it.live("gives the refusal of a call as data", () =>
    Effect.gen(function* () {
      const url = yield* serving(
        greeting(({ id }, socket) =>
          socket.send(
            Wire.refusal(id, {
              code: "UNAVAILABLE",
              message: "draining",
              details: { reason: "gateway-restarting" },
              retryable: true,
              retryAfterMs: 1_000
            })
          )
        )
      )
      const { session } = yield* connected(url)
      const failed = yield* failure(session.call("health", {}))
      assert.deepInclude({ ...failed }, { reason: "refused", code: "UNAVAILABLE", retryable: true, retryAfterMs: 1_000, sent: true })
    })
  )

  it.live("fails what was under way when the connection ends, and what is asked after it", () =>
    Effect.gen(function* () {
      const url = yield* serving(greeting((_, socket) => socket.close(1012, "service restart")))
      const { session, end } = yield* connected(url)
      assert.deepInclude({ ...(yield* failure(session.call("health", {}))) }, { reason: "lost", sent: true })
      assert.deepInclude(yield* end, { reason: "restarting", opened: true, distance: "loopback" })
      assert.deepInclude({ ...(yield* failure(session.call("health", {}))) }, { reason: "notConnected", sent: false })
    })
  )

  it.live("gives up on a reply after the time that the caller allows", () =>
    Effect.gen(function* () {
      const url = yield* serving(greeting())
      const { session } = yield* connected(url)
      assert.deepInclude({ ...(yield* failure(session.call("health", {}, { timeoutMs: 30 }))) }, { reason: "timeout", sent: true })
    })
  )

  it.live("takes no reply to a call of an earlier connection for one of this", () =>
    Effect.gen(function* () {
      let firstId = ""
      const lines: Array<WebSocket> = []
      const url = yield* serving((socket) => {
        lines.push(socket)
        greeting((request) => {
          if (lines.length === 1) {
            firstId = request.id
            return socket.terminate()
          }
          socket.send(Wire.reply(firstId, "of the first connection"))
          socket.send(Wire.reply(request.id, "of the second"))
        })(socket)
      })
      const session = yield* sessionTo(url)
      const again = Effect.gen(function* () {
        const opened = yield* Deferred.make<void>()
        yield* Effect.forkScoped(session.connection(() => Deferred.doneUnsafe(opened, Exit.void)))
        yield* Deferred.await(opened)
      })
      yield* again
      assert.strictEqual((yield* failure(session.call("health", {}))).reason, "lost")
      yield* again
      assert.strictEqual(yield* session.call("health", {}), "of the second")
    })
  )

  it.live("refuses to send a frame that the peer would hang up on, and stays connected", () =>
    Effect.gen(function* () {
      const url = yield* serving(greeting(({ id }, socket) => socket.send(Wire.reply(id, "still here"))))
      const { session } = yield* connected(url)
      const failed = yield* failure(session.call("chat.inject", { sessionKey: "a", message: "x".repeat(Wire.frameMax) }))
      assert.deepInclude({ ...failed }, { reason: "refused", code: "FRAME_TOO_LARGE", sent: false })
      assert.strictEqual(yield* session.call("health", {}), "still here")
    })
  )

  it.live("ends the connection at a frame of more than a mebibyte", () =>
    Effect.gen(function* () {
      const url = yield* serving(greeting((_, socket) => socket.send("x".repeat(Wire.frameMax + 1))))
      const { session, end } = yield* connected(url)
      yield* failure(session.call("health", {}))
      const { reason, detail } = yield* end
      assert.strictEqual(reason, "closed")
      assert.include(detail, "1009")
    })
  )

  it.live("hands events on, and keeps ticks to itself", () =>
    Effect.gen(function* () {
      const url = yield* serving(
        greeting(({ id }, socket) => {
          socket.send(Wire.event("tick", { ts: 1 }))
          socket.send(Wire.event("session.message", { sessionKey: "agent:main:main" }, 1))
          socket.send(Wire.reply(id, {}))
        })
      )
      const { session } = yield* connected(url)
      const first = yield* Effect.forkScoped(Stream.runHead(session.events), { startImmediately: true })
      yield* session.call("health", {})
      const event = yield* Fiber.join(first)
      assert.strictEqual(event._tag === "Some" ? event.value.event : "none", "session.message")
    })
  )

  it.effect("a refusal that comes after five seconds, as for a token that was wrong before, is a refusal", () =>
    Effect.gen(function* () {
      const refused = Wire.refusal("connect", { code: "INVALID_REQUEST", message: "", details: { code: "AUTH_TOKEN_MISMATCH" } })
      const end = yield* endOver(lineThat(Effect.delay(Effect.succeed(refused), "5100 millis")))
      yield* TestClock.adjust("6 seconds")
      assert.strictEqual((yield* Fiber.join(end)).reason, "unauthorized")
    })
  )

  it.effect("a peer that never answers the greeting is silent after ten seconds", () =>
    Effect.gen(function* () {
      const end = yield* endOver(lineThat(Effect.never))
      yield* TestClock.adjust("9 seconds")
      assert.isUndefined(end.pollUnsafe())
      yield* TestClock.adjust("2 seconds")
      assert.strictEqual((yield* Fiber.join(end)).reason, "silent")
    })
  )

  it.live("leaves no socket behind when it is told to stop", () =>
    Effect.gen(function* () {
      let closed = false
      const url = yield* serving((socket) => {
        socket.on("close", () => {
          closed = true
        })
        greeting()(socket)
      })
      const { session, hangUp } = yield* connected(url)
      yield* hangUp
      assert.strictEqual((yield* session.state)._tag, "NotConnected")
      for (let i = 0; i < 200 && !closed; i++) yield* Effect.sleep(10)
      assert.isTrue(closed)
    })
  )

  it.live("never shows the token, not even when the peer repeats it", () =>
    Effect.gen(function* () {
      const url = yield* serving((socket) => {
        socket.send(Wire.event("connect.challenge", { nonce: "n", ts: 1 }))
        socket.on("message", () => {
          socket.send(Wire.refusal("connect", { code: "INVALID_REQUEST", message: `bad token ${token}\u001b[31m` }))
          socket.close(1008, token)
        })
      })
      const end = yield* endAt(url)
      assert.strictEqual(end.reason, "unauthorized")
      assert.notInclude(JSON.stringify(end), token)
      assert.notInclude(end.detail, "\u001b")
    })
  )
})

describe("Session over a scripted peer", () => {
  it.effect("is slow while pongs come late, and goes on; it is lost when none comes in time", () =>
    Effect.gen(function* () {
      const peer = yield* scriptedPeer
      const world = yield* linked(peer, memory())
      const state = () => JSON.stringify(world.child("session").value)
      yield* pass(2_000)
      assert.include(state(), "prompt")
      peer.pongAfter(900)
      yield* pass(2_000)
      assert.include(state(), "slow")
      yield* pass(10_000)
      assert.include(state(), "slow")
      assert.strictEqual(world.mode(), "connected")
      peer.pongAfter(0)
      yield* pass(3_000)
      assert.include(state(), "prompt")
      assert.strictEqual(peer.lines().ever, 1)
      yield* peer.hang
      yield* pass(4_600)
      assert.strictEqual(world.child("session").context.end?.problem, "GATEWAY_SILENT")
      assert.strictEqual(world.mode(), "degraded.sessionLost")
    })
  )
})

/** A line whose peer challenges at once; `answer` is its frame after that. */
const lineThat = (answer: Effect.Effect<string>): Layer.Layer<Dial> => {
  const frames = [Effect.succeed(Wire.event("connect.challenge", { nonce: "n", ts: 1 })), answer]
  const take = Effect.suspend(() => frames.shift() ?? Effect.never)
  return Layer.succeed(Dial, { connect: () => Effect.succeed({ take, send: () => Effect.void, ping: Effect.void }) })
}

/** The end of the one connection that such a line comes to, under way. */
const endOver = Effect.fnUntraced(function* (dial: Layer.Layer<Dial>) {
  const url = Result.getOrThrow(gatewayUrl("ws://localhost:3019"))
  const services = yield* Layer.build(Session.layer({ url, token: Redacted.make(token), version: "1.0.0" }).pipe(Layer.provide(dial)))
  const connection = Effect.provide(
    Session.use((session) => session.connection(() => {})),
    services
  )
  return yield* Effect.forkScoped(connection, { startImmediately: true })
})

/** Ways in which a connection comes to nothing, each with the reason it is known by. */
const ends: ReadonlyArray<readonly [string, (socket: WebSocket) => void, Partial<ConnectionEnd>]> = [
  [
    "a wrong token: refused, then 1008",
    (socket) => {
      socket.send(Wire.event("connect.challenge", { nonce: "n", ts: 1 }))
      socket.on("message", () => {
        socket.send(Wire.refusal("connect", { code: "INVALID_REQUEST", message: "unauthorized", details: { code: "AUTH_TOKEN_MISMATCH" } }))
        socket.close(1008)
      })
    },
    { reason: "unauthorized" }
  ],
  [
    "a close with 1008 and no word",
    (socket) => {
      socket.close(1008)
    },
    { reason: "unauthorized" }
  ],
  [
    "pairing wanted",
    (socket) => {
      socket.send(Wire.event("connect.challenge", { nonce: "n", ts: 1 }))
      socket.on("message", () =>
        socket.send(Wire.refusal("connect", { code: "NOT_PAIRED", message: "", details: { code: "DEVICE_IDENTITY_REQUIRED" } }))
      )
    },
    { reason: "unauthorized" }
  ],
  ["fewer scopes than asked for", greeting(() => {}, { auth: { scopes: ["operator.read"] } }), { reason: "unauthorized" }],
  [
    "another protocol, refused, then 1002",
    (socket) => {
      socket.send(Wire.event("connect.challenge", { nonce: "n", ts: 1 }))
      socket.on("message", () => {
        socket.send(
          Wire.refusal("connect", { code: "INVALID_REQUEST", message: "", details: { code: "PROTOCOL_MISMATCH", expectedProtocol: 5 } })
        )
        socket.close(1002)
      })
    },
    { reason: "wrongProtocol" }
  ],
  ["a hello of another protocol", greeting(() => {}, { protocol: 5 }), { reason: "wrongProtocol" }],
  [
    "a gateway that is starting",
    (socket) => {
      socket.send(Wire.event("connect.challenge", { nonce: "n", ts: 1 }))
      socket.on("message", () => {
        socket.send(
          Wire.refusal("connect", {
            code: "UNAVAILABLE",
            message: "gateway starting",
            details: { reason: "startup-sidecars" },
            retryable: true,
            retryAfterMs: 500
          })
        )
        socket.close(1013, "gateway starting")
      })
    },
    { reason: "starting", retryAfterMs: 500 }
  ],
  [
    "a gateway that is draining",
    (socket) => {
      socket.send(Wire.event("connect.challenge", { nonce: "n", ts: 1 }))
      socket.on("message", () =>
        socket.send(Wire.refusal("connect", { code: "UNAVAILABLE", message: "", details: { reason: "gateway-restarting" } }))
      )
    },
    { reason: "restarting" }
  ],
  [
    "a WebSocket that is not a gateway's",
    (socket) => {
      socket.send("hello!")
    },
    { reason: "notAGateway" }
  ],
  [
    "a connection cut in the middle of the greeting",
    (socket) => {
      socket.terminate()
    },
    { reason: "reset" }
  ]
]

describe("Session knows the reason of an end:", () => {
  for (const [name, onLine, expected] of ends) {
    it.live(name, () =>
      Effect.gen(function* () {
        assert.deepInclude(yield* endAt(yield* serving(onLine)), { ...expected, opened: false })
      })
    )
  }

  it.live("nobody listens", () =>
    Effect.gen(function* () {
      const http = createServer()
      const url = yield* listening(http)
      yield* Effect.callback<void>((resume) => {
        http.close(() => resume(Effect.void))
      })
      assert.strictEqual((yield* endAt(url)).reason, "refused")
    })
  )

  for (const [status, reason] of [
    [200, "notAGateway"],
    [302, "notAGateway"],
    [401, "unauthorized"],
    [403, "unauthorized"],
    [503, "starting"]
  ] as const) {
    it.live(`an HTTP ${status} where an upgrade was asked for`, () =>
      Effect.gen(function* () {
        let asked = 0
        const http = createServer()
        http.on("upgrade", (_, socket) => {
          asked += 1
          socket.end(
            `HTTP/1.1 ${status} Whatever\r\nlocation: ws://127.0.0.1:1/\r\nretry-after: 2\r\ncontent-type: text/html\r\ncontent-length: 13\r\n\r\n<html></html>`
          )
        })
        yield* Effect.addFinalizer(() =>
          Effect.sync(() => {
            http.close()
          })
        )
        const end = yield* endAt(yield* listening(http))
        assert.strictEqual(end.reason, reason)
        assert.strictEqual(end.retryAfterMs, status === 503 ? 2_000 : undefined)
        assert.strictEqual(asked, 1)
      })
    )
  }

  it.live("garbage instead of HTTP", () =>
    Effect.gen(function* () {
      const garbage = createTcp((socket) => {
        socket.end("\u0000\u0001garbage\r\n\r\n")
      })
      yield* Effect.addFinalizer(() =>
        Effect.sync(() => {
          garbage.close()
        })
      )
      assert.strictEqual((yield* endAt(yield* listening(garbage))).reason, "notAGateway")
    })
  )
})

describe("gatewayUrl", () => {
  const code = (text: string) => Result.match(gatewayUrl(text), { onSuccess: ({ distance }) => distance, onFailure: (error) => error.code })
  it("takes ws:// for this machine only, literally, and wss:// for any other", () => {
    for (const text of ["ws://localhost:3019", "ws://127.0.0.1:1", "ws://[::1]:1", "wss://localhost"])
      assert.strictEqual(code(text), "loopback")
    assert.strictEqual(code("wss://gateway.example:443/x"), "remote")
    for (const text of [
      "ws://gateway.example",
      "ws://127.evil.example",
      "ws://localhost.evil.example",
      "ws://0.0.0.0:1",
      "http://localhost",
      "file:///etc",
      "javascript:1",
      "localhost:3019",
      "",
      " ws://localhost",
      "ws://"
    ])
      assert.strictEqual(code(text), "GATEWAY_URL", text)
  })
  it("refuses credentials, a query and a fragment without repeating them", () => {
    for (const text of [
      "ws://user:hunter2@localhost",
      "ws://localhost/?token=hunter2",
      "ws://localhost/#hunter2",
      "not a url ?hunter2",
      "ws://localhost@evil.example"
    ]) {
      assert.strictEqual(code(text), "GATEWAY_URL_CREDENTIALS")
      assert.notInclude(JSON.stringify(Result.getOrThrow(Result.flip(gatewayUrl(text)))), "hunter2")
    }
  })
  it("derives the address of the probes", () => {
    assert.deepStrictEqual(Result.getOrThrow(gatewayUrl("ws://localhost:3019")), {
      ws: "ws://localhost:3019/",
      readyz: "http://localhost:3019/readyz",
      hooksWake: "http://localhost:3019/hooks/wake",
      distance: "loopback"
    })
    assert.strictEqual(Result.getOrThrow(gatewayUrl("wss://gateway.example")).readyz, "https://gateway.example/readyz")
  })
})
