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
import type * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"
import * as Stream from "effect/Stream"
import * as SubscriptionRef from "effect/SubscriptionRef"
import { explain, type Problem, shown } from "../domain/Errors.ts"
import { type FrameProblem, readFrame } from "../domain/FrameReading.ts"
import { type LinkCode, linkProblem } from "../domain/LinkProblem.ts"
import { type Oddities, noOddities, type Oddity } from "../domain/Oddities.ts"
import * as Wire from "../domain/Wire.ts"
import { type ConnectionEnd, sessionMachine } from "../machines/session.ts"
import { fromEffect } from "./actor.ts"
import { Dial, failed, type Line, type LineEnd } from "./Dial.ts"
import { endOf, withoutToken } from "./ConnectionEnd.ts"
import { greet, type Peer, skewProblem } from "./Greeting.ts"
import { networkChanged } from "./Network.ts"

/** Why a call has no result. Unless `sent` is false or `reason` is `refused`, the peer may have done what was asked. */
export class CallFailed extends Data.TaggedError("CallFailed")<{
  readonly reason: "notConnected" | "lost" | "timeout" | "refused"
  readonly method: string
  /** Whether the frame had left us. */
  readonly sent: boolean
  /** Of a refusal: the peer's code and words, and whether and when it wants to be asked again. Of a timeout: GATEWAY_TIMEOUT. */
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

export interface SessionOddities {
  readonly counted: Oddities
  /** The last frame that was not understood. */
  readonly misread?: Problem | undefined
  /** For as long as this connection lasts. */
  readonly skew?: Problem | undefined
}

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
    /**
     * One connection, from dialing to its end. `opened` is told once calls can be made, `heard` when the peer becomes slow and when it
     * is so no more. Used by the session's machine alone.
     */
    readonly connection: (
      opened: (bootId: string, atMs: number) => void,
      heard?: (pace: "slow" | "prompt") => void
    ) => Effect.Effect<ConnectionEnd>
    /** What the peer has sent that came to nothing, counted since the start; and what is wrong though the session is up. */
    readonly oddities: Effect.Effect<SessionOddities>
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
    connection: () => Effect.never,
    oddities: Effect.succeed({ counted: noOddities })
  })
}

/** The session's machine with its port plugged. */
export const bind = Effect.map(Session, (session) =>
  sessionMachine.provide({
    actors: {
      connection: fromEffect(({ sendBack }) =>
        session.connection(
          (bootId, atMs) => sendBack({ type: "connection.opened", bootId, atMs }),
          (pace) => sendBack({ type: `connection.${pace}` })
        )
      ),
      network: fromEffect(({ input }: { input: ConnectionEnd | undefined }) => (input === undefined ? Effect.never : networkChanged(input)))
    }
  })
)

/** A ping this often, with this long to answer: a peer that hangs is noticed within their sum. One that takes longer than the last is slow. */
const pingEveryMs = 1_500
const pongWithinMs = 3_000
const slowAfterMs = 500
const callMs = 15_000
/** Events kept for a reader that is behind. */
const eventsMax = 256
/** So many frames are read of one second; the rest waits in the socket. */
const framesMax = 5_000

/** An open connection and the calls that wait on it. Replies that come on another one can find nothing here. */
interface Connected {
  /** What we greeted with: taken out of what the peer says. */
  readonly token: Redacted.Redacted | undefined
  readonly line: Line
  readonly bootId: string
  readonly sinceMs: number
  readonly scopes: ReadonlyArray<string>
  readonly renewal: Deferred.Deferred<never, LineEnd>
  readonly pending: Map<string, { readonly method: string; readonly reply: Deferred.Deferred<unknown, CallFailed> }>
  /** The number of the last call before this connection. */
  readonly callsBefore: number
  /** Of the last event that had one. */
  seq: number | undefined
  /** What the peer said of its going. */
  shutdown: typeof Wire.Shutdown.Type | undefined
  floodedAtMs: number | undefined
}

