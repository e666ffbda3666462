/** The greeting: from a dialed line to one on which calls can be made, or to the reason why not. */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"
import type * as Scope from "effect/Scope"
import type { Problem } from "../domain/Errors.ts"
import { type FrameProblem, readFrame } from "../domain/FrameReading.ts"
import type { GatewayUrl } from "../domain/GatewayUrl.ts"
import { linkProblem } from "../domain/LinkProblem.ts"
import { scopesFor } from "../domain/Outbox.ts"
import * as Wire from "../domain/Wire.ts"
import type { Device } from "./Device.ts"
import { type Dial, failed, type Line, type LineEnd } from "./Dial.ts"

/** Whom to greet, and as whom. */
export interface Peer {
  readonly url: GatewayUrl
  readonly token: Redacted.Redacted | undefined
  /** The token as it is by now, read anew before each try after one that was refused for it. */
  readonly tokenAgain?: Effect.Effect<Redacted.Redacted | undefined, Problem> | undefined
  /** For the peer's list of who is connected. */
  readonly version: string
  /** Who we are to one on another machine; a gateway on this one knows us by its token alone. */
  readonly device?: Device | undefined
  /** What to ask for, anew at each greeting; all that any report needs where nothing is said. */
  readonly scopes?: Effect.Effect<ReadonlyArray<string>>
}

/** A line on which both sides know one another. */
export interface Greeting {
  readonly line: Line
  readonly hello: Wire.HelloOk
  /** What was asked for and not refused. */
  readonly scopes: ReadonlyArray<string>
  /** By how much its clock is ahead of ours, where that is too much. */
  readonly skewMs: number | undefined
}

/** Dialing and upgrade, until the peer's challenge. */
const challengeMs = 4_000
/** Until its answer to `connect`. A gateway lets who shows it wrong tokens wait for the refusal, five seconds in the end. */
const answerMs = 10_000
/** Meanwhile it is asked for a sign of life, with this long to answer: one that hangs is not waited for. */
const pongWithinMs = 3_000
/** The skew of clocks that a gateway allows where something is signed. */
const skewMaxMs = 120_000
/** Results are reported by `chat.inject` unless a skill says otherwise, and that is an admin's method. */
const allScopes = Effect.succeed(scopesFor(["inject"]))
/** What the gateway takes for its own machine without a device; with one that makes no pair, and a command line does. */
const backend = { id: "gateway-client", mode: "backend", platform: process.platform }
const paired = { id: "cli", mode: "cli", platform: process.platform }
const role = "operator"

/** Dials and says who we are. The line is open when this succeeds, and it ends with the scope. `hear` is told of frames that come to nothing. */
export const greet = Effect.fnUntraced(function* (
  dial: Dial["Service"],
  { url, token, version, scopes: asked = allScopes, device }: Peer,
  hear: (problem: FrameProblem) => Effect.Effect<void>
): Effect.fn.Return<Greeting, LineEnd, Scope.Scope> {
  const scopes = yield* asked
  const { line, challenge } = yield* within(challengeMs, "challenge", challenged(dial, url))
  const skewMs = skewOf(challenge, yield* Clock.currentTimeMillis)
  const auth = yield* authentication({ token, device, scopes }, challenge)
  yield* line.send(
    Wire.request("connect", "connect", {
      minProtocol: Wire.protocol,
      maxProtocol: Wire.protocol,
      client: { ...(device === undefined ? backend : paired), version, displayName: "holdfast" },
      role,
      scopes,
      caps: [],
      ...auth
    } satisfies Wire.ConnectParams)
  )
  const hello = yield* Effect.raceFirst(within(answerMs, "hello", answered(line, scopes, hear)), frozen(line))
  const given = hello.auth?.deviceToken
  if (device !== undefined && given !== undefined && given !== auth.auth?.token) yield* kept(device, given)
  return { line, hello, scopes, skewMs }
})

const challenged = Effect.fnUntraced(function* (
  dial: Dial["Service"],
  url: GatewayUrl
): Effect.fn.Return<{ readonly line: Line; readonly challenge: unknown }, LineEnd, Scope.Scope> {
  const line = yield* dial.connect(url.ws)
  const first = readFrame(yield* line.take)
  if (Result.isFailure(first)) return yield* failed("notAGateway", `its first frame: ${first.failure.detail}`, first.failure.code)
  if (first.success.type !== "event" || first.success.event !== "connect.challenge") {
    return yield* failed("notAGateway", "its first frame was not connect.challenge", "GATEWAY_PROTOCOL")
  }
  return { line, challenge: first.success.payload }
})

