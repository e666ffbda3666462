/**
 * A link that is lost and made again, many times, over real sockets and in virtual time: closed, reset, refused, and left without a
 * greeting, in turn. What is left behind is counted: handles of the process, and memory after a collection.
 */
import { Effect, Layer, Redacted, Result, type Scope } from "effect"
import { TestClock } from "effect/testing"
import { createServer } from "node:http"
import type { AddressInfo, Socket } from "node:net"
import { setFlagsFromString } from "node:v8"
import { runInNewContext } from "node:vm"
import { type WebSocket, WebSocketServer } from "ws"
import { gatewayUrl } from "../../src/domain/GatewayUrl.ts"
import * as Wire from "../../src/domain/Wire.ts"
import { Dial } from "../../src/layers/Dial.ts"
import { Gateway } from "../../src/layers/Gateway.ts"
import { linkedOver } from "../layers/linked.ts"
import { memory } from "../layers/memoryStore.ts"

export interface Left {
  /** What keeps the process alive, by kind. */
  readonly handles: Readonly<Record<string, number>>
  /** Listeners on the process. */
  readonly listeners: number
  readonly heapMb: number
  readonly residentMb: number
}

/** After the last one nothing is open at either end. */
const ways = ["closed", "reset", "no greeting", "refused"] as const

/** Loses it so often, in full turns, and says what was there after the first fifth and at the end. */
export const reconnects = Effect.fnUntraced(function* (
  count: number
): Effect.fn.Return<{ readonly early: Left; readonly late: Left; readonly ends: number }, unknown, Scope.Scope> {
  let way: (typeof ways)[number] = "closed"
  const server = yield* serving((socket, tcp) => {
    if (way === "no greeting") return
    socket.send(Wire.event("connect.challenge", { nonce: "n", ts: 1 }))
    socket.once("message", (data: Buffer) => {
      const { id } = JSON.parse(data.toString()) as Wire.Request
      socket.send(Wire.reply(id, { type: "hello-ok", protocol: 4, server: { version: "t", bootId: "b" } }), () => {
        if (way === "reset") tcp.resetAndDestroy()
        else socket.close(Wire.closeCodes.restart)
      })
    })
  })
  let ends = 0
  const counted = Layer.effect(
    Dial,
    Dial.useSync((dial) => ({
      connect: (url) =>
        Effect.andThen(
          Effect.addFinalizer(() => Effect.sync(() => void (ends += 1))),
          dial.connect(url)
        )
    }))
  ).pipe(Layer.provide(Dial.layer))
  const url = Result.getOrThrow(gatewayUrl(`ws://127.0.0.1:${server.port}`))
  const below = Layer.merge(counted, Layer.succeed(Gateway, { probe: Effect.never }))
  yield* linkedOver(below, memory(), url, Redacted.make("a-token"))

  let early: Left | undefined
  const turns = Math.ceil(count / ways.length)
  for (let i = 0; i < turns * ways.length; i++) {
    way = ways[i % ways.length]!
    if (way === "refused") yield* server.close
    while (ends <= i) {
      yield* TestClock.adjust(250)
      yield* tick
    }
    if (i === Math.ceil(turns / 5) * ways.length - 1) early = yield* left
    if (i === turns * ways.length - 1) return { early: early!, late: yield* left, ends }
    if (way === "refused") yield* server.listen
  }
  return yield* Effect.die("no turn at all")
})

const serving = Effect.fnUntraced(function* (onLine: (socket: WebSocket, tcp: Socket) => void) {
  const http = createServer()
  const upgrades = new WebSocketServer({ noServer: true })
  http.on("upgrade", (request, tcp, head) => upgrades.handleUpgrade(request, tcp, head, (socket) => onLine(socket, tcp as Socket)))
  let port = 0
  const listen = Effect.callback<void>((resume) => {
    http.listen(port, "127.0.0.1", () => {
      port = (http.address() as AddressInfo).port
      resume(Effect.void)
    })
  })
  const close = Effect.sync(() => void http.close()) // Not waited for: what is open ends in virtual time.
  yield* Effect.acquireRelease(listen, () => close)
  return { port, listen, close }
})

/** What the sockets have to say is real, and comes in its own time. */
const tick = Effect.callback<void>((resume) => void setImmediate(() => resume(Effect.void)))

const left: Effect.Effect<Left> = Effect.gen(function* () {
  for (let i = 0; i < 5; i++) yield* tick
  setFlagsFromString("--expose-gc")
  const collect = runInNewContext("gc") as () => void
  collect()
  const { heapUsed, rss } = process.memoryUsage()
  const handles = Object.fromEntries(
    Object.entries(Object.groupBy(process.getActiveResourcesInfo(), (kind) => kind)).map(([kind, all]) => [kind, all?.length ?? 0])
  )
  const listeners = process.eventNames().reduce((sum, name) => sum + process.listenerCount(name), 0)
  return { handles, listeners, heapMb: heapUsed / 1_048_576, residentMb: rss / 1_048_576 }
})
