/** Tools of the embedded gateway: what `POST /tools/invoke` answers. */
import type { IncomingMessage } from "node:http"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import type { HttpReply } from "./health.ts"
import { same } from "./handshake.ts"
import type { Core } from "./methods.ts"

/** A call that was let in, whatever came of it. */
export interface Invoked {
  readonly tool: string
  readonly args: Readonly<Record<string, unknown>>
  readonly action?: string
}

/** The path of the only request that does something. */
export const toolsPath = "/tools/invoke"

/** The reply to a request on that path; nothing where the connection is to be reset in place of one. */
export const invoke = Effect.fnUntraced(function* (
  core: Core,
  token: Redacted.Redacted,
  request: IncomingMessage
): Effect.fn.Return<HttpReply | undefined> {
  const { condition } = core
  if (condition.http !== "healthy") return failure(503, "unavailable", "failing")
  if (request.method !== "POST") return failure(405, "method_not_allowed", "use POST")
  const [, given = ""] = /^Bearer (.*)$/.exec(request.headers.authorization ?? "") ?? []
  if (!same(given, Redacted.value(token))) return failure(401, "unauthorized", "Unauthorized")
  if (condition.phase !== "live") return failure(503, "unavailable", condition.phase)
  const body = yield* bodyOf(request)
  if (body === undefined) return failure(413, "payload_too_large", `over ${bodyMax} bytes`)
  const read = decode(body)
  if (Result.isFailure(read)) return failure(400, "invalid_request", "tools.invoke requires a tool and its args")
  const { tool, args = {}, action } = read.success
  if (!isKnown(tool)) return failure(404, "not_found", `Tool not available: ${tool}`)
  condition.invoked.push({ tool, args, ...(action === undefined ? {} : { action }) })
  yield* condition.thawed.await
  const scripted = condition.toolReplies.shift()
  if (scripted === "lost") return undefined
  if (scripted !== undefined) return failure(scripted, "tool_error", "tool execution failed")
  const sessions = core.transcripts.all().map(({ key }) => ({ key }))
  const details = { count: sessions.length, sessions }
  return { status: 200, body: { ok: true, result: { content: [{ type: "text", text: JSON.stringify(details) }], details } } }
})

/** The only tool there is. All that the real gateway denies over HTTP (`exec`, `fs_*`, `cron`, ...) is as unknown here as there. */
const isKnown = (tool: string): boolean => tool === "sessions_list"

const Body = Schema.Struct({
  tool: Schema.String,
  args: Schema.optionalKey(Schema.Record(Schema.String, Schema.Unknown)),
  action: Schema.optionalKey(Schema.String)
})
const decode = Schema.decodeUnknownResult(Schema.fromJsonString(Body))

const failure = (status: number, type: string, message: string): HttpReply => ({ status, body: { ok: false, error: { type, message } } })

const bodyMax = 2 * 1_048_576

const bodyOf = (request: IncomingMessage): Effect.Effect<string | undefined> =>
  Effect.callback((resume) => {
    const chunks: Array<Buffer> = []
    let bytes = 0
    request.on("data", (chunk: Buffer) => {
      bytes += chunk.length
      if (bytes <= bodyMax) chunks.push(chunk)
      else resume(Effect.succeed(undefined))
    })
    request.on("end", () => resume(Effect.succeed(Buffer.concat(chunks).toString("utf8"))))
    request.on("error", () => {}) // Nobody is left to be answered.
  })
