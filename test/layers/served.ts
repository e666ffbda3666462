/** Servers on loopback that behave as a test wants, and sessions to them. */
import { createServer } from "node:http"
import type { AddressInfo, Server } from "node:net"
import { Deferred, Effect, Exit, Fiber, Layer, Redacted, Result } from "effect"
import { type WebSocket, WebSocketServer } from "ws"
import { type GatewayUrl, gatewayUrl } from "../../src/domain/GatewayUrl.ts"
import * as Wire from "../../src/domain/Wire.ts"
import { Dial } from "../../src/layers/Dial.ts"
import type { Peer } from "../../src/layers/Greeting.ts"
import { Session } from "../../src/layers/Session.ts"

export const token = "a-token-nobody-else-has"

/** A real server on loopback. `onLine` gets each socket after its upgrade; the rest is up to the test. */
export const serving = Effect.fnUntraced(function* (onLine: (socket: WebSocket, headers: Readonly<Record<string, unknown>>) => void) {
  const http = createServer((_, response) => {
    response.end("<html></html>")
  })
  const server = new WebSocketServer({ server: http, maxPayload: Wire.frameMax })
  server.on("connection", (socket, request) => onLine(socket, request.headers))
  yield* Effect.addFinalizer(() =>
    Effect.callback<void>((resume) => {
      for (const socket of server.clients) socket.terminate()
      http.close(() => resume(Effect.void))
      http.closeAllConnections()
    })
  )
  return yield* listening(http)
})

export const listening = (server: Server) =>
  Effect.callback<GatewayUrl>((resume) => {
    server.listen(0, "127.0.0.1", () => {
      resume(Effect.succeed(Result.getOrThrow(gatewayUrl(`ws://127.0.0.1:${(server.address() as AddressInfo).port}`))))
    })
  })

/** The server's half of the greeting, then `answer` for every call. */
export const greeting =
  (answer: (request: Wire.Request, socket: WebSocket) => void = () => {}, hello: object = {}) =>
  (socket: WebSocket) => {
    socket.send(Wire.event("connect.challenge", { nonce: "n", ts: 1 }))
    socket.on("message", (data) => {
      const request = Result.getOrThrow(Wire.parseFrame((data as Buffer).toString("utf8"))) as Wire.Request
      if (request.method !== "connect") return answer(request, socket)
      socket.send(
        Wire.reply(request.id, {
          type: "hello-ok",
          protocol: 4,
          server: { version: "t", bootId: "boot-a" },
          auth: { scopes: (request.params as Wire.ConnectParams).scopes },
          ...hello
        })
      )
    })
  }

export const sessionTo = (url: GatewayUrl, peer: Partial<Peer> = {}) =>
  Effect.map(
    Layer.build(Session.layer({ url, token: Redacted.make(token), version: "1.0.0", ...peer }).pipe(Layer.provide(Dial.layer))),
    (services) => services.mapUnsafe.get(Session.key) as Session["Service"]
  )

/** One connection, to its end. */
export const endAt = Effect.fnUntraced(function* (url: GatewayUrl) {
  const session = yield* sessionTo(url)
  return yield* session.connection(() => {})
})

/** A connection under way: its session, and its end to come. */
export const connected = Effect.fnUntraced(function* (url: GatewayUrl) {
  const session = yield* sessionTo(url)
  const opened = yield* Deferred.make<string>()
  const ending = yield* Effect.forkScoped(session.connection((bootId) => Deferred.doneUnsafe(opened, Exit.succeed(bootId))))
  const bootId = yield* Deferred.await(opened)
  return { session, bootId, end: Fiber.join(ending), hangUp: Fiber.interrupt(ending) }
})
