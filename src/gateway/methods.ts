/** What a connected client may ask of the embedded gateway: each method with its scope, its closed parameters and its work. */
import { randomUUID } from "node:crypto"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import {
  CreateParams,
  CronListParams,
  CronUpdateParams,
  errorCodes,
  historyLimitMax,
  HistoryParams,
  InjectParams,
  labelMax,
  type Request,
  SubscribeParams,
  WakeParams,
  type WireError
} from "../domain/Wire.ts"
import type { Client } from "./Client.ts"
import type { Condition } from "./Condition.ts"
import { enableJob, type Job, listJobs } from "./Jobs.ts"
import { keyProblem, type Row, type Transcript, type Transcripts } from "./Transcripts.ts"
import { addWake, type Wake } from "./wakes.ts"

/** What methods work on. */
export interface Core {
  readonly condition: Condition
  /** Replaced at every boot by what is on disk. */
  transcripts: Transcripts
  /** Lines for the next heartbeat, oldest first; a boot knows none. */
  readonly wakes: Array<Wake>
  /** Of its scheduler, which fires nothing here. They outlive a boot, as those of a real one do. */
  jobs: ReadonlyArray<Job>
  /** Tells every connected client that `hears` it; without `hears`, all. */
  readonly broadcast: (event: string, payload: unknown, hears?: (client: Client) => boolean) => void
}

/** A reply, and whether the request left something behind that will outlive it. */
export interface Answer {
  readonly payload: unknown
  readonly committed: boolean
}

/** Answers one request of a connected client, or says with the wire's own error why not. */
export const answer = (core: Core, client: Client, request: Request): Effect.Effect<Answer, WireError> => {
  const { phase } = core.condition
  if (phase !== "live") return Effect.fail(unavailable(phase))
  const method = methods.get(request.method)
  const scope = method === undefined ? "operator.admin" : method.scope // Unknown methods look like an admin's to others.
  if (scope !== undefined && !allows(client.scopes ?? new Set(), scope)) {
    const details = { code: "MISSING_SCOPE", missingScope: scope }
    return Effect.fail({ code: errorCodes.forbidden, message: `missing scope: ${scope}`, details })
  }
  return method === undefined ? Effect.fail(invalid(`unknown method: ${request.method}`)) : method.work(core, client, request.params)
}

/** The names of all methods, as hello lists them. */
export const methodNames = (): ReadonlyArray<string> => [...methods.keys()]

/** Why nothing is answered before the gateway is ready, and after it was asked to stop. */
export const unavailable = (phase: "starting" | "draining"): WireError => ({
  code: errorCodes.unavailable,
  ...(phase === "starting"
    ? { message: "gateway starting; retry shortly", details: { reason: "startup-sidecars" }, retryAfterMs: 500 }
    : { message: "gateway restarting", details: { reason: "gateway-restarting" }, retryAfterMs: 1_000 }),
  retryable: true
})

/** What the gateway knows of itself: the reply to `health`, and the event of that name. */
export const healthOf = Effect.fnUntraced(function* ({ condition, transcripts }: Core) {
  const ts = yield* Clock.currentTimeMillis
  return { ok: true, ts, uptimeMs: ts - condition.bootedAtMs, sessions: { count: transcripts.all().length } }
})

type Scope = "operator.read" | "operator.write" | "operator.admin"

const allows = (held: ReadonlySet<string>, needed: Scope): boolean =>
  held.has(needed) || held.has("operator.admin") || (needed === "operator.read" && held.has("operator.write"))

interface Method {
  readonly scope: Scope | undefined
  readonly work: (core: Core, client: Client, params: unknown) => Effect.Effect<Answer, WireError>
}

const method = <S extends Schema.ConstraintDecoder<unknown>>(
  scope: Scope | undefined,
  schema: S,
  work: (params: S["Type"], core: Core, client: Client) => Effect.Effect<unknown, WireError>,
  committed = false
): Method => {
  const decode = Schema.decodeUnknownResult(schema)
  return {
    scope,
    work: (core, client, given) =>
      Result.match(decode(given ?? {}, { onExcessProperty: "error" }), {
        onFailure: (problem) => Effect.fail(invalid(`invalid params: ${String(problem)}`)),
        onSuccess: (params) => Effect.map(work(params, core, client), (payload) => ({ payload, committed }))
      })
  }
}

const Nothing = Schema.Struct({})
const Limit = Schema.Struct({ limit: Schema.optionalKey(Schema.Int) })
const SendParams = Schema.Struct({ sessionKey: Schema.String, message: Schema.String, idempotencyKey: Schema.String })