const make = Effect.fnUntraced(function* (peer: Peer): Effect.fn.Return<Session["Service"], never, Dial> {
  const dial = yield* Dial
  const current = yield* SubscriptionRef.make<Connected | undefined>(undefined)
  const events = yield* PubSub.sliding<Wire.Event>(eventsMax)
  let calls = 0 // Over all connections, so that an id names one call for ever.
  let token = peer.token
  let refused = false
  let counted = noOddities
  let misreadLast: Problem | undefined
  let skew: Problem | undefined
  const told = new Set<LinkCode>()

  /** Once for each code until the session is up and well again: what happens at every try is one fact. */
  const tell = (code: LinkCode, detail: string) =>
    Effect.suspend(() => {
      if (told.has(code)) return Effect.void
      told.add(code)
      return Effect.logWarning(explain(linkProblem("session", code, detail)))
    })
  const count = (oddity: Oddity) =>
    Effect.sync(() => {
      counted = { ...counted, [oddity]: counted[oddity] + 1 }
    })
  const misread = ({ code, detail }: FrameProblem) =>
    Effect.suspend(() => {
      misreadLast = linkProblem("session", code, detail)
      return Effect.andThen(count(code === "FRAME_FLOOD" ? "flood" : "unknownFrame"), tell(code, detail))
    })

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
      Effect.timeoutOrElse({
        duration: timeoutMs,
        orElse: () => Effect.fail(new CallFailed({ reason: "timeout", method, sent: true, code: "GATEWAY_TIMEOUT" }))
      }),
      Effect.ensuring(Effect.sync(() => connected.pending.delete(id)))
    )
  })

  /** Takes frames for as long as there are any, and no more of them than there should be. */
  const read = Effect.fnUntraced(function* (connected: Connected): Effect.fn.Return<never, LineEnd> {
    for (;;) {
      const beganAtMs = yield* Clock.currentTimeMillis
      for (let frames = 0; frames < framesMax; frames++) yield* understand(connected, yield* connected.line.take)
      const nowMs = yield* Clock.currentTimeMillis
      const leftMs = Math.min(1_000, beganAtMs + 1_000 - nowMs) // However the clock was set meanwhile.
      if (leftMs <= 0) continue
      connected.floodedAtMs = nowMs
      yield* misread({ code: "FRAME_FLOOD", detail: `${framesMax} frames within a second` })
      yield* Effect.sleep(leftMs) // Nobody takes meanwhile, so that the socket is paused.
    }
  })

  const understand = Effect.fnUntraced(function* (connected: Connected, text: string | undefined) {
    const frame = readFrame(text)
    if (Result.isFailure(frame)) return yield* misread(frame.failure)
    switch (frame.success.type) {
      case "res": {
        if (connected.pending.has(frame.success.id)) return yield* settle(connected, frame.success)
        const number = /^h\d{1,15}$/.test(frame.success.id) ? Number(frame.success.id.slice(1)) : 0
        return yield* count(number > connected.callsBefore && number <= calls ? "lateAnswer" : "unknownId")
      }
      case "event":
        return yield* happened(connected, frame.success)
      case "req":
        return yield* count("unknownFrame") // Nothing of ours can be called.
    }
  })

  const happened = Effect.fnUntraced(function* (connected: Connected, event: Wire.Event) {
    const { seq } = event
    if (seq !== undefined) {
      const missed = connected.seq !== undefined && seq > connected.seq + 1
      connected.seq = Math.max(seq, connected.seq ?? seq)
      if (missed) yield* Effect.andThen(count("missedEvents"), PubSub.publish(events, Wire.eventsMissed))
    }
    if (event.event === "tick") return
    if (event.event === "shutdown") connected.shutdown = Result.getOrElse(Wire.parse(Wire.Shutdown, event.payload), () => ({ reason: "" }))
    if (/(^|\.)redirect$/.test(event.event)) yield* count("redirectAsked") // The address comes from the config alone.
    yield* PubSub.publish(events, event)
  })

  const connection: Session["Service"]["connection"] = Effect.fnUntraced(function* (opened, heard = () => {}) {
    let connected: Connected | undefined
    if (refused && peer.tokenAgain !== undefined) {
      token = yield* Effect.catch(peer.tokenAgain, (wrong) => Effect.as(Effect.logWarning(explain(wrong)), token))
    }
    const ended: LineEnd = yield* Effect.flip(
      Effect.scoped(
        Effect.gen(function* () {
          const { line, hello, scopes, skewMs } = yield* greet(dial, { ...peer, token }, misread)
          const { bootId } = hello.server
          const sinceMs = yield* Clock.currentTimeMillis
          told.clear()
          skew = skewMs === undefined ? undefined : skewProblem(skewMs)
          connected = {
            token,
            line,
            bootId,
            sinceMs,
            scopes,
            renewal: yield* Deferred.make<never, LineEnd>(),
            pending: new Map(),
            callsBefore: calls,
            seq: undefined,
            shutdown: undefined,
            floodedAtMs: undefined
          }
          const here = connected
          yield* Effect.acquireRelease(SubscriptionRef.set(current, here), () => SubscriptionRef.set(current, undefined))
          opened(bootId, sinceMs)
          return yield* Effect.raceAllFirst([read(here), watch(here, heard), Deferred.await(here.renewal)]).pipe(
            Effect.onExit((exit) => loseAll(here, Exit.isFailure(exit) ? Cause.findErrorOption(exit.cause) : Option.none()))
          )
        })
      )
    )
    const end = yield* endOf(ended, { opened: connected !== undefined, shutdown: connected?.shutdown, token, distance: peer.url.distance })
    skew = undefined
    refused = end.reason === "unauthorized"
    if (end.problem === "GATEWAY_REDIRECT") yield* count("redirectAsked")
    return end
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
    connection,
    oddities: Effect.sync(() => ({ counted, misread: misreadLast, skew }))
  }
})

