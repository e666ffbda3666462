/** The session's hands: one connection to the gateway, the calls that travel on it, and the events that come back. */
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Data from "effect/Data"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as PubSub from "effect/PubSub"
import * as Random from "effect/Random"
import * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"
import * as Stream from "effect/Stream"
import * as SubscriptionRef from "effect/SubscriptionRef"
import { shown } from "../domain/Errors.ts"
import * as Wire from "../domain/Wire.ts"
import { type ConnectionEnd, type LostReason, sessionMachine } from "../machines/session.ts"
import { fromEffect } from "./actor.ts"
import { Dial, failed, type Line, type LineEnd } from "./Dial.ts"
import { greet, type Peer } from "./Greeting.ts"

/** Why a call has no result. Unless `sent` is false or `reason` is `refused`, the peer may have done what was asked. */
export class CallFailed extends Data.TaggedError("CallFailed")<{
  readonly reason: "notConnected" | "lost" | "timeout" | "refused"
  readonly method: string
  /** Whether the frame had left us. */
  readonly sent: boolean
  /** Of a refusal: the peer's code and words, and whether and when it wants to be asked again. */
  readonly code?: string
  readonly detail?: string
  readonly retryable?: boolean
  readonly retryAfterMs?: number
}> {}

/** Code of a refusal of our own: the request would be over the longest frame. On a lost call: some reply was. */
export const frameTooLarge = "FRAME_TOO_LARGE"

/** Whether calls can be made now, and to which boot of the gateway. */
export type SessionState =
  | { readonly _tag: "Connected"; readonly bootId: string; readonly sinceMs: number; readonly scopes: ReadonlyArray<string> }
  | { readonly _tag: "NotConnected" }

export class Session extends Context.Service<
  Session,
  {
    /** Asks the peer; the payload of its reply. Waits at most `timeoutMs` (15 s). Nothing is ever sent again by itself. */
    readonly call: (method: Wire.Method, params: unknown, options?: { readonly timeoutMs?: number }) => Effect.Effect<unknown, CallFailed>
    readonly state: Effect.Effect<SessionState>
    /** Ends the connection, if there is one, so that the next greeting asks for what is needed by then. */
    readonly renew: Effect.Effect<void>
    /** The present state, then each change. */
    readonly changes: Stream.Stream<SessionState>
    /** Events of the peer from now on, `tick` left out. A reader that falls far behind misses the oldest. */
    readonly events: Stream.Stream<Wire.Event>
    /** One connection, from dialing to its end. `opened` is told once calls can be made. Used by the session's machine alone. */
    readonly connection: (opened: (bootId: string, atMs: number) => void) => Effect.Effect<ConnectionEnd>
  }
>()("holdfast/layers/Session") {
  static readonly layer = (peer: Peer): Layer.Layer<Session, never, Dial> => Layer.effect(Session, make(peer))
  /** No gateway: every call fails, nothing ever comes. */
  static readonly layerNoop = Layer.succeed(Session, {
    call: (method) => Effect.fail(new CallFailed({ reason: "notConnected", method, sent: false })),
    state: Effect.succeed<SessionState>({ _tag: "NotConnected" }),
    renew: Effect.void,
    changes: Stream.concat(Stream.succeed<SessionState>({ _tag: "NotConnected" }), Stream.never),
    events: Stream.never,
    connection: () => Effect.never
  })
}

/** The session's machine with its port plugged. */
export const bind = Effect.map(Session, (session) =>
  sessionMachine.provide({
    actors: {
      connection: fromEffect(({ sendBack }) => session.connection((bootId, atMs) => sendBack({ type: "connection.opened", bootId, atMs })))
    }
  })
)

/** A ping this often, with this long to answer: a peer that hangs is noticed within their sum. */
const pingEveryMs = 2_000
const pongWithinMs = 2_000
const callMs = 15_000
/** Events kept for a reader that is behind. */
const eventsMax = 256

