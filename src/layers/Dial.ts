/** Dialing: one WebSocket, as little of it as the session needs. Real over `ws`; scripted in tests. */
import * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Queue from "effect/Queue"
import type * as Scope from "effect/Scope"
import type { WebSocket } from "ws"
import { closeCodes, frameMax } from "../domain/Wire.ts"
import type { LostReason } from "../machines/session.ts"

/** How a line ended, or why it never was one. `detail` is for people and holds no secret. */
export type LineEnd =
  | { readonly _tag: "Failed"; readonly reason: LostReason; readonly detail: string; readonly retryAfterMs?: number }
  | { readonly _tag: "Closed"; readonly code: number; readonly detail: string }

/** The end of a line for a reason that no close code tells. */
export const failed = (reason: LostReason, detail: string): Effect.Effect<never, LineEnd> => Effect.fail({ _tag: "Failed", reason, detail })

/** An open WebSocket. It ends once; from then on everything fails with that end. */
export interface Line {
  readonly send: (frame: string) => Effect.Effect<void, LineEnd>
  /** The next text frame, in the order of arrival, then the end. One caller at a time. */
  readonly take: Effect.Effect<string, LineEnd>
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
      const frames = yield* Queue.unbounded<string, LineEnd>()
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

type Frames = Queue.Queue<string, LineEnd>

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
    if (isBinary) return
    Queue.offerUnsafe(frames, (data as Buffer).toString("utf8")) // What `ws` gives, unless told otherwise.
    if (Queue.sizeUnsafe(frames) >= waitingMax) socket.pause()
  })
  socket.on("unexpected-response", (_, { statusCode, headers }) => end(instead(statusCode ?? 0, headers["retry-after"])))
  socket.on("error", (error) => end(systemError(error)))
  socket.on("close", (code, reason) => end({ _tag: "Closed", code, detail: String(reason) }))
  return socket
}

const opened = (socket: WebSocket, frames: Frames): Effect.Effect<void, LineEnd> =>
  Effect.raceFirst(
    Effect.callback<void>((resume) => {
      socket.once("open", () => resume(Effect.void))
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
const instead = (status: number, retryAfter: string | undefined): LineEnd => {
  const detail = `HTTP ${status} instead of a WebSocket`
  if (status === 401 || status === 403) return { _tag: "Failed", reason: "unauthorized", detail }
  if (status !== 429 && status !== 503) return { _tag: "Failed", reason: "notAGateway", detail }
  const seconds = Number(retryAfter)
  return { _tag: "Failed", reason: "starting", detail, ...(seconds > 0 ? { retryAfterMs: seconds * 1_000 } : {}) }
}

const systemError = (error: NodeJS.ErrnoException): LineEnd => {
  const code = error.code ?? ""
  if (code === "WS_ERR_UNSUPPORTED_MESSAGE_LENGTH") {
    return { _tag: "Closed", code: closeCodes.tooBig, detail: "the peer sent too big a frame" }
  }
  return { _tag: "Failed", reason: reasons[code] ?? "notAGateway", detail: code || error.message }
}

/** What the system's errors mean; any other is about certificates or syntax, so somebody else answers there. */
const reasons: Readonly<Record<string, LostReason>> = {
  ECONNREFUSED: "refused",
  ENOTFOUND: "refused",
  EAI_AGAIN: "refused",
  EHOSTUNREACH: "refused",
  ENETUNREACH: "refused",
  EHOSTDOWN: "refused",
  ENETDOWN: "refused",
  EADDRNOTAVAIL: "refused",
  EMFILE: "refused",
  ECONNRESET: "reset",
  EPIPE: "reset",
  ECONNABORTED: "reset",
  ETIMEDOUT: "silent"
}