/** Asks for a sign of life, again and again: a peer that hangs keeps its socket open for ever. */
const watch = Effect.fnUntraced(function* (
  connected: Connected,
  heard: (pace: "slow" | "prompt") => void
): Effect.fn.Return<never, LineEnd> {
  let slow = false
  const pace = (now: boolean) => {
    if (now !== slow) heard(now ? "slow" : "prompt")
    slow = now
  }
  for (;;) {
    yield* Effect.sleep(pingEveryMs)
    let late = false
    const lateness = Effect.andThen(Effect.sleep(slowAfterMs), () => {
      late = true
      pace(true)
      return Effect.never
    })
    yield* Effect.raceFirst(connected.line.ping, lateness).pipe(
      Effect.timeoutOrElse({
        duration: pongWithinMs,
        orElse: () =>
          Effect.flatMap(Clock.currentTimeMillis, (nowMs) =>
            nowMs - (connected.floodedAtMs ?? -Infinity) < pingEveryMs + pongWithinMs
              ? failed("closed", `it sends more than ${framesMax} frames a second`, "FRAME_FLOOD")
              : failed("silent", `no pong within ${pongWithinMs} ms`, "GATEWAY_SILENT")
          )
      })
    )
    if (!late) pace(false)
  }
})

const settle = ({ pending, token }: Connected, response: Wire.Response): Effect.Effect<unknown> => {
  const waiting = pending.get(response.id)
  if (waiting === undefined) return Effect.void
  pending.delete(response.id) // A second answer finds nobody.
  if (response.ok) return Deferred.succeed(waiting.reply, response.payload)
  const { code, message, retryable, retryAfterMs } = response.error
  return Deferred.fail(
    waiting.reply,
    new CallFailed({
      reason: "refused",
      method: waiting.method,
      sent: true,
      code: shown(withoutToken(code, token)),
      detail: shown(withoutToken(message, token)),
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
