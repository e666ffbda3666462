import { createServer, type RequestListener } from "node:http"
import { type AddressInfo, createServer as createTcp, type Server, type Socket } from "node:net"
import { assert, describe, it } from "@effect/vitest"
import { Clock, Effect, Layer, Result } from "effect"
import { type GatewayUrl, gatewayUrl } from "../../src/domain/GatewayUrl.ts"
import { Gateway } from "../../src/layers/Gateway.ts"
import type { Probe } from "../../src/machines/gateway.ts"

const listening = (server: Server) =>
  Effect.callback<GatewayUrl>((resume) => {
    server.listen(0, "127.0.0.1", () => {
      resume(Effect.succeed(Result.getOrThrow(gatewayUrl(`ws://127.0.0.1:${(server.address() as AddressInfo).port}`))))
    })
  })

const probeAt = (url: GatewayUrl) =>
  Effect.flatMap(Layer.build(Gateway.layer(url)), (services) =>
    Effect.provide(
      Gateway.use((gateway) => gateway.probe),
      services
    )
  )

const answering = Effect.fnUntraced(function* (listener: RequestListener) {
  const http = createServer(listener)
  yield* Effect.addFinalizer(() =>
    Effect.sync(() => {
      http.close()
      http.closeAllConnections()
    })
  )
  return yield* probeAt(yield* listening(http))
})

const json =
  (status: number, body: unknown): RequestListener =>
  (_, response) => {
    response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(body))
  }
const reason = (probe: Probe) => (probe._tag === "Ready" ? "ready" : probe.reason)

describe("Gateway", () => {
  const answers: ReadonlyArray<readonly [string, RequestListener, string]> = [
    ["ready", json(200, { ready: true, failing: [], uptimeMs: 27_694, eventLoop: { degraded: false } }), "ready"],
    ["starting", json(503, { ready: false, failing: ["startup-sidecars"] }), "starting"],
    ["draining", json(503, { ready: false, failing: ["gateway-draining"] }), "draining"],
    ["not ready, and saying nothing more", json(503, { ready: false }), "starting"],
    [
      "a page that answers 200 to anything",
      (_, response) => {
        response.end("<!doctype html><html></html>")
      },
      "notAGateway"
    ],
    ["JSON of somebody else", json(200, { status: "ok" }), "notAGateway"],
    [
      "a redirect, which is not followed",
      (_, response) => {
        response.writeHead(302, { location: "http://127.0.0.1:1/readyz" }).end()
      },
      "notAGateway"
    ],
    [
      "an endless body",
      (_, response) => {
        const more = () => {
          while (!response.destroyed && response.write("x".repeat(10_000))) {
            /* as fast as it is taken */
          }
        }
        response.on("drain", more)
        more()
      },
      "notAGateway"
    ],
    [
      "a connection cut in the answer",
      (_, response) => {
        response.writeHead(200, { "content-length": "100" })
        response.write("{")
        setImmediate(() => response.destroy())
      },
      "reset"
    ]
  ]
  for (const [name, listener, expected] of answers) {
    it.live(`reads the answer, not its status: ${name}`, () =>
      Effect.gen(function* () {
        assert.strictEqual(reason(yield* answering(listener)), expected)
      })
    )
  }

  it.live("asks /readyz, by GET, and sends no token", () =>
    Effect.gen(function* () {
      const asked: Array<unknown> = []
      yield* answering((request, response) => {
        asked.push(request.method, request.url, request.headers.authorization)
        json(200, { ready: true })(request, response)
      })
      assert.deepStrictEqual(asked, ["GET", "/readyz", undefined])
    })
  )

  it.live("knows a redirect by its code and its place, and lets the connection go, though the answer has no end", () =>
    Effect.gen(function* () {
      let closed = false
      const probe = yield* answering((request, response) => {
        request.socket.on("close", () => {
          closed = true
        })
        response.writeHead(302, { location: "https://elsewhere.example/login?token=hunter2" }).write("x")
      })
      assert.deepInclude(probe, { reason: "notAGateway", problem: "GATEWAY_REDIRECT", detail: "HTTP 302 to https://elsewhere.example" })
      for (let i = 0; i < 200 && !closed; i++) yield* Effect.sleep(10)
      assert.isTrue(closed)
    })
  )

  it.live("is refused where nobody listens", () =>
    Effect.gen(function* () {
      const http = createServer()
      const url = yield* listening(http)
      yield* Effect.callback<void>((resume) => {
        http.close(() => resume(Effect.void))
      })
      assert.strictEqual(reason(yield* probeAt(url)), "refused")
    })
  )

  it.live("calls it silence when no answer comes in time, and lets the connection go", () =>
    Effect.gen(function* () {
      const sockets: Array<Socket> = []
      const silent = createTcp((socket) => {
        sockets.push(socket.resume().on("error", () => {}))
      })
      yield* Effect.addFinalizer(() =>
        Effect.sync(() => {
          silent.close()
        })
      )
      const beganAt = yield* Clock.currentTimeMillis
      assert.strictEqual(reason(yield* probeAt(yield* listening(silent))), "silent")
      assert.isBelow((yield* Clock.currentTimeMillis) - beganAt, 6_000)
      for (let i = 0; i < 200 && !sockets[0]!.closed; i++) yield* Effect.sleep(10)
      assert.isTrue(sockets[0]!.closed)
    })
  )
})