const answered = Effect.fnUntraced(function* (
  line: Line,
  scopes: ReadonlyArray<string>,
  hear: (problem: FrameProblem) => Effect.Effect<void>
): Effect.fn.Return<Wire.HelloOk, LineEnd> {
  for (;;) {
    const frame = readFrame(yield* line.take)
    if (Result.isFailure(frame)) yield* hear(frame.failure)
    if (Result.isFailure(frame) || frame.success.type !== "res" || frame.success.id !== "connect") continue // Events may come first.
    if (!frame.success.ok) return yield* Effect.fail(refusedBy(frame.success.error))
    const { protocol } = (frame.success.payload ?? {}) as { readonly protocol?: unknown }
    // Before its shape: that of another version may be another one.
    if (typeof protocol === "number" && protocol !== Wire.protocol) return yield* Effect.fail(otherVersion(protocol))
    const hello = Wire.parse(Wire.HelloOk, frame.success.payload)
    if (Result.isFailure(hello)) return yield* failed("wrongProtocol", "its hello is not one we know", "FRAME_SHAPE")
    const missing = scopes.filter((scope) => hello.success.auth?.scopes?.includes(scope) === false)
    // Better to say so now than to park every report later.
    if (missing.length > 0) return yield* failed("unauthorized", `the token does not grant ${missing.join(", ")}`, "GATEWAY_AUTH")
    return hello.success
  }
})

/** Ends a line whose peer lets the answer wait and gives no sign of life either. */
const frozen = (line: Line): Effect.Effect<never, LineEnd> =>
  Effect.forever(
    Effect.andThen(
      Effect.timeoutOrElse(line.ping, {
        duration: pongWithinMs,
        orElse: () => failed("silent", `no pong within ${pongWithinMs} ms`, "GATEWAY_SILENT")
      }),
      Effect.sleep(pongWithinMs)
    )
  )

const within = <A, R>(ms: number, what: string, effect: Effect.Effect<A, LineEnd, R>): Effect.Effect<A, LineEnd, R> =>
  Effect.timeoutOrElse(effect, { duration: ms, orElse: () => failed("silent", `no ${what} within ${ms} ms`, "GATEWAY_TIMEOUT") })

/** The token that we were given, else the one that this gateway gave our device; and the proof that we are that device. */
const authentication = Effect.fnUntraced(function* (
  { token, device, scopes }: Pick<Peer, "token" | "device"> & { readonly scopes: ReadonlyArray<string> },
  payload: unknown
): Effect.fn.Return<Pick<Wire.ConnectParams, "auth" | "device">, LineEnd> {
  const shared = token ?? (device === undefined ? undefined : yield* ours(device.token))
  const text = shared === undefined ? undefined : Redacted.value(shared)
  const auth = text === undefined ? {} : { auth: { token: text } }
  if (device === undefined) return auth
  const challenge = Wire.parse(Wire.Challenge, payload)
  if (Result.isFailure(challenge)) return auth // One of a kind that does not challenge anybody.
  const claim = { clientId: paired.id, clientMode: paired.mode, platform: paired.platform, role, scopes, token: text }
  return { ...auth, device: yield* ours(device.prove(claim, challenge.success)) }
})

/** Where that fails the one that we have is good for now, and this one is given again. */
const kept = (device: Device, token: string): Effect.Effect<void> =>
  Effect.catch(device.keep(token), (detail) => Effect.logWarning("the gateway's token for this device is not kept", detail))

/** A device that cannot be read is ours to mend, as a wrong token is. */
const ours = <A>(asked: Effect.Effect<A, string>): Effect.Effect<A, LineEnd> =>
  Effect.catch(asked, (detail) => failed("unauthorized", detail, "GATEWAY_AUTH"))

/** The problem of two clocks, in whole seconds. */
export const skewProblem = (skewMs: number): Problem =>
  linkProblem(
    "session",
    "GATEWAY_CLOCK_SKEW",
    `the gateway's clock is ${Math.round(Math.abs(skewMs) / 1_000)} s ${skewMs > 0 ? "ahead" : "behind"}`
  )

const skewOf = (payload: unknown, nowMs: number): number | undefined => {
  const challenge = Wire.parse(Wire.Challenge, payload)
  if (Result.isFailure(challenge)) return undefined
  const skewMs = challenge.success.ts - nowMs
  return Math.abs(skewMs) > skewMaxMs ? skewMs : undefined
}

const otherVersion = (theirs: unknown): LineEnd => ({
  _tag: "Failed",
  reason: "wrongProtocol",
  detail: `it speaks version ${typeof theirs === "number" ? theirs : "unknown"}, we speak ${Wire.protocol}`,
  problem: "GATEWAY_VERSION"
})

/** What a refused `connect` means. */
const refusedBy = ({ code, message, details, retryAfterMs }: Wire.WireError): LineEnd => {
  if (details?.["code"] === "PROTOCOL_MISMATCH") return otherVersion(details["expectedProtocol"])
  if (code !== Wire.errorCodes.unavailable) return { _tag: "Failed", reason: "unauthorized", detail: message, problem: "GATEWAY_AUTH" }
  return {
    _tag: "Failed",
    reason: details?.["reason"] === "gateway-restarting" ? "restarting" : "starting",
    detail: message,
    ...(retryAfterMs === undefined ? {} : { retryAfterMs })
  }
}
