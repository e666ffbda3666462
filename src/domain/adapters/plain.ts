/**
 * A gateway that takes JSON events over a WebSocket and answers `GET /health`: the least that reports can be brought to.
 *
 * It shows nothing of what it holds, so that a report whose answer was lost is sent once more, under the same `key`: such a gateway drops
 * what it has already. `docs/gateways.md` has every frame.
 */
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import type { GatewayAdapter, Turn } from "../GatewayAdapter.ts"
import { type ConnectParams, errorCodes, type InjectParams, protocol, type Request } from "../Wire.ts"

export const plainGateway: GatewayAdapter = {
  name: "plain",
  readyPath: "/health",
  readiness: (status) => (status >= 200 && status < 300 ? "ready" : { reason: status === 503 ? "starting" : "notAGateway" }),
  line: () => ({
    opened: () => ({ frames: [{ type: "event", event: "connect.challenge", payload: {} }] }),
    asked,
    heard
  })
}

const asked = ({ id, method, params }: Request): Turn => {
  switch (method) {
    case "connect": {
      const { client, auth } = params as ConnectParams
      return told({ type: "hello", id, client: `${client.displayName} ${client.version}`, token: auth?.token })
    }
    case "chat.inject": {
      const { sessionKey, message, label } = params as InjectParams
      return told({ type: "report", id, session: sessionKey, key: label, text: message })
    }
    case "chat.history":
      return answered(id, { messages: [], hasMore: false })
    case "sessions.messages.subscribe":
      return answered(id, {})
    default:
      return { frames: [{ type: "res", id, ok: false, error: { code: errorCodes.invalid, message: `a plain gateway has no ${method}` } }] }
  }
}

/** What such a gateway says. Anything else is of no interest. */
const Said = Schema.fromJsonString(
  Schema.Union([
    Schema.Struct({ type: Schema.Literal("welcome"), id: Schema.String, boot: Schema.String }),
    Schema.Struct({ type: Schema.Literal("ok"), id: Schema.String }),
    Schema.Struct({
      type: Schema.Literal("error"),
      id: Schema.String,
      code: Schema.String,
      message: Schema.optionalKey(Schema.String),
      retryable: Schema.optionalKey(Schema.Boolean),
      retryAfterMs: Schema.optionalKey(Schema.Finite)
    }),
    Schema.Struct({ type: Schema.Literal("event"), event: Schema.String, data: Schema.optionalKey(Schema.Unknown) })
  ])
)
const decode = Schema.decodeUnknownResult(Said)

const heard = (text: string): Turn => {
  const said = decode(text)
  if (Result.isFailure(said)) return {}
  const frame = said.success
  switch (frame.type) {
    case "welcome":
      return answered(frame.id, { type: "hello-ok", protocol, server: { version: "plain", bootId: frame.boot } })
    case "ok":
      return answered(frame.id, { ok: true })
    case "error": {
      const { type: _, id, message = "", ...error } = frame
      return { frames: [{ type: "res", id, ok: false, error: { ...error, message } }] }
    }
    case "event":
      return { frames: [{ type: "event", event: frame.event, payload: frame.data }] }
  }
}

const told = (frame: object): Turn => ({ tell: [JSON.stringify(frame)] })
const answered = (id: string, payload: unknown): Turn => ({ frames: [{ type: "res", id, ok: true, payload }] })
