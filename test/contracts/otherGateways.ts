/** Small gateways of other kinds, on real sockets: one that takes plain JSON events, and one as OpenClaw was in February 2026. */
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import { Effect } from "effect"
import { type WebSocket, WebSocketServer } from "ws"
import { openclaw3Gateway } from "../../src/domain/adapters/openclaw3.ts"
import { plainGateway } from "../../src/domain/adapters/plain.ts"
import { runOf, type Stand } from "./gateway.ts"

type Say = (frame: object) => void
/** What differs: its first words, and its answer to a frame. */
interface Kind {
  readonly welcomes?: (say: Say) => void
  readonly answers: (frame: any, say: Say, world: World) => void
  readonly http: (ready: boolean) => { readonly status: number; readonly body: string }
}
interface World {
  readonly rows: Array<{ readonly key: string; readonly text: string }>
  readonly boot: string
  readonly token: string
  /** The next row is kept, and its answer is not sent. */
  lose: boolean
  readonly close: (code: number, reason: string) => void
}

const stand = (kind: Kind, adapter: Stand["adapter"]) =>
  Effect.gen(function* () {
    const rows: World["rows"] = []
    const sockets = new Set<WebSocket>()
    let [ready, lose, open] = [true, false, true]
    const http = createServer((_, response) => {
      const { status, body } = kind.http(ready)
      response.writeHead(status).end(body)
    })
    const server = new WebSocketServer({ server: http, verifyClient: () => open })
    server.on("connection", (socket) => {
      sockets.add(socket)
      const boot = String(Math.random())
      const say: Say = (frame) => socket.send(JSON.stringify(frame))
      kind.welcomes?.(say)
      socket.on("message", (data: Buffer) => {
        const world: World = { rows, boot, token: "secret-token", lose, close: (code, reason) => socket.close(code, reason) }
        kind.answers(JSON.parse(data.toString()), say, world)
        if (lose && !world.lose) {
          lose = false
          socket.terminate()
        }
      })
      socket.on("close", () => sockets.delete(socket))
    })
    const cut = Effect.sync(() => {
      for (const socket of sockets) socket.terminate()
    })
    yield* Effect.acquireRelease(
      Effect.callback<void>((resume) => void http.listen(0, "127.0.0.1", () => resume(Effect.void))),
      () =>
        Effect.andThen(
          cut,
          Effect.callback<void>((resume) => (http.close(() => resume(Effect.void)), http.closeAllConnections()))
        )
    )
    return {
      url: `ws://127.0.0.1:${(http.address() as AddressInfo).port}`,
      adapter,
      rows: Effect.sync(() => rows.map(({ key }) => runOf(key))),
      leave: Effect.andThen(
        Effect.sync(() => {
          open = false
        }),
        cut
      ),
      comeBack: Effect.sync(() => {
        open = true
      }),
      loseReply: Effect.sync(() => {
        lose = true
      }),
      failHttp: Effect.sync(() => {
        ready = false
      })
    } satisfies Stand
  })

export const plain = stand(
  {
    answers: (frame, say, world) => {
      const { type, id } = frame
      if (type === "hello" && frame.token !== world.token) {
        say({ type: "error", id, code: "UNAUTHORIZED", message: "not the token" })
        world.close(1008, "not the token")
      } else if (type === "hello") say({ type: "welcome", id, boot: world.boot })
      else if (type === "report") {
        if (!world.rows.some(({ key }) => key === frame.key)) world.rows.push(frame)
        if (world.lose) world.lose = false
        else say({ type: "ok", id })
      } else say({ type: "error", id, code: "UNKNOWN" })
    },
    http: (ready) => ({ status: ready ? 200 : 503, body: "" })
  },
  plainGateway
)

/** Parameters are closed, as the real one's are. */
export const february = stand(
  {
    welcomes: (say) => say({ type: "event", event: "connect.challenge", payload: { nonce: "n", ts: 1 } }),
    answers: ({ id, method, params }, say, world) => {
      const reply = (payload: object) => say({ type: "res", id, ok: true, payload })
      const refuse = (code: string, message: string) => say({ type: "res", id, ok: false, error: { code, message } })
      const unknown = Object.keys(params).find((key) => !(known[method as string] ?? []).includes(key))
      if (unknown !== undefined) return refuse("INVALID_REQUEST", `unexpected property '${unknown}'`)
      switch (method) {
        case "connect":
          if (params.maxProtocol < 3 || params.minProtocol > 3) return world.close(1002, "protocol mismatch")
          if (params.auth?.token === world.token)
            return reply({ type: "hello-ok", protocol: 3, server: { version: "dev", connId: world.boot } })
          refuse("INVALID_REQUEST", "unauthorized")
          return world.close(1008, "unauthorized")
        case "sessions.patch":
          made.add(world.rows)
          return reply({ ok: true })
        case "chat.inject":
          if (!made.has(world.rows)) return refuse("INVALID_REQUEST", "session not found")
          world.rows.push({ key: params.label, text: `[${params.label}]\n\n${params.message}` })
          if (world.lose) world.lose = false
          else reply({ ok: true, messageId: "m" })
          return
        case "chat.history":
          return reply({ messages: world.rows.map(({ text }) => ({ role: "assistant", content: text })) })
        default:
          return refuse("INVALID_REQUEST", `unknown method: ${method}`)
      }
    },
    http: (ready) => (ready ? { status: 404, body: "Not Found" } : { status: 500, body: "" })
  },
  openclaw3Gateway
)

const made = new WeakSet<object>()
const known: Readonly<Record<string, ReadonlyArray<string>>> = {
  connect: ["minProtocol", "maxProtocol", "client", "role", "scopes", "caps", "auth"],
  "sessions.patch": ["key"],
  "chat.inject": ["sessionKey", "message", "label"],
  "chat.history": ["sessionKey", "limit"]
}
