/** Dialing: one WebSocket, as little of it as the session needs. Real over `ws`; scripted in tests. */
import type { IncomingMessage } from "node:http"
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Queue from "effect/Queue"
import type * as Scope from "effect/Scope"
import type { WebSocket } from "ws"
import { shown } from "../domain/Errors.ts"
import type { LinkCode } from "../domain/LinkProblem.ts"
import { type Trouble, troubleOf } from "./NetworkError.ts"
import { closeCodes, frameMax } from "../domain/Wire.ts"
import type { LostReason } from "../machines/session.ts"

/** How a line ended, or why it never was one. `detail` is for people and holds no secret. */
export type LineEnd =
  | (Trouble & { readonly _tag: "Failed"; readonly retryAfterMs?: number })
  | { readonly _tag: "Closed"; readonly code: number; readonly detail: string }

/** The end of a line for a reason that no close code tells. */
export const failed = (reason: LostReason, detail: string, problem?: LinkCode): Effect.Effect<never, LineEnd> =>
  Effect.fail({ _tag: "Failed", reason, detail, ...(problem === undefined ? {} : { problem }) })

/** An open WebSocket. It ends once; from then on everything fails with that end. */
export interface Line {
  readonly send: (frame: string) => Effect.Effect<void, LineEnd>
  /** The next frame, in the order of arrival, then the end; nothing stands for a binary one. One caller at a time. */
  readonly take: Effect.Effect<string | undefined, LineEnd>
  /** Resolves with the peer's pong; how long to wait for it is the caller's business. */
  readonly ping: Effect.Effect<void, LineEnd>
}

export class Dial extends Context.Service<
  Dial,
  {
    /** Opens a line. Leaving the scope ends it at once and waits until the socket is gone. */
    readonly connect: (url: string) => Effect.Effect<Line, LineEnd, Scope.Scope>
  }
>()("holdfast/layers/Dial") {
  static readonly layer = Layer.succeed(Dial, {
    connect: Effect.fnUntraced(function* (url: string) {
      const { WebSocket } = yield* library
      const frames = yield* Queue.unbounded<string | undefined, LineEnd>()
      const socket = yield* Effect.acquireRelease(
        Effect.sync(() => dial(WebSocket, url, frames)),
        hangUp
      )
      yield* opened(socket, frames)
      return lineOf(socket, frames)
    })
  })
}

/** Loaded with the first call: skills start before anybody has to know of sockets. */
const library = Effect.promise(() => import("ws"))

type Frames = Queue.Queue<string | undefined, LineEnd>

/** Frames that may wait to be taken before the socket is paused; it is read again below half of it. */
const waitingMax = 256
/** How long a socket may take to be gone once it was destroyed. It takes none, but nothing may wait for ever on that. */
const goneWithin = "2 seconds"

/** No redirects, no `Origin`: the token stays with the address it was given for. No compression: a small frame stays small. */
const dial = (Socket: typeof WebSocket, url: string, frames: Frames): WebSocket => {
  const socket = new Socket(url, { maxPayload: frameMax, perMessageDeflate: false, followRedirects: false })
  const end = (reason: LineEnd) => Queue.failCauseUnsafe(frames, Cause.fail(reason)) // The first one stands.
  // Before anything can arrive: the peer's first frame may come in the same packet as the upgrade.
  socket.on("message", (data, isBinary) => {
    Queue.offerUnsafe(frames, isBinary ? undefined : (data as Buffer).toString("utf8")) // What `ws` gives, unless told otherwise.
    if (Queue.sizeUnsafe(frames) >= waitingMax) socket.pause()
  })
  socket.on("error", (error) => end(systemError(error)))
  socket.on("close", (code, reason) => end({ _tag: "Closed", code, detail: String(reason) }))
  return socket
}

const opened = (socket: WebSocket, frames: Frames): Effect.Effect<void, LineEnd> =>
  Effect.raceFirst(
    Effect.callback<void, LineEnd>((resume) => {
      socket.once("open", () => resume(Effect.void))
      socket.once("unexpected-response", (_, response) => resume(instead(response)))
    }),
    Effect.asVoid(Queue.await(frames)).pipe(Effect.andThen(Effect.never))
  )

const hangUp = (socket: WebSocket): Effect.Effect<void> =>
  Effect.callback<void>((resume) => {
    if (socket.readyState === socket.CLOSED) return resume(Effect.void)
    socket.once("close", () => resume(Effect.void))
    if (socket.isPaused) socket.resume() // A paused socket would keep its end to itself.
    socket.terminate()
  }).pipe(Effect.timeoutOption(goneWithin), Effect.asVoid)

