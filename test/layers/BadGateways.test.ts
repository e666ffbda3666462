/** Gateways that break the rules, one by one: the exact code, what is said of it, and how soon. */
import { createHash } from "node:crypto"
import { readFileSync } from "node:fs"
import { createServer as createTls } from "node:https"
import { createServer as createTcp, type Socket } from "node:net"
import { monitorEventLoopDelay } from "node:perf_hooks"
import { getCACertificates, setDefaultCACertificates } from "node:tls"
import { Worker } from "node:worker_threads"
import { assert, describe, it } from "@effect/vitest"
import { Clock, Effect, Redacted, Result } from "effect"
import { type WebSocket, WebSocketServer } from "ws"
import { type GatewayUrl, gatewayUrl } from "../../src/domain/GatewayUrl.ts"
import { linkProblem } from "../../src/domain/LinkProblem.ts"
import * as Wire from "../../src/domain/Wire.ts"
import { Gateway } from "../../src/layers/Gateway.ts"
import type { ConnectionEnd } from "../../src/machines/session.ts"
import { faultyProxy } from "../../src/testing/FaultyProxy.ts"
import { connected, endAt, greeting, listening, serving, sessionTo, token } from "./served.ts"

/** A server of bytes: what it does with a connection, and with the first that it hears there. */
const saying = Effect.fnUntraced(function* (
  answer: (socket: Socket, heard: string) => void,
  accepted: (socket: Socket) => void = () => {}
) {
  const sockets = new Set<Socket>()
  const server = createTcp((socket) => {
    sockets.add(socket.on("error", () => {}))
    accepted(socket)
    socket.once("data", (heard) => answer(socket, String(heard)))
  })
  yield* Effect.addFinalizer(() =>
    Effect.sync(() => {
      for (const socket of sockets) socket.destroy()
      server.close()
    })
  )
  return yield* listening(server)
})

const http = (status: string, headers: string, body: string) => (socket: Socket) =>
  void socket.end(`HTTP/1.1 ${status}\r\n${headers}content-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`)
const acceptOf = (heard: string) =>
  createHash("sha1")
    .update(`${/sec-websocket-key: (\S+)/i.exec(heard)?.[1]}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`)
    .digest("base64")
const upgrade = (headers: string, accept?: string) => (socket: Socket, heard: string) =>
  void socket.write(
    `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n` +
      `Sec-WebSocket-Accept: ${accept ?? acceptOf(heard)}\r\n${headers}\r\n`
  )
const first = (frame: string | Buffer) => (socket: WebSocket) => socket.send(frame)
const challenge = Wire.event("connect.challenge", { nonce: "n", ts: 1 })
const page = `<!doctype html>\n<title>\u001b[31mRouter</title>${" please log in".repeat(20)}`

