/** The embedded gateway's judgement of a client's first frame. */
import { createHash, createHmac, timingSafeEqual } from "node:crypto"
import * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import { isProven } from "../domain/DeviceProof.ts"
import { closeCodes, ConnectParams, errorCodes, frameMaxBeforeHello, parseFrame, protocol, type WireError } from "../domain/Wire.ts"

/** Taken, with the scopes it gets and the token of its device, where it has one; or turned away with a close code, and an error where there is a request to answer. */
export type Verdict =
  | {
      readonly _tag: "Taken"
      readonly id: string
      readonly params: ConnectParams
      readonly scopes: ReadonlyArray<string>
      readonly deviceToken: string | undefined
    }
  | Refusal

interface Refusal {
  readonly _tag: "Refused"
  /** Of the request to answer, where there is one. */
  readonly id: string | undefined
  readonly error: WireError
  readonly close: number
  readonly reason: string
}

/** Judges the first frame of a client of a gateway that is live, which challenged it with this word. */
export const judge = (first: string, token: Redacted.Redacted, nonce: string): Verdict => {
  if (Buffer.byteLength(first) > frameMaxBeforeHello) return refused(undefined, closeCodes.tooBig, invalid("first frame too big"))
  const frame = parseFrame(first)
  // The real one gives no reason for what is not even a frame.
  if (Result.isFailure(frame)) return { ...refused(undefined, closeCodes.normal, invalid("not a frame")), reason: "" }
  if (frame.success.type !== "req") return refused(undefined, closeCodes.policy, invalid("the first frame must be connect"))
  const { id, method } = frame.success
  if (method !== "connect") return refused(id, closeCodes.policy, invalid("the first request must be connect"))

  const decoded = decode(frame.success.params)
  if (Result.isFailure(decoded)) return refused(id, closeCodes.policy, invalid(`invalid connect params: ${decoded.failure}`))
  const params = decoded.success
  if (params.minProtocol > protocol || params.maxProtocol < protocol) {
    return refused(id, closeCodes.wrongProtocol, invalid("protocol mismatch", { code: "PROTOCOL_MISMATCH", expectedProtocol: protocol }))
  }
  if (!clientIds.has(params.client.id) || !clientModes.has(params.client.mode)) {
    return refused(id, closeCodes.policy, invalid("invalid connect params: unknown client id or mode"))
  }
  if (params.role !== "operator") {
    const error = { code: errorCodes.notPaired, message: "device identity required", details: { code: "DEVICE_IDENTITY_REQUIRED" } }
    return refused(id, closeCodes.policy, error)
  }
  const given = params.auth?.token
  const { device } = params
  if (device !== undefined && !isProven(device, claimOf(params), nonce)) {
    return refused(id, closeCodes.policy, invalid("device signature invalid", { code: "DEVICE_AUTH_SIGNATURE_INVALID" }))
  }
  const deviceToken = device === undefined ? undefined : deviceTokenOf(device.id, token)
  if (given === undefined) return refused(id, closeCodes.policy, unauthorized("missing"))
  if (!same(given, Redacted.value(token)) && (deviceToken === undefined || !same(given, deviceToken))) {
    return refused(id, closeCodes.policy, unauthorized("mismatch"))
  }
  return { _tag: "Taken", id, params, scopes: device !== undefined || keepsScopes(params) ? params.scopes : [], deviceToken }
}

const claimOf = ({ client, role, scopes, auth }: ConnectParams) => ({
  clientId: client.id,
  clientMode: client.mode,
  platform: client.platform,
  role,
  scopes,
  token: auth?.token
})

/** Good for one device, for as long as the gateway has this token. */
const deviceTokenOf = (device: string, token: Redacted.Redacted): string =>
  createHmac("sha256", Redacted.value(token)).update(device).digest("base64url")

const decode = (params: unknown) =>
  Result.mapError(Schema.decodeUnknownResult(ConnectParams)(params, { onExcessProperty: "error" }), String)

const refused = (id: string | undefined, close: number, error: WireError): Refusal => ({
  _tag: "Refused",
  id,
  error,
  close,
  reason: error.message.slice(0, reasonMax)
})
/** A close frame has room for 123 bytes of reason. */
const reasonMax = 120

const invalid = (message: string, details?: Record<string, unknown>): WireError => ({
  code: errorCodes.invalid,
  message,
  ...(details === undefined ? {} : { details })
})

const unauthorized = (why: "missing" | "mismatch"): WireError =>
  invalid(`unauthorized: gateway token ${why}`, {
    code: `AUTH_TOKEN_${why.toUpperCase()}`,
    authReason: `token_${why}`,
    canRetryWithDeviceToken: false,
    recommendedNextStep: "update_auth_credentials"
  })

// Digests have one length, so that not even the token's length shows in the time this takes.
export const same = (a: string, b: string): boolean => timingSafeEqual(digest(a), digest(b))
const digest = (text: string) => createHash("sha256").update(text).digest()

/** Other pairs of a known id and mode are let in, and silently keep no scope: they may ask for `health` alone. */
const keepsScopes = ({ client }: ConnectParams) =>
  (client.id === "gateway-client" && client.mode === "backend") || (client.id === "cli" && client.mode === "cli")
const clientIds = new Set(["gateway-client", "cli", "node-host", "openclaw-probe", "webchat", "test", "openclaw-tui"])
const clientModes = new Set(["webchat", "cli", "ui", "backend", "node", "worker", "probe", "test"])