const lineOf = (socket: WebSocket, frames: Frames): Line => ({
  send: (frame) =>
    Effect.callback((resume) => {
      socket.send(frame, (error) => resume(error ? Effect.fail(systemError(error)) : Effect.void))
    }),
  take: Effect.tap(Queue.take(frames), () =>
    Effect.sync(() => {
      if (socket.isPaused && Queue.sizeUnsafe(frames) < waitingMax / 2) socket.resume()
    })
  ),
  ping: Effect.callback((resume) => {
    const pong = () => resume(Effect.void)
    socket.once("pong", pong)
    socket.ping(undefined, undefined, (error) => {
      if (error) resume(Effect.fail(systemError(error)))
    })
    return Effect.sync(() => {
      socket.off("pong", pong)
    })
  })
})

/** An HTTP answer where an upgrade was asked for. */
const instead = Effect.fnUntraced(function* (response: IncomingMessage): Effect.fn.Return<never, LineEnd> {
  const { statusCode: status = 0, headers } = response
  if (status === 401 || status === 403) return yield* failed("unauthorized", `HTTP ${status}`, "GATEWAY_AUTH")
  if (status >= 300 && status < 400) {
    return yield* failed("notAGateway", `HTTP ${status} to ${originOf(headers.location)}`, "GATEWAY_REDIRECT")
  }
  if (status === 502 || status === 504) return yield* failed("refused", `HTTP ${status}: nobody answers behind a proxy`)
  if (status === 429 || status === 503) {
    const retryAfterMs = wishOf(headers["retry-after"], yield* Clock.currentTimeMillis)
    const reason = status === 429 ? "limited" : "starting"
    return yield* Effect.fail<LineEnd>({ _tag: "Failed", reason, detail: `HTTP ${status}`, ...(retryAfterMs > 0 ? { retryAfterMs } : {}) })
  }
  return yield* failed("notAGateway", `HTTP ${status}: ${yield* headOf(response)}`, "GATEWAY_NOT_WEBSOCKET")
})

/** Where a redirect leads, without what may be secret in it. */
export const originOf = (location = ""): string => {
  const url = URL.canParse(location) ? new URL(location) : undefined
  return url === undefined ? "a path of its own" : `${url.protocol}//${shown(url.host)}`
}

/** `Retry-After`: seconds, or a date. */
const wishOf = (wish = "", nowMs: number): number => (/^\d+$/.test(wish) ? Number(wish) * 1_000 : Date.parse(wish) - nowMs)

/** What of a page is shown, and how long its beginning is waited for. */
const headLength = 80
const headWithin = "500 millis"

const headOf = (response: IncomingMessage): Effect.Effect<string> => {
  let text = ""
  return Effect.callback<void>((resume) => {
    const enough = () => resume(Effect.void)
    response.setEncoding("utf8").on("data", (chunk: string) => {
      text += chunk
      if (text.length >= headLength) enough()
    })
    response.on("end", enough).on("error", enough)
  }).pipe(
    Effect.timeoutOption(headWithin),
    Effect.map(() => text.slice(0, headLength))
  )
}

const systemError = (error: NodeJS.ErrnoException): LineEnd => {
  const { code = "", message } = error
  if (!code.startsWith("WS_ERR_")) return { _tag: "Failed", ...troubleOf(error) }
  return ofFrames[code] ?? { _tag: "Failed", reason: "closed", detail: message, problem: "GATEWAY_PROTOCOL" }
}

const tooBig: LineEnd = { _tag: "Closed", code: closeCodes.tooBig, detail: "the peer sent too big a frame" }
/** The errors of `ws` that are about what a frame holds; its others are about the protocol of WebSockets. */
const ofFrames: Readonly<Record<string, LineEnd | undefined>> = {
  WS_ERR_UNSUPPORTED_MESSAGE_LENGTH: tooBig,
  WS_ERR_UNSUPPORTED_DATA_PAYLOAD_LENGTH: tooBig,
  WS_ERR_TOO_MANY_BUFFERED_PARTS: tooBig,
  WS_ERR_INVALID_UTF8: { _tag: "Failed", reason: "closed", detail: "a frame that is not UTF-8", problem: "FRAME_SYNTAX" }
}
