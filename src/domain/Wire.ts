/**
 * The part of OpenClaw's wire, version 4, that Holdfast speaks: JSON text frames over one WebSocket, in both directions.
 *
 * Reading is tolerant: unknown fields are dropped, unknown events are events, unknown methods are requests. What we write
 * is exact, since the other side refuses parameters it does not know. Instants are milliseconds since the Unix epoch.
 */
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"

/** The only version we speak. */
export const protocol = 4
/** The longest frame we take or send, in bytes. The peer would take 25 MiB; nothing we exchange comes near that. */
export const frameMax = 1_048_576
/** The longest frame before hello, in bytes. */
export const frameMaxBeforeHello = 65_536
/** How often a server says `tick`, unless its hello says otherwise. */
export const tickIntervalMs = 30_000
/** How long a server waits for `connect`. */
export const handshakeMs = 15_000
/** The longest label of an injected message, in characters. */
export const labelMax = 100

/** What the close codes mean on this wire. */
export const closeCodes = {
  normal: 1000,
  wrongProtocol: 1002,
  /** Never sent: the connection ended without a close frame. */
  abnormal: 1006,
  notUtf8: 1007,
  /** Authentication, pairing, origin, or a first frame that is not a good `connect`. */
  policy: 1008,
  tooBig: 1009,
  /** A planned stop or restart, announced by `shutdown`. */
  restart: 1012,
  /** Not ready yet: the refusal before it says when to come back. */
  starting: 1013,
  /** The client's own: the peer was silent for too long. */
  silent: 4000
} as const

/** The codes of refusals. Decide by `code` and `details`, never by `message`. */
export const errorCodes = {
  invalid: "INVALID_REQUEST",
  forbidden: "FORBIDDEN",
  notPaired: "NOT_PAIRED",
  unavailable: "UNAVAILABLE"
} as const

const text = Schema.String
const instant = Schema.Finite
const optional = Schema.optionalKey
const details = optional(Schema.Record(text, Schema.Unknown))

/** Why a request was refused. `retryAfterMs` is a lower bound. */
export const WireError = Schema.Struct({
  code: text,
  message: text,
  details,
  retryable: optional(Schema.Boolean),
  retryAfterMs: optional(instant)
})
export type WireError = typeof WireError.Type

export const Request = Schema.Struct({ type: Schema.Literal("req"), id: text, method: text, params: optional(Schema.Unknown) })
export type Request = typeof Request.Type

export const Reply = Schema.Struct({ type: Schema.Literal("res"), id: text, ok: Schema.Literal(true), payload: optional(Schema.Unknown) })
export const Refusal = Schema.Struct({ type: Schema.Literal("res"), id: text, ok: Schema.Literal(false), error: WireError })
export const Response = Schema.Union([Reply, Refusal])
export type Response = typeof Response.Type

/** `seq` counts per connection; a gap means that something was not sent to us. */
export const Event = Schema.Struct({
  type: Schema.Literal("event"),
  event: text,
  payload: optional(Schema.Unknown),
  seq: optional(Schema.Int)
})
export type Event = typeof Event.Type

export const Frame = Schema.Union([Request, Response, Event])
export type Frame = typeof Frame.Type

/** Told to our own readers of events when a gap in `seq` shows that some were not sent to us. Never on the wire. */
export const eventsMissed: Event = { type: "event", event: "events.missed" }

/** The first frame of a server: event `connect.challenge`. */
export const Challenge = Schema.Struct({ nonce: text, ts: instant })

/** Parameters of `connect`, which must be the first frame of a client. */
export const ConnectParams = Schema.Struct({
  minProtocol: Schema.Int,
  maxProtocol: Schema.Int,
  client: Schema.Struct({ id: text, mode: text, version: text, platform: text, displayName: optional(text) }),
  role: text,
  scopes: Schema.Array(text),
  caps: optional(Schema.Array(text)),
  auth: optional(Schema.Struct({ token: optional(text) })),
  device: optional(Schema.Struct({ id: text, publicKey: text, signature: text, signedAt: instant, nonce: text }))
})
export type ConnectParams = typeof ConnectParams.Type

/** The reply to `connect`. `bootId` changes whenever the server process or its in-process incarnation does. */
export const HelloOk = Schema.Struct({
  type: Schema.Literal("hello-ok"),
  protocol: Schema.Int,
  server: Schema.Struct({ version: text, bootId: text, connId: optional(text) }),
  auth: optional(Schema.Struct({ role: optional(text), scopes: optional(Schema.Array(text)), deviceToken: optional(text) })),
  policy: optional(Schema.Struct({ maxPayload: optional(Schema.Finite), tickIntervalMs: optional(Schema.Finite) }))
})
export type HelloOk = typeof HelloOk.Type

/** Payload of event `tick`, every `tickIntervalMs`. */
export const Tick = Schema.Struct({ ts: instant })
/** Payload of event `health` and reply to method `health`: whatever the server knows of itself. */
export const Health = Schema.Record(text, Schema.Unknown)
/** Payload of event `shutdown`, which comes right before close 1012. */
export const Shutdown = Schema.Struct({ reason: text, restartExpectedMs: optional(instant) })

/** `limit` is 1 to 1000; `offset` counts back from the newest message; longer texts are cut to `maxChars`. */
export const HistoryParams = Schema.Struct({
  sessionKey: text,
  limit: optional(Schema.Int),
  offset: optional(Schema.Int),
  maxChars: optional(Schema.Int)
})
export type HistoryParams = typeof HistoryParams.Type

/** The most messages one `chat.history` gives. */
export const historyLimitMax = 1_000