type Serving = ReturnType<typeof serving>
const bad: ReadonlyArray<readonly [string, () => Serving, string | undefined, string, string, number?]> = [
  [
    "a redirect",
    () => saying(http("302 Found", "location: ws://user:hunter2@127.0.0.1:9/x?t=1\r\n", "")),
    "GATEWAY_REDIRECT",
    "notAGateway",
    "HTTP 302 to ws://127.0.0.1:9"
  ],
  ["a redirect without a place", () => saying(http("307 Go", "", "")), "GATEWAY_REDIRECT", "notAGateway", "HTTP 307 to a path of its own"],
  ["401", () => saying(http("401 No", "", "")), "GATEWAY_AUTH", "unauthorized", "HTTP 401"],
  ["403", () => saying(http("403 No", "", "")), "GATEWAY_AUTH", "unauthorized", "HTTP 403"],
  ["429", () => saying(http("429 Slow down", "retry-after: 120\r\n", "")), undefined, "limited", "HTTP 429", 120_000],
  ["502, from a proxy", () => saying(http("502 Bad gateway", "", page)), undefined, "refused", "HTTP 502: nobody answers behind a proxy"],
  ["503", () => saying(http("503 Wait", "retry-after: 2\r\n", "")), undefined, "starting", "HTTP 503", 2_000],
  [
    "a page",
    () => saying(http("200 OK", "", page)),
    "GATEWAY_NOT_WEBSOCKET",
    "notAGateway",
    `HTTP 200: ${page.slice(0, 80).replace("\n", "\\u000a").replace("\u001b", "\\u001b")}`
  ],
  [
    "a page that never comes",
    () => saying((socket) => void socket.write("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n<htm")),
    "GATEWAY_NOT_WEBSOCKET",
    "notAGateway",
    "HTTP 200: <htm"
  ],
  [
    "a wrong Sec-WebSocket-Accept",
    () => saying(upgrade("", "bm8=")),
    "GATEWAY_PROTOCOL",
    "notAGateway",
    "Invalid Sec-WebSocket-Accept header"
  ],
  [
    "a subprotocol that nobody asked for",
    () => saying(upgrade("Sec-WebSocket-Protocol: chat\r\n")),
    "GATEWAY_PROTOCOL",
    "notAGateway",
    "Server sent a subprotocol but none was requested"
  ],
  [
    "compression that nobody asked for",
    () => saying(upgrade("Sec-WebSocket-Extensions: permessage-deflate\r\n")),
    "GATEWAY_PROTOCOL",
    "notAGateway",
    "Server sent a Sec-WebSocket-Extensions header but no extension was requested"
  ],
  [
    "garbage",
    () => saying((socket) => void socket.end("\u0000\u0001garbage\r\n\r\n")),
    "GATEWAY_PROTOCOL",
    "notAGateway",
    "HPE_INVALID_CONSTANT"
  ],
  [
    "an older version",
    () => serving(greeting(() => {}, { protocol: 3 })),
    "GATEWAY_VERSION",
    "wrongProtocol",
    "it speaks version 3, we speak 4"
  ],
  [
    "a newer version, of another shape",
    () => serving(greeting(() => {}, { protocol: 5, server: 1 })),
    "GATEWAY_VERSION",
    "wrongProtocol",
    "it speaks version 5, we speak 4"
  ],
  [
    "a hello of another shape",
    () => serving(greeting(() => {}, { server: {} })),
    "FRAME_SHAPE",
    "wrongProtocol",
    "its hello is not one we know"
  ],
  ["words first", () => serving(first("hello!")), "FRAME_SYNTAX", "notAGateway", "its first frame: 6 characters that are not JSON"],
  ["bytes first", () => serving(first(Buffer.of(1, 2))), "FRAME_SYNTAX", "notAGateway", "its first frame: a binary frame"],
  ["nothing first", () => serving(first("")), "FRAME_SYNTAX", "notAGateway", "its first frame: an empty frame"],
  [
    "JSON of somebody else first",
    () => serving(first(`{"jsonrpc":"2.0"}`)),
    "FRAME_SHAPE",
    "notAGateway",
    "its first frame: nothing at type"
  ],
  [
    "an event too early",
    () => serving(first(Wire.event("tick", { ts: 1 }))),
    "GATEWAY_PROTOCOL",
    "notAGateway",
    "its first frame was not connect.challenge"
  ],
  ["1002 at once", () => serving((socket) => socket.close(1002)), "GATEWAY_VERSION", "wrongProtocol", "closed with 1002"],
  ["1008 at once", () => serving((socket) => socket.close(1008)), "GATEWAY_AUTH", "unauthorized", "closed with 1008"],
  [
    "TLS that is none",
    () => Effect.map(saying(http("400 Bad", "", "")), (url) => Result.getOrThrow(gatewayUrl(url.ws.replace(/^ws:/, "wss:")))),
    "GATEWAY_TLS",
    "untrusted",
    "what answers there does not speak TLS (EPROTO)"
  ]
]

describe("a gateway that cannot be used is known by its code:", () => {
  for (const [name, make, problem, reason, detail, retryAfterMs] of bad) {
    it.live(name, () =>
      Effect.gen(function* () {
        const end = yield* endAt(yield* make())
        assert.deepInclude(end, { problem, reason, retryAfterMs, opened: false } as Partial<ConnectionEnd>)
        assert.include(end.detail, detail)
        assert.notInclude(JSON.stringify(end), "hunter2")
        if (problem !== undefined) assert.include(linkProblem("session", end.problem!, end.detail).got, detail.slice(0, 100))
      })
    )
  }

  it.live("429 with a date", () =>
    Effect.gen(function* () {
      const date = new Date((yield* Clock.currentTimeMillis) + 90_000).toUTCString()
      const { retryAfterMs } = yield* endAt(yield* saying(http("429 Slow down", `retry-after: ${date}\r\n`, "")))
      assert.isAbove(retryAfterMs!, 60_000)
      assert.isAtMost(retryAfterMs!, 90_000)
    })
  )
})

const tls = (name: string) => readFileSync(new URL(`../fixtures/tls/${name}`, import.meta.url))

