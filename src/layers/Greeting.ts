/** The greeting: from a dialed line to one on which calls can be made, or to the reason why not. */
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"
import type * as Scope from "effect/Scope"
import type { GatewayUrl } from "../domain/GatewayUrl.ts"
import * as Wire from "../domain/Wire.ts"
import type { LostReason } from "../machines/session.ts"
import { type Dial, failed, type Line, type LineEnd } from "./Dial.ts"

/** Whom to greet, and as whom. */
export interface Peer {
  readonly url: GatewayUrl
  readonly token: Redacted.Redacted | undefined
  /** For the peer's list of who is connected. */
  readonly version: string
}

/** A line on which both sides know one another. */
export interface Greeting {
  readonly line: Line
  readonly hello: Wire.HelloOk
}

/** Dialing and upgrade, until the peer's challenge. */
const challengeMs = 5_000
/** Until its answer to `connect`. A gateway lets who shows it wrong tokens wait for the refusal, five seconds in the end. */
const answerMs = 10_000
/** Results are reported by `chat.inject`, which is an admin's method. */
const scopes = ["operator.read", "operator.write", "operator.admin"]

/** Dials and says who we are. The line is open when this succeeds, and it ends with the scope. */
export const greet = Effect.fnUntraced(function* (
  dial: Dial["Service"],
  { url, token, version }: Peer
): Effect.fn.Return<Greeting, LineEnd, Scope.Scope> {
  const line = yield* within(challengeMs, "challenge", challenged(dial, url))
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
  return { line, hello: yield* within(answerMs, "hello", answered(line)) }
})

const challenged = Effect.fnUntraced(function* (dial: Dial["Service"], url: GatewayUrl): Effect.fn.Return<Line, LineEnd, Scope.Scope> {
  const line = yield* dial.connect(url.ws)
  const challenge = Wire.parseFrame(yield* line.take)
  if (Result.isFailure(challenge) || challenge.success.type !== "event" || challenge.success.event !== "connect.challenge") {
    return yield* failed("notAGateway", "its first frame was not connect.challenge")
  }
  return line
})

const answered = Effect.fnUntraced(function* (line: Line): Effect.fn.Return<Wire.HelloOk, LineEnd> {
  for (;;) {
    const frame = Wire.parseFrame(yield* line.take)
    if (Result.isFailure(frame) || frame.success.type !== "res" || frame.success.id !== "connect") continue // Events may come first.
    if (!frame.success.ok) return yield* Effect.fail(refusedBy(frame.success.error))
    const hello = Wire.parse(Wire.HelloOk, frame.success.payload)
    if (Result.isFailure(hello)) return yield* failed("wrongProtocol", "its hello is not one we know")
    if (hello.success.protocol !== Wire.protocol) return yield* failed("wrongProtocol", `it speaks version ${hello.success.protocol}`)
    const missing = scopes.filter((scope) => hello.success.auth?.scopes?.includes(scope) === false)
    // Better to say so now than to park every report later.
    if (missing.length > 0) return yield* failed("unauthorized", `the token does not grant ${missing.join(", ")}`)
    return hello.success
  }
})

const within = <A, R>(ms: number, what: string, effect: Effect.Effect<A, LineEnd, R>): Effect.Effect<A, LineEnd, R> =>
  Effect.timeoutOrElse(effect, { duration: ms, orElse: () => failed("silent", `no ${what} within ${ms} ms`) })

/** What a refused `connect` means. */
const refusedBy = ({ code, message, details, retryAfterMs }: Wire.WireError): LineEnd => {
  const reason: LostReason =
    details?.["code"] === "PROTOCOL_MISMATCH"
      ? "wrongProtocol"
      : code !== Wire.errorCodes.unavailable
        ? "unauthorized"
        : details?.["reason"] === "gateway-restarting"
          ? "restarting"
          : "starting"
  return { _tag: "Failed", reason, detail: message, ...(retryAfterMs === undefined ? {} : { retryAfterMs }) }
}
