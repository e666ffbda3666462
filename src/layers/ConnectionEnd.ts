/** From how a line ended to what the session's machine is told: the reason, the code of the problem, and when to come again. */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Random from "effect/Random"
import * as Redacted from "effect/Redacted"
import { shown } from "../domain/Errors.ts"
import type { LinkCode } from "../domain/LinkProblem.ts"
import type { Distance } from "../domain/policies/backoff.ts"
import * as Wire from "../domain/Wire.ts"
import type { ConnectionEnd, LostReason } from "../machines/session.ts"
import type { LineEnd } from "./Dial.ts"

/** What was known of a connection by its end. */
export interface Known {
  /** Whether it had got as far as hello. */
  readonly opened: boolean
  /** What the peer said of its going. */
  readonly shutdown: typeof Wire.Shutdown.Type | undefined
  /** The token that was sent. */
  readonly token: Redacted.Redacted | undefined
  readonly distance: Distance
}

export const endOf = Effect.fnUntraced(function* (
  end: LineEnd,
  { opened, shutdown, token, distance }: Known
): Effect.fn.Return<ConnectionEnd> {
  const words = end._tag === "Failed" ? end.detail : `closed with ${end.code} ${end.detail}`.trimEnd()
  const reason = end._tag === "Failed" ? end.reason : reasonOf(end.code, opened)
  const announced = shutdown !== undefined && (reason === "closed" || reason === "reset" || reason === "restarting")
  return {
    reason: announced ? "restarting" : reason,
    // The peer's words, so anything may be in them, what we sent it included.
    detail: shown(withoutToken(words, token)),
    problem: announced ? undefined : end._tag === "Failed" ? end.problem : problemOf(end.code, opened),
    atMs: yield* Clock.currentTimeMillis,
    opened,
    retryAfterMs: announced ? shutdown.restartExpectedMs : end._tag === "Failed" ? end.retryAfterMs : undefined,
    chance: yield* Random.next,
    distance
  }
})

/** What a peer says, without what we sent it. */
export const withoutToken = (words: string, token: Redacted.Redacted | undefined): string =>
  token === undefined ? words : words.replaceAll(Redacted.value(token), "(token)")

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

const problemOf = (code: number, opened: boolean): LinkCode | undefined => {
  switch (code) {
    case Wire.closeCodes.wrongProtocol:
      return "GATEWAY_VERSION"
    case Wire.closeCodes.policy:
      return opened ? undefined : "GATEWAY_AUTH"
    case Wire.closeCodes.notUtf8:
      return "FRAME_SYNTAX"
    case Wire.closeCodes.tooBig:
      return "FRAME_TOO_LARGE"
    case Wire.closeCodes.silent:
      return "GATEWAY_SILENT"
    default:
      return undefined
  }
}