const methods = new Map<string, Method>([
  ["health", method(undefined, Nothing, (_, core) => healthOf(core))],
  ["status", method("operator.read", Nothing, (_, core) => healthOf(core))],
  ["sessions.list", method("operator.read", Limit, ({ limit }, core) => list(core, limit))],
  ["sessions.subscribe", method("operator.read", Limit, ({ limit }, core) => list(core, limit))],
  ["sessions.create", method("operator.write", CreateParams, ({ key }, core) => create(core, key))],
  [
    "sessions.messages.subscribe",
    method("operator.read", SubscribeParams, ({ key }, _, client) =>
      Effect.sync(() => {
        client.subscriptions.add(key)
        return { subscribed: true, key }
      })
    )
  ],
  ["chat.history", method("operator.read", HistoryParams, (params, core) => history(core, params))],
  ["chat.inject", method("operator.admin", InjectParams, (params, core) => inject(core, params), true)],
  [
    "wake",
    method(
      "operator.write",
      WakeParams,
      ({ text, sessionKey }, { wakes }) =>
        Effect.sync(() => {
          addWake(wakes, { text, sessionKey })
          return { ok: true }
        }),
      true
    )
  ],
  ["cron.list", method("operator.read", CronListParams, (params, core) => Effect.sync(() => listJobs(core.jobs, params)))],
  ["cron.update", method("operator.admin", CronUpdateParams, ({ id, patch }, core) => update(core, id, patch.enabled), true)],
  ["chat.send", method("operator.write", SendParams, (params, core) => send(core, params), true)]
])

const list = (core: Core, limit = historyLimitMax) =>
  Effect.sync(() => {
    const sessions = core.transcripts.all().map(({ key, sessionId, rows }) => ({ key, sessionId, updatedAt: rows.at(-1)?.ts ?? null }))
    return { count: sessions.length, sessions: sessions.slice(0, limit) }
  })

const create = Effect.fnUntraced(function* (core: Core, key: string) {
  const problem = keyProblem(key)
  if (problem !== undefined) return yield* Effect.fail(invalid(`invalid session key: ${problem}`))
  const { sessionId } = yield* Effect.mapError(core.transcripts.create(key), notStored)
  return { ok: true, key, sessionId }
})

const history = Effect.fnUntraced(function* (core: Core, { sessionKey, limit = 200, offset = 0 }: HistoryParams) {
  if (limit < 1 || limit > historyLimitMax || offset < 0) return yield* Effect.fail(invalid("invalid params: limit or offset"))
  const rows = core.transcripts.find(sessionKey)?.rows ?? []
  const end = Math.max(0, rows.length - offset)
  const start = Math.max(0, end - limit)
  return {
    sessionKey,
    messages: rows.slice(start, end).map(messageOf),
    hasMore: start > 0,
    ...(start > 0 ? { nextOffset: rows.length - start } : {})
  }
})

const inject = Effect.fnUntraced(function* (core: Core, { sessionKey, message, label }: InjectParams) {
  yield* existing(core, sessionKey)
  if (message === "") return yield* Effect.fail(invalid("invalid params: message is empty"))
  if ((label?.length ?? 0) > labelMax) return yield* Effect.fail(invalid(`invalid params: label over ${labelMax} characters`))
  const messageId = randomUUID()
  const words = label === undefined ? { text: message } : { text: `[${label}]\n\n${message}`, label }
  yield* commit(core, sessionKey, { id: messageId, role: "assistant", ...words }, `inject-${messageId}`)
  return { ok: true, messageId }
})

// The row only: there is no model here that would answer it.
const send = Effect.fnUntraced(function* (core: Core, { sessionKey, message, idempotencyKey }: typeof SendParams.Type) {
  const { rows } = yield* existing(core, sessionKey)
  if (rows.some(({ id }) => id === idempotencyKey)) return { runId: idempotencyKey, status: "in_flight" }
  yield* commit(core, sessionKey, { id: idempotencyKey, role: "user", text: message }, idempotencyKey)
  return { runId: idempotencyKey, status: "started" }
})

const update = Effect.fnUntraced(function* (core: Core, id: string, enabled: boolean) {
  const job = core.jobs.find((one) => one.id === id)
  if (job === undefined) {
    const details = { code: "CRON_JOB_NOT_FOUND", jobId: id }
    return yield* Effect.fail({ code: errorCodes.invalid, message: `Automation not found: ${id}`, details })
  }
  const updated = enableJob(job, enabled, yield* Clock.currentTimeMillis)
  core.jobs = core.jobs.map((one) => (one === job ? updated : one))
  return updated
})

const existing = (core: Core, key: string): Effect.Effect<Transcript, WireError> => {
  const transcript = core.transcripts.find(key)
  return transcript === undefined ? Effect.fail(invalid("session not found")) : Effect.succeed(transcript)
}

const commit = Effect.fnUntraced(function* (core: Core, sessionKey: string, fields: Omit<Row, "ts">, runId: string) {
  yield* Effect.sleep(core.condition.commitDelayMs)
  yield* core.condition.thawed.await // A process frozen here commits when it thaws, long after its client gave up.
  const row: Row = { ...fields, ts: yield* Clock.currentTimeMillis }
  yield* Effect.mapError(core.transcripts.append(sessionKey, row), notStored)
  yield* core.condition.thawed.await
  const message = messageOf(row)
  core.broadcast("chat", { runId, sessionKey, seq: 0, state: "final", message })
  core.broadcast("session.message", { sessionKey, messageId: row.id, message }, (client) => client.subscriptions.has(sessionKey))
})

const messageOf = ({ id, role, text, ts }: Row) => ({ id, role, content: [{ type: "text", text }], timestamp: ts })

const invalid = (message: string): WireError => ({ code: errorCodes.invalid, message })
const notStored = (): WireError => ({ code: errorCodes.unavailable, message: "transcript not writable", retryable: true })
