/** A bare WebSocket client for these tests: it knows frames and nothing of Holdfast. */
import * as http from "node:http"
import * as net from "node:net"
import { Effect } from "effect"
import { WebSocket } from "ws"

export interface Frame {
  readonly type: string
  readonly id?: string
  readonly ok?: boolean
  readonly event?: string
  readonly seq?: number
  readonly payload?: any
  readonly error?: any
}

export class RawClient {
  readonly frames: Array<Frame> = []
  pongs = 0
  closed: { readonly code: number; readonly reason: string } | undefined
  readonly socket: WebSocket
  #id = 0

  constructor(url: string, options: { readonly headers?: Record<string, string> } = {}) {
    this.socket = new WebSocket(url, options)
    this.socket.on("message", (data: Buffer) => this.frames.push(JSON.parse(data.toString())))
    this.socket.on("pong", () => this.pongs++)
    this.socket.on("error", () => {})
    this.socket.on("close", (code, reason) => {
      this.closed = { code, reason: String(reason) }
    })
  }

  /** Sends a request and says under which id. */
  post(method: string, params: unknown): string {
    const id = String(++this.#id)
    this.socket.send(JSON.stringify({ type: "req", id, method, params }))
    return id
  }

  call(method: string, params: unknown = {}): Effect.Effect<Frame> {
    return Effect.suspend(() => {
      const id = this.post(method, params)
      return until(() => this.frames.find((frame) => frame.type === "res" && frame.id === id), `a reply to ${method}`)
    })
  }

  event(name: string): Effect.Effect<Frame> {
    return until(() => this.frames.find((frame) => frame.event === name), `event ${name}`)
  }

  get end(): Effect.Effect<{ readonly code: number; readonly reason: string }> {
    return until(() => this.closed, "the end of the connection")
  }
}

/** Opened as far as the challenge. */
export const challenged = (url: string, headers: Record<string, string> = {}) =>
  Effect.acquireRelease(
    Effect.sync(() => new RawClient(url, { headers })),
    (client) => Effect.sync(() => client.socket.terminate())
  ).pipe(Effect.tap((client) => client.event("connect.challenge")))

export const hello = (change: Record<string, unknown> = {}) => ({
  minProtocol: 4,
  maxProtocol: 4,
  client: { id: "gateway-client", mode: "backend", version: "1", platform: "linux" },
  role: "operator",
  scopes: ["operator.admin"],
  caps: [],
  auth: { token: "secret-token" },
  ...change
})

/** Through the handshake, with every scope. */
export const connected = Effect.fnUntraced(function* (url: string) {
  const client = yield* challenged(url)
  const reply = yield* client.call("connect", hello())
  return Object.assign(client, { hello: reply.payload })
})

/** Looks until it is there. */
export const until = <A>(look: () => A | undefined | false, what: string): Effect.Effect<A> =>
  Effect.gen(function* () {
    for (let tries = 0; tries < 2_000; tries++) {
      const found = look()
      if (found !== undefined && found !== false) return found
      yield* Effect.sleep(5)
    }
    throw new Error(`still waiting for ${what}`)
  })

/** One HTTP request; a failure is its code, `timeout` when nothing came within `timeoutMs`. */
export const get = (port: number, path: string, options: http.RequestOptions & { readonly timeoutMs?: number } = {}) =>
  Effect.callback<{ readonly status: number; readonly body: any } | string>((resume) => {
    const request = http.request({ host: "127.0.0.1", port, path, agent: false, ...options }, (response) => {
      let text = ""
      response.on("data", (chunk) => {
        text += chunk
      })
      response.on("end", () => resume(Effect.succeed({ status: response.statusCode!, body: JSON.parse(text) })))
      response.on("error", () => {})
    })
    request.on("error", (error: NodeJS.ErrnoException) => resume(Effect.succeed(error.code ?? error.message)))
    request.setTimeout(options.timeoutMs ?? 5_000, () => {
      resume(Effect.succeed("timeout"))
      request.destroy()
    })
    request.end()
  })

/** What a TCP connection comes to: `open`, or the code it failed with. */
export const dial = (port: number) =>
  Effect.callback<string>((resume) => {
    const socket = net.connect(port, "127.0.0.1", () => {
      socket.destroy()
      resume(Effect.succeed("open"))
    })
    socket.on("error", (error: NodeJS.ErrnoException) => resume(Effect.succeed(error.code!)))
  })
