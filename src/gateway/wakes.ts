/** Lines for the next heartbeat, as the embedded gateway holds them: in memory, a few, and gone with the process. */
import { createHash, timingSafeEqual } from "node:crypto"
import type { IncomingMessage } from "node:http"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import { HookWakeBody, wakesMax } from "../domain/Wire.ts"
import type { HttpReply } from "./health.ts"

export interface Wake {
  readonly text: string
  readonly sessionKey: string | undefined
}

/** Adds a line, unless the newest one says the same; the oldest falls out where they are too many, and nobody is told. */
export const addWake = (wakes: Array<Wake>, wake: Wake): "queued" | "coalesced" => {
  if (wakes.at(-1)?.text === wake.text) return "coalesced"
  wakes.push(wake)
  if (wakes.length > wakesMax) wakes.shift()
  return "queued"
}

/** The reply to `POST /hooks/wake`; without a token of theirs there are no hooks. */
export const hookReply = Effect.fnUntraced(function* (
  wakes: Array<Wake>,
  token: Redacted.Redacted | undefined,
  request: IncomingMessage
): Effect.fn.Return<HttpReply> {
  if (token === undefined) return { status: 404, body: { ok: false, error: "not found" } }
  if (request.method !== "POST") return { status: 405, body: { ok: false, error: "method not allowed" } }
  if (!same(request.headers.authorization ?? "", `Bearer ${Redacted.value(token)}`))
    return { status: 401, body: { ok: false, error: "unauthorized" } }
  const given = decode(yield* bodyOf(request))
  if (Result.isFailure(given) || given.success.text === "") return { status: 400, body: { ok: false, error: "text required" } }
  const { text, mode = "now" } = given.success
  return { status: 200, body: { ok: true, mode, eventOutcome: addWake(wakes, { text, sessionKey: undefined }) } }
})

const decode = Schema.decodeUnknownResult(Schema.fromJsonString(HookWakeBody))
const bodyMax = 262_144

const bodyOf = (request: IncomingMessage): Effect.Effect<string> =>
  Effect.callback((resume) => {
    let body = ""
    request.setEncoding("utf8")
    request.on("data", (chunk: string) => {
      if (body.length <= bodyMax) body += chunk
    })
    request.on("end", () => resume(Effect.succeed(body)))
    request.on("error", () => resume(Effect.succeed("")))
  })

const same = (a: string, b: string): boolean => timingSafeEqual(digest(a), digest(b))
const digest = (text: string) => createHash("sha256").update(text).digest()
