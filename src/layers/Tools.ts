/** Tools of the gateway, each invoked by one HTTP request: `POST /tools/invoke`, with the token. */
import type { ClientRequest, IncomingMessage } from "node:http"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import { shown } from "../domain/Errors.ts"
import { LinkFailed, type LinkReason } from "../domain/LinkFailed.ts"
import type { Peer } from "./Greeting.ts"

export interface Invocation {
  readonly tool: string
  readonly args: unknown
  readonly action?: string | undefined
}

/** How long an invocation may take, its answer included. */
export const toolWithinMs = 15_000
/** The longest request and the longest answer, in bytes: what also the session takes at most. */
export const toolBytesMax = 1_048_576

/** Invokes a tool once; gives its result. Redirects are not followed: the token goes to the configured origin and nowhere else. */
export const invokeTool = Effect.fn("Tools.invoke")(function* (
  { url, token }: Pick<Peer, "url" | "token">,
  { tool, args, action }: Invocation
): Effect.fn.Return<unknown, LinkFailed> {
  const failed = (reason: LinkReason, code?: string, detail?: string, retryable = true) =>
    new LinkFailed({
      reason,
      need: "gateway",
      asked: tool,
      code,
      detail: detail && shown(token === undefined ? detail : detail.replaceAll(Redacted.value(token), "(token)")),
      retryable
    })
  const refused = (code: string, detail?: string, retryable = true) => Effect.fail(failed("refused", code, detail, retryable))
  const body = yield* Effect.try({
    try: () => JSON.stringify({ tool, args: args ?? {}, ...(action === undefined ? {} : { action }) }),
    catch: (cause) => failed("refused", "ARGS_INVALID", String(cause), false)
  })
  if (Buffer.byteLength(body) > toolBytesMax) return yield* refused("BODY_TOO_LARGE", `over ${toolBytesMax} bytes`, false)
  const progress = { sent: false }
  const unanswered = (detail: string, otherwise: LinkReason) => failed(progress.sent ? "ambiguous" : otherwise, undefined, detail)
  const { status, text } = yield* post(new URL("/tools/invoke", url.readyz).href, token, body, progress).pipe(
    Effect.mapError((detail) => unanswered(detail, "notConnected")),
    Effect.timeoutOrElse({
      duration: toolWithinMs,
      orElse: () => Effect.fail(unanswered(`no answer within ${toolWithinMs} ms`, "timeout"))
    })
  )
  if (text === undefined) return yield* refused("BODY_TOO_LARGE", `an answer of more than ${toolBytesMax} bytes`, false)
  const answer = Result.getOrUndefined(decodeAnswer(text))
  if (status === 200 && answer?.ok === true) return answer.result
  if (status === 200) return yield* refused("NOT_A_GATEWAY", text.slice(0, 80))
  return yield* refused(`HTTP_${status}`, answer?.error?.message, !isFinal(status))
})

/** Whether this says that the gateway does not work: no answer, or one of its own failure. A refusal is an answer. */
export const isBroken = ({ reason, code }: LinkFailed): boolean => reason !== "refused" || code?.startsWith("HTTP_5") === true

/** Trying again cannot help, and neither can mending the link: the request itself is wrong. */
const isFinal = (status: number): boolean => status >= 400 && status < 500 && !passing.has(status)
const passing: ReadonlySet<number> = new Set([401, 403, 408, 425, 429])

const Answer = Schema.fromJsonString(
  Schema.Struct({
    ok: Schema.optionalKey(Schema.Boolean),
    result: Schema.optionalKey(Schema.Unknown),
    error: Schema.optionalKey(Schema.Struct({ message: Schema.optionalKey(Schema.String) }))
  })
)
const decodeAnswer = Schema.decodeUnknownResult(Answer)

/** The status and the body, or no body where that is too long. Fails with the system's word. Interrupted, it drops the connection. */
const post = (url: string, token: Redacted.Redacted | undefined, body: string, progress: { sent: boolean }) =>
  Effect.callback<{ readonly status: number; readonly text: string | undefined }, string>((resume) => {
    const secure = url.startsWith("https:")
    const { request } = process.getBuiltinModule(secure ? "node:https" : "node:http") // As in Gateway.ts: an import costs 60 ms.
    const headers = {
      accept: "application/json",
      "content-type": "application/json",
      "content-length": Buffer.byteLength(body),
      ...(token === undefined ? {} : { authorization: `Bearer ${Redacted.value(token)}` })
    }
    const outgoing: ClientRequest = request(url, { method: "POST", agent: false, headers }, (response: IncomingMessage) => {
      const status = response.statusCode ?? 0
      const chunks: Array<Buffer> = []
      let bytes = 0
      response.on("data", (chunk: Buffer) => {
        bytes += chunk.length
        if (bytes <= toolBytesMax) return chunks.push(chunk)
        resume(Effect.succeed({ status, text: undefined }))
        return outgoing.destroy()
      })
      response.on("end", () => resume(Effect.succeed({ status, text: Buffer.concat(chunks).toString("utf8") })))
      response.on("error", failed)
    })
    const failed = (error: NodeJS.ErrnoException) => resume(Effect.fail(error.code ?? error.message))
    outgoing.on("error", failed)
    outgoing.on("socket", (socket) =>
      socket.once(secure ? "secureConnect" : "connect", () => {
        progress.sent = true // From here on the request may have been read.
      })
    )
    outgoing.end(body)
    return Effect.sync(() => {
      outgoing.destroy()
    })
  })