describe("a certificate", () => {
  setDefaultCACertificates([...getCACertificates("default"), tls("ca.pem").toString()])
  const servingTls = Effect.fnUntraced(function* (cert: string) {
    const heard: Array<unknown> = []
    const server = createTls({ key: tls("leaf.key"), cert: tls(cert) }, (_, response) => void response.end(JSON.stringify({ ready: true })))
    server.on("upgrade", (request) => heard.push(request.url))
    new WebSocketServer({ server }).on("connection", greeting())
    yield* Effect.addFinalizer(() =>
      Effect.sync(() => {
        server.close()
        server.closeAllConnections()
      })
    )
    const { ws } = yield* listening(server)
    return { heard, url: Result.getOrThrow(gatewayUrl(ws.replace("ws://127.0.0.1", "wss://localhost"))) }
  })

  for (const [cert, words] of [
    ["expired.pem", "its certificate has expired (CERT_HAS_EXPIRED)"],
    ["selfSigned.pem", "its certificate is self-signed (DEPTH_ZERO_SELF_SIGNED_CERT)"],
    ["wrongHost.pem", "its certificate is for another host (ERR_TLS_CERT_ALTNAME_INVALID)"]
  ] as const) {
    it.live(`that is no good is GATEWAY_TLS, for session and gateway, and nothing is sent: ${words}`, () =>
      Effect.gen(function* () {
        const { heard, url } = yield* servingTls(cert)
        const expected = { reason: "untrusted", problem: "GATEWAY_TLS", detail: words } as const
        assert.deepInclude(yield* endAt(url), expected)
        assert.deepInclude(
          yield* Effect.provide(
            Gateway.use((gateway) => gateway.probe),
            Gateway.layer(url)
          ),
          expected
        )
        assert.deepStrictEqual(heard, [])
        assert.notMatch(linkProblem("session", "GATEWAY_TLS", words).fix, /REJECT|ignore|insecure/i)
      })
    )
  }

  it.live("that is right is taken", () =>
    Effect.gen(function* () {
      const { url } = yield* servingTls("right.pem")
      assert.strictEqual((yield* connected(url)).bootId, "boot-a")
    })
  )
})

const deep = (levels: number) => `{"type":"event","event":"e","payload":${"[".repeat(levels - 1)}${"]".repeat(levels - 1)}}`
const odd: ReadonlyArray<readonly [string, string | Buffer, string, string]> = [
  ["words", "not JSON", "FRAME_SYNTAX", "8 characters that are not JSON"],
  ["half of one", `{"type":"event","ev`, "FRAME_SYNTAX", "19 characters that are not JSON"],
  ["an empty one", "", "FRAME_SYNTAX", "an empty frame"],
  ["a binary one", Buffer.from(Wire.event("tick", { ts: 1 })), "FRAME_SYNTAX", "a binary frame"],
  ["a list", "[]", "FRAME_SHAPE", "a list for a frame"],
  ["one without a type", `{"event":"tick"}`, "FRAME_SHAPE", "nothing at type"],
  ["one of an unknown type", `{"type":"surprise","id":7}`, "FRAME_SHAPE", "a string at type"],
  ["an id that is an object", `{"type":"res","id":{"a":1},"ok":true}`, "FRAME_SHAPE", "an object at id"],
  ["an answer that is neither good nor bad", `{"type":"res","id":"h1","ok":1}`, "FRAME_SHAPE", "a number at ok"],
  ["a refusal without a code", `{"type":"res","id":"h1","ok":false,"error":{"message":""}}`, "FRAME_SHAPE", "nothing at error.code"],
  ["1e400", `{"type":"event","event":"e","seq":1e400}`, "FRAME_SHAPE", "a number without end at seq"],
  ["65 levels", deep(65), "FRAME_TOO_DEEP", "more than 64 levels"],
  ["10,000 levels", deep(10_000), "FRAME_TOO_DEEP", "more than 64 levels"]
]