/** An open connection and the calls that wait on it. Replies that come on another one can find nothing here. */
interface Connected {
  readonly line: Line
  readonly bootId: string
  readonly sinceMs: number
  readonly scopes: ReadonlyArray<string>
  readonly renewal: Deferred.Deferred<never, LineEnd>
  readonly pending: Map<string, { readonly method: string; readonly reply: Deferred.Deferred<unknown, CallFailed> }>
}

const make = Effect.fnUntraced(function* (peer: Peer): Effect.fn.Return<Session["Service"], never, Dial> {
  const dial = yield* Dial
  const current = yield* SubscriptionRef.make<Connected | undefined>(undefined)
  const events = yield* PubSub.sliding<Wire.Event>(eventsMax)
  let calls = 0 // Over all connections, so that an id names one call for ever.

  const call = Effect.fnUntraced(function* (
    method: Wire.Method,
    params: unknown,
    { timeoutMs = callMs }: { readonly timeoutMs?: number } = {}
  ): Effect.fn.Return<unknown, CallFailed> {
    const connected = yield* SubscriptionRef.get(current)
    if (connected === undefined) return yield* new CallFailed({ reason: "notConnected", method, sent: false })
    const id = `h${++calls}`
    const frame = Wire.request(id, method, params)
    if (Buffer.byteLength(frame) > Wire.frameMax) {
      return yield* new CallFailed({ reason: "refused", method, sent: false, code: frameTooLarge, detail: `over ${Wire.frameMax} bytes` })
    }
    const reply = yield* Deferred.make<unknown, CallFailed>()
    connected.pending.set(id, { method, reply })
    return yield* Effect.andThen(sent(connected.line.send(frame), method), Deferred.await(reply)).pipe(
      Effect.timeoutOrElse({ duration: timeoutMs, orElse: () => Effect.fail(new CallFailed({ reason: "timeout", method, sent: true })) }),
      Effect.ensuring(Effect.sync(() => connected.pending.delete(id)))
    )
  })

  const connection = Effect.fnUntraced(function* (opened: (bootId: string, atMs: number) => void) {
    let greeted = false
    const ended: LineEnd = yield* Effect.flip(
      Effect.scoped(
        Effect.gen(function* () {
          const { line, hello, scopes } = yield* greet(dial, peer)
          greeted = true
          const connected: Connected = {
            line,
            bootId: hello.server.bootId,
            sinceMs: yield* Clock.currentTimeMillis,
            scopes,
            renewal: yield* Deferred.make<never, LineEnd>(),
            pending: new Map()
          }
          yield* Effect.acquireRelease(SubscriptionRef.set(current, connected), () => SubscriptionRef.set(current, undefined))
          opened(connected.bootId, connected.sinceMs)
          return yield* Effect.raceAllFirst([read(connected, events), watch(line), Deferred.await(connected.renewal)]).pipe(
            Effect.onExit((exit) => loseAll(connected, Exit.isFailure(exit) ? Cause.findErrorOption(exit.cause) : Option.none()))
          )
        })
      )
    )
    return yield* endOf(ended, greeted, peer)
  })

  const stateOf = (connected: Connected | undefined): SessionState =>
    connected === undefined
      ? { _tag: "NotConnected" }
      : { _tag: "Connected", bootId: connected.bootId, sinceMs: connected.sinceMs, scopes: connected.scopes }
  return {
    call,
    state: Effect.map(SubscriptionRef.get(current), stateOf),
    renew: Effect.flatMap(SubscriptionRef.get(current), (connected) =>
      connected === undefined
        ? Effect.void
        : Deferred.fail(connected.renewal, { _tag: "Closed", code: Wire.closeCodes.normal, detail: "to ask for other scopes" })
    ),
    changes: Stream.map(SubscriptionRef.changes(current), stateOf),
    events: Stream.fromPubSub(events),
    connection
  }
})

