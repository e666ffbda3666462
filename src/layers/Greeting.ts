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
import * as Wire from "../domain/Wire.ts"
import { type Dial, failed, type Line, type LineEnd } from "./Dial.ts"

/** Whom to greet, and as whom. */
export interface Peer {
  readonly url: GatewayUrl
  readonly token: Redacted.Redacted | undefined
  /** The token as it is by now, read anew before each try after one that was refused for it. */
  readonly tokenAgain?: Effect.Effect<Redacted.Redacted | undefined, Problem> | undefined
  /** For the peer's list of who is connected. */
  readonly version: string
}

/** A line on which both sides know one another. */
export interface Greeting {
  readonly line: Line
  readonly hello: Wire.HelloOk
  /** By how much its clock is ahead of ours, where that is too much. */
  readonly skewMs: number | undefined
}

/** Dialing, upgrade and greeting together. */
const handshakeMs = 4_000
/** The skew of clocks that a gateway allows where something is signed. */
const skewMaxMs = 120_000
/** Results are reported by `chat.inject`, which is an admin's method. */
const scopes = ["operator.read", "operator.write", "operator.admin"]

/** Dials and says who we are. The line is open when this succeeds, and it ends with the scope. `hear` is told of frames that come to nothing. */
export const greet = Effect.fnUntraced(
  function* (
    dial: Dial["Service"],
    { url, token, version }: Peer,
    hear: (problem: FrameProblem) => Effect.Effect<void>
  ): Effect.fn.Return<Greeting, LineEnd, Scope.Scope> {
    const line = yield* dial.connect(url.ws)
    const first = readFrame(yield* line.take)
    if (Result.isFailure(first)) return yield* failed("notAGateway", `its first frame: ${first.failure.detail}`, first.failure.code)
    if (first.success.type !== "event" || first.success.event !== "connect.challenge") {
      return yield* failed("notAGateway", "its first frame was not connect.challenge", "GATEWAY_PROTOCOL")
    }
    const skewMs = skewOf(first.success.payload, yield* Clock.currentTimeMillis)
    yield* line.send(
      Wire.request("connect", "connect", {
        minProtocol: Wire.protocol,
        maxProtocol: Wire.protocol,
        client: { id: "gateway-client", mode: "backend", version, platform: process.platform, displayName: "holdfast" },
        role: "operator",
        scopes,
        caps: [],
        ...(token === undefined ? {} : { auth: { token: Redacted.value(token) } })
      } satisfies Wire.ConnectParams)
    )
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
      return { line, hello: hello.success, skewMs }
    }
  },
  Effect.timeoutOrElse({
    duration: handshakeMs,
    orElse: () => failed("silent", `no hello within ${handshakeMs} ms`, "GATEWAY_TIMEOUT")
  })
)

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