describe("a frame that is not understood is counted, and the session goes on:", () => {
  for (const [name, frame, code, got] of odd) {
    it.live(name, () =>
      Effect.gen(function* () {
        const url = yield* serving(
          greeting(({ id }, socket) => {
            socket.send(frame)
            socket.send(Wire.reply(id, "well"))
          })
        )
        const { session } = yield* connected(url)
        assert.strictEqual(yield* session.call("health", {}), "well")
        const { counted, misread } = yield* session.oddities
        assert.strictEqual(counted.unknownFrame, 1)
        assert.deepInclude(misread, { code, where: "session", got })
      })
    )
  }

  it.live("64 levels, and brackets in a text, are understood", () =>
    Effect.gen(function* () {
      const url = yield* serving(
        greeting(({ id }, socket) => {
          socket.send(deep(64))
          socket.send(Wire.event("e", `\\"${"[".repeat(1_000)}`))
          socket.send(Wire.reply(id, "well"))
        })
      )
      const { session } = yield* connected(url)
      yield* session.call("health", {})
      assert.strictEqual((yield* session.oddities).counted.unknownFrame, 0)
    })
  )

  it.live("answers to nobody, twice, too late; requests; another address; missed events", () =>
    Effect.gen(function* () {
      let late = ""
      const url = yield* serving((socket) =>
        greeting(({ id, method }) => {
          if (method === "chat.history") {
            late = id
            return
          }
          for (const other of ["h999", "connect", "h0", "nobody"]) socket.send(Wire.reply(other, {}))
          socket.send(Wire.reply(late, "late"))
          socket.send(Wire.request("s1", "node.invoke", {}))
          socket.send(Wire.event("gateway.redirect", { url: "ws://127.0.0.1:1/" }, 1))
          socket.send(Wire.event("tick", { ts: 1 }, 2))
          socket.send(Wire.event("presence", {}, 5))
          socket.send(Wire.reply(id, "first"))
          socket.send(Wire.reply(id, "second"))
        })(socket)
      )
      const { session } = yield* connected(url)
      const failed = yield* Effect.flip(session.call("chat.history", {}, { timeoutMs: 20 }))
      assert.deepInclude({ ...failed }, { reason: "timeout", code: "GATEWAY_TIMEOUT" })
      assert.strictEqual(yield* session.call("health", {}), "first")
      let { counted } = yield* session.oddities
      for (let i = 0; i < 200 && counted.lateAnswer < 2; i++) {
        yield* Effect.sleep(5)
        ;({ counted } = yield* session.oddities)
      }
      assert.deepStrictEqual(counted, { unknownId: 4, lateAnswer: 2, unknownFrame: 1, redirectAsked: 1, missedEvents: 1, flood: 0 })
    })
  )

  it.live("a clock ten minutes off is said, with the difference, and ends nothing", () =>
    Effect.gen(function* () {
      for (const [minutes, words] of [
        [10, /^the gateway's clock is (600|599) s ahead$/],
        [-10, /^the gateway's clock is (600|601) s behind$/]
      ] as const) {
        const now = yield* Clock.currentTimeMillis
        const url = yield* serving((socket) => {
          const send = socket.send.bind(socket)
          socket.send = (frame: any) => send(String(frame).replace(`"ts":1}`, `"ts":${now + minutes * 60_000}}`))
          greeting(({ id }) => socket.send(Wire.reply(id, {})))(socket)
        })
        const { session } = yield* connected(url)
        const { skew } = yield* session.oddities
        assert.strictEqual(skew?.code, "GATEWAY_CLOCK_SKEW")
        assert.match(skew!.got, words)
        yield* session.call("health", {})
      }
    })
  )
})

/** Bytes on an open WebSocket that no WebSocket should carry. */
const broken: ReadonlyArray<readonly [string, Buffer, string, string]> = [
  ["text that is not UTF-8", Buffer.of(0x81, 2, 0xc3, 0x28), "FRAME_SYNTAX", "not UTF-8"],
  ["a frame that says it has 5 MiB", Buffer.of(0x81, 127, 0, 0, 0, 0, 0, 0x50, 0, 0), "FRAME_TOO_LARGE", "closed with 1009"],
  ["a compressed frame", Buffer.of(0xc1, 2, 1, 2), "GATEWAY_PROTOCOL", "RSV1"],
  ["a masked frame", Buffer.of(0x81, 0x82, 1, 2, 3, 4, 5, 6), "GATEWAY_PROTOCOL", "MASK must be clear"]
]

describe("a connection ends by its code at", () => {
  for (const [name, bytes, problem, words] of broken) {
    it.live(name, () =>
      Effect.gen(function* () {
        const url = yield* serving(greeting((_, socket) => void (socket as unknown as { _socket: Socket })._socket.write(bytes)))
        const { session, end } = yield* connected(url)
        yield* Effect.flip(session.call("health", {}))
        const ended = yield* end
        assert.deepInclude(ended, { reason: "closed", problem, opened: true } as Partial<ConnectionEnd>)
        assert.include(ended.detail, words)
      })
    )
  }

  it.live("a shutdown that was announced: restarting, for as long as it said", () =>
    Effect.gen(function* () {
      for (const leave of [(socket: WebSocket) => socket.close(1012), (socket: WebSocket) => socket.terminate()]) {
        const url = yield* serving(
          greeting((_, socket) => {
            socket.send(Wire.event("shutdown", { reason: "gateway restarting", restartExpectedMs: 1_500 }))
            setImmediate(() => leave(socket))
          })
        )
        const { session, end } = yield* connected(url)
        yield* Effect.flip(session.call("health", {}))
        assert.deepInclude(yield* end, { reason: "restarting", retryAfterMs: 1_500, problem: undefined } as Partial<ConnectionEnd>)
      }
    })
  )
})

describe("a token", () => {
  it.live("that was corrected is used by the next try, without a restart; one that cannot be read leaves the last one", () =>
    Effect.gen(function* () {
      const given: Array<unknown> = []
      const url = yield* serving((socket) => {
        const send = socket.send.bind(socket)
        socket.once("message", (data: Buffer) => {
          const { auth } = (JSON.parse(data.toString()) as { params: Wire.ConnectParams }).params
          given.push(auth?.token)
          if (auth?.token !== token) socket.send = () => send(Wire.refusal("connect", { code: "INVALID_REQUEST", message: "unauthorized" }))
        })
        greeting(({ id }, line) => line.send(Wire.refusal(id, { code: "INVALID_REQUEST", message: `not ${token}!` })))(socket)
      })
      const answers = [
        Effect.fail({ code: "SECRET_MISSING", where: "gateway.tokenFile", got: "gone", want: "", fix: "" }),
        Effect.succeed(Redacted.make(token))
      ]
      let asked = 0
      const session = yield* sessionTo(url, {
        token: Redacted.make("wrong"),
        tokenAgain: Effect.suspend(() => answers[asked++]!)
      })
      assert.deepInclude(yield* session.connection(() => {}), { reason: "unauthorized", problem: "GATEWAY_AUTH" } as Partial<ConnectionEnd>)
      assert.strictEqual((yield* session.connection(() => {})).reason, "unauthorized")
      let opened = false
      yield* Effect.raceFirst(
        session.connection(() => {
          opened = true
        }),
        Effect.gen(function* () {
          for (let i = 0; i < 500 && !opened; i++) yield* Effect.sleep(10)
          assert.strictEqual((yield* Effect.flip(session.call("health", {}))).detail, "not (token)!")
        })
      )
      assert.isTrue(opened)
      assert.deepStrictEqual(given, ["wrong", "wrong", token])
      assert.strictEqual(asked, 2)
    })
  )
})

/** A gateway in a thread of its own that greets, and then sends as many tiny frames as it can. */
const flooding = Effect.acquireRelease(
  Effect.callback<{ readonly worker: Worker; readonly url: GatewayUrl }>((resume) => {
    const worker = new Worker(new URL("./flood.ts", import.meta.url))
    worker.once("message", (port: number) =>
      resume(Effect.succeed({ worker, url: Result.getOrThrow(gatewayUrl(`ws://127.0.0.1:${port}`)) }))
    )
  }),
  ({ worker }) => Effect.promise(() => worker.terminate())
)

/** Connected through a proxy that can be made bad. */
const proxied = Effect.fnUntraced(function* (server: Effect.Effect<{ readonly ws: string }, never, import("effect").Scope.Scope>) {
  const { ws } = yield* server
  const proxy = yield* faultyProxy(Number(new URL(ws).port))
  return { proxy, url: Result.getOrThrow(gatewayUrl(`ws://127.0.0.1:${proxy.port}`)) }
})
const echoing = () => serving(greeting(({ id, params }, socket) => socket.send(Wire.reply(id, params))))

describe("over a bad network", () => {
  for (const fault of [{ kind: "latency", ms: 20 }, { kind: "slices" }] as const) {
    it.live(`calls are answered: ${fault.kind}`, () =>
      Effect.gen(function* () {
        const { proxy, url } = yield* proxied(echoing())
        proxy.inject(fault)
        const { session } = yield* connected(url)
        assert.deepStrictEqual(yield* session.call("health", { word: "ä😀" }), { word: "ä😀" })
        assert.deepStrictEqual(
          Object.values((yield* session.oddities).counted).filter((count) => count > 0),
          []
        )
      })
    )
  }

  it.live("a reset in the middle of a frame: reset, and what was asked is lost", () =>
    Effect.gen(function* () {
      const { proxy, url } = yield* proxied(echoing())
      const { session, end } = yield* connected(url)
      proxy.inject({ kind: "reset", afterBytes: 10 })
      assert.deepInclude({ ...(yield* Effect.flip(session.call("health", { long: "x".repeat(1_000) }))) }, { reason: "lost", sent: true })
      assert.strictEqual((yield* end).reason, "reset")
    })
  )

  it.live("bits that are turned over: a wrong frame, or an end that has a reason; never a crash", () =>
    Effect.gen(function* () {
      const { proxy, url } = yield* proxied(echoing())
      let noticed = 0
      for (const every of [3, 7, 11, 29, 50, 90]) {
        proxy.inject(undefined)
        const { session, end, hangUp } = yield* connected(url)
        proxy.inject({ kind: "flips", every })
        const calls = Effect.forEach([1, 2, 3, 4], (n) => Effect.ignore(session.call("health", { n }, { timeoutMs: 50 })))
        const ended = yield* Effect.raceFirst(end, Effect.as(calls, undefined))
        if (ended !== undefined) assert.isTrue(ended.problem !== undefined || ended.reason === "reset", JSON.stringify(ended))
        const { counted } = yield* session.oddities
        if (ended !== undefined || counted.unknownFrame + counted.unknownId > 0) noticed += 1
        yield* hangUp
      }
      assert.isAtLeast(noticed, 4)
    })
  )
})

/** These wait for seconds, so they do it together. */
describe.concurrent("at the deadline", () => {
  it.live("a flood of frames is FRAME_FLOOD: read at a bounded rate, with a bounded queue, and the event loop stays free", () =>
    Effect.gen(function* () {
      const { worker, url } = yield* flooding
      const sent = () =>
        Effect.callback<number>((resume) => {
          worker.once("message", (count: number) => resume(Effect.succeed(count)))
          worker.postMessage("how many", [])
        })
      const { session, end } = yield* connected(url)
      const loop = monitorEventLoopDelay({ resolution: 5 })
      loop.enable()
      const ended = yield* Effect.raceFirst(end, Effect.as(Effect.sleep(2_000), undefined))
      loop.disable()
      const { counted, misread } = yield* session.oddities
      assert.isUndefined(ended)
      assert.strictEqual(misread?.code, "FRAME_FLOOD")
      assert.isAtLeast(counted.flood, 1)
      assert.isAtMost(counted.unknownFrame, 15_000)
      assert.isAbove(yield* sent(), 100_000)
      assert.isBelow(loop.percentile(99) / 1e6, 200)
      const { reason, problem } = yield* end
      assert.deepStrictEqual([reason, problem], ["closed", "FRAME_FLOOD"])
    })
  )

  it.live("silence is noticed within five seconds, whoever is silent, and leaves no socket", () =>
    Effect.gen(function* () {
      const timed = Effect.fnUntraced(function* <R>(end: Effect.Effect<ConnectionEnd, never, R>, problem: string) {
        const beganAt = yield* Clock.currentTimeMillis
        assert.deepInclude(yield* end, { reason: "silent", problem } as Partial<ConnectionEnd>)
        assert.isBelow((yield* Clock.currentTimeMillis) - beganAt, 6_500) // 4.5 s, and room for a loaded machine.
      })
      const frozen = Effect.flatMap(
        saying(
          () => {},
          (socket) => socket.pause()
        ),
        (url) => timed(endAt(url), "GATEWAY_TIMEOUT")
      )
      const mute = Effect.flatMap(
        serving((socket) => {
          socket.send(challenge)
          socket.pause()
        }),
        (url) => timed(endAt(url), "GATEWAY_SILENT")
      )
      const stopped = Effect.gen(function* () {
        let line: WebSocket | undefined
        const { end } = yield* connected(
          yield* serving((socket) => {
            line = socket
            greeting()(socket)
          })
        )
        line!.pause() // Reads nothing any more: pings stay unanswered.
        yield* timed(end, "GATEWAY_SILENT")
      })
      const blackHole = Effect.gen(function* () {
        const { proxy, url } = yield* proxied(echoing())
        const { end } = yield* connected(url)
        proxy.inject({ kind: "halfOpen" })
        yield* timed(end, "GATEWAY_SILENT")
        for (let i = 0; i < 200 && proxy.open() > 0; i++) yield* Effect.sleep(10)
        assert.strictEqual(proxy.open(), 0)
      })
      yield* Effect.all([frozen, mute, stopped, blackHole], { concurrency: "unbounded" })
    })
  )
})