/** Takes frames for as long as there are any. */
const read = (connected: Connected, events: PubSub.PubSub<Wire.Event>): Effect.Effect<never, LineEnd> =>
  Effect.forever(
    Effect.flatMap(connected.line.take, (text) => {
      const frame = Wire.parseFrame(text)
      if (Result.isFailure(frame)) return Effect.logDebug("a frame of the gateway was not understood", frame.failure)
      switch (frame.success.type) {
        case "res":
          return settle(connected, frame.success)
        case "event":
          return frame.success.event === "tick" ? Effect.void : PubSub.publish(events, frame.success)
        case "req":
          return Effect.void // Nothing of ours can be called.
      }
    })
  )

/** Asks for a sign of life, again and again: a peer that hangs keeps its socket open for ever. */
const watch = (line: Line): Effect.Effect<never, LineEnd> =>
  Effect.forever(
    Effect.andThen(
      Effect.sleep(pingEveryMs),
      Effect.timeoutOrElse(line.ping, { duration: pongWithinMs, orElse: () => failed("silent", `no pong within ${pongWithinMs} ms`) })
    )
  )

const settle = ({ pending }: Connected, response: Wire.Response): Effect.Effect<unknown> => {
  const waiting = pending.get(response.id)
  if (waiting === undefined) return Effect.void
  if (response.ok) return Deferred.succeed(waiting.reply, response.payload)
  const { code, message, retryable, retryAfterMs } = response.error
  return Deferred.fail(
    waiting.reply,
    new CallFailed({
      reason: "refused",
      method: waiting.method,
      sent: true,
      code: shown(code),
      detail: shown(message),
      ...(retryable === undefined ? {} : { retryable }),
      ...(retryAfterMs === undefined ? {} : { retryAfterMs })
    })
  )
}

const loseAll = ({ pending }: Connected, end: Option.Option<LineEnd>): Effect.Effect<void> =>
  Effect.sync(() => {
    const tooBig = Option.isSome(end) && end.value._tag === "Closed" && end.value.code === Wire.closeCodes.tooBig
    for (const { method, reply } of pending.values()) {
      const lost = new CallFailed({ reason: "lost", method, sent: true, ...(tooBig ? { code: frameTooLarge } : {}) })
      Deferred.doneUnsafe(reply, Effect.fail(lost))
    }
  })

/** A frame that could not be written may still have left in part: it counts as sent. */
const sent = (sending: Effect.Effect<void, LineEnd>, method: string): Effect.Effect<void, CallFailed> =>
  Effect.mapError(sending, () => new CallFailed({ reason: "lost", method, sent: true }))

const endOf = Effect.fnUntraced(function* (end: LineEnd, opened: boolean, { url, token }: Peer): Effect.fn.Return<ConnectionEnd> {
  const words = end._tag === "Failed" ? end.detail : `closed with ${end.code} ${end.detail}`.trimEnd()
  return {
    reason: end._tag === "Failed" ? end.reason : reasonOf(end.code, opened),
    // The peer's words, so anything may be in them, what we sent it included.
    detail: shown(token === undefined ? words : words.replaceAll(Redacted.value(token), "(token)")),
    atMs: yield* Clock.currentTimeMillis,
    opened,
    retryAfterMs: end._tag === "Failed" ? end.retryAfterMs : undefined,
    chance: yield* Random.next,
    distance: url.distance
  }
})

/** What a close code means. Before hello, `policy` is about who we are; after it, about how we behaved. */
const reasonOf = (code: number, opened: boolean): LostReason => {
  switch (code) {
    case Wire.closeCodes.wrongProtocol:
      return "wrongProtocol"
    case Wire.closeCodes.policy:
      return opened ? "closed" : "unauthorized"
    case Wire.closeCodes.restart:
      return "restarting"
    case Wire.closeCodes.starting:
      return "starting"
    case Wire.closeCodes.abnormal:
      return "reset"
    case Wire.closeCodes.silent:
      return "silent"
    default:
      return "closed"
  }
}