/** Content is text, or parts of which some hold text. */
export const Message = Schema.Struct({
  role: text,
  content: optional(Schema.Union([text, Schema.Array(Schema.Struct({ type: optional(text), text: optional(text) }))])),
  text: optional(text),
  timestamp: optional(Schema.Union([instant, text]))
})
export type Message = typeof Message.Type

/** A page of a transcript, oldest message first. `nextOffset` leads to the page before it. */
export const History = Schema.Struct({
  messages: Schema.Array(Message),
  hasMore: optional(Schema.Boolean),
  nextOffset: optional(Schema.Int)
})
export type History = typeof History.Type

/** Appends an assistant row without asking a model. Not idempotent: the same call twice makes two rows. Needs `operator.admin`. */
export const InjectParams = Schema.Struct({ sessionKey: text, message: text, label: optional(text) })
export type InjectParams = typeof InjectParams.Type
export const Injected = Schema.Struct({ ok: Schema.Literal(true), messageId: optional(text) })

/** Leaves a line for the next heartbeat of a session, or starts one now. Held in memory, the last 20 of them: a reply says only that it was taken. */
export const WakeParams = Schema.Struct({ mode: Schema.Literals(["now", "next-heartbeat"]), text, sessionKey: optional(text) })
export type WakeParams = typeof WakeParams.Type
/** How many lines a gateway holds at most. */
export const wakesMax = 20

/** Body of `POST /hooks/wake`, with the hook token as bearer. */
export const HookWakeBody = Schema.Struct({ text, mode: optional(Schema.Literals(["now", "next-heartbeat"])) })

/** Makes a session, or finds the one that has this key. */
export const CreateParams = Schema.Struct({ key: text })
export const Created = Schema.Struct({ key: optional(text), sessionId: optional(text) })

/** A job of the gateway's scheduler. What is not read is left out; kinds and payloads are judged by `OpenClawJob`. */
export const CronJob = Schema.Struct({
  id: text,
  name: text,
  enabled: Schema.Boolean,
  declarationKey: optional(text),
  schedule: Schema.Struct({
    kind: text,
    expr: optional(text),
    tz: optional(text),
    staggerMs: optional(instant),
    everyMs: optional(instant),
    anchorMs: optional(instant),
    at: optional(text)
  }),
  payload: Schema.Record(text, Schema.Unknown),
  delivery: optional(Schema.Record(text, Schema.Unknown)),
  trigger: optional(Schema.Unknown),
  pacing: optional(Schema.Unknown),
  /** Absent of a job that is not enabled. In the past, it runs at once. */
  nextRunAtMs: optional(instant)
})
export type CronJob = typeof CronJob.Type

/** A page of jobs, at most `limit` of them from `offset` on. */
export const CronListParams = Schema.Struct({
  includeDisabled: optional(Schema.Boolean),
  limit: optional(Schema.Int),
  offset: optional(Schema.Int)
})
/** Jobs are read one by one, so that one of a later version hides no other. */
export const CronList = Schema.Struct({ jobs: Schema.Array(Schema.Unknown), nextOffset: optional(Schema.NullOr(Schema.Int)) })

/** Changes a job; the reply is the job. Needs `operator.admin`. */
export const CronUpdateParams = Schema.Struct({ id: text, patch: Schema.Struct({ enabled: Schema.Boolean }) })

/** Asks for `session.message` events of one session, for as long as this connection lasts. */
export const SubscribeParams = Schema.Struct({ key: text })

/** Payload of event `session.message`: a row was added. */
export const SessionMessage = Schema.Struct({ sessionKey: text, messageId: optional(text), message: optional(Schema.Unknown) })

/** The methods we use, each with the shape of its parameters and of its reply. */
export const methods = {
  connect: { params: ConnectParams, result: HelloOk },
  health: { params: Schema.Struct({}), result: Health },
  "chat.history": { params: HistoryParams, result: History },
  "chat.inject": { params: InjectParams, result: Injected },
  wake: { params: WakeParams, result: Schema.Unknown },
  "cron.list": { params: CronListParams, result: CronList },
  "cron.update": { params: CronUpdateParams, result: CronJob },
  "sessions.create": { params: CreateParams, result: Created },
  "sessions.messages.subscribe": { params: SubscribeParams, result: Schema.Unknown }
} as const
export type Method = keyof typeof methods

/** Reads one frame. The failure says what was wrong with it, without the frame. */
export const parseFrame = (frame: string): Result.Result<Frame, string> => Result.mapError(decodeFrame(frame), String)
const decodeFrame = Schema.decodeUnknownResult(Schema.fromJsonString(Frame))

/** Reads a payload or parameters as one of the shapes above; unknown fields are dropped. */
export const parse = <S extends Schema.ConstraintDecoder<unknown>>(schema: S, value: unknown): Result.Result<S["Type"], string> =>
  Result.mapError(Schema.decodeUnknownResult(schema)(value), String)

/** The frame of a request. */
export const request = (id: string, method: string, params: unknown): string => JSON.stringify({ type: "req", id, method, params })
/** The frame of a good reply. */
export const reply = (id: string, payload: unknown): string => JSON.stringify({ type: "res", id, ok: true, payload })
/** The frame of a refusal. */
export const refusal = (id: string, error: WireError): string => JSON.stringify({ type: "res", id, ok: false, error })
/** The frame of an event. */
export const event = (name: string, payload: unknown, seq?: number): string =>
  JSON.stringify({ type: "event", event: name, payload, ...(seq === undefined ? {} : { seq }) })

/** A message's text, its parts joined by newlines. */
export const textOf = (message: Message): string => {
  if (typeof message.content === "string") return message.content
  if (message.content !== undefined) return message.content.flatMap((part) => part.text ?? []).join("\n")
  return message.text ?? ""
}
