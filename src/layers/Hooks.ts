/** The gateway's hooks: reports by HTTP alone, which go while the session is down, and which the gateway may lose. */
import type { IncomingMessage } from "node:http"
import * as Context from "effect/Context"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import { shown } from "../domain/Errors.ts"
import type { GatewayUrl } from "../domain/GatewayUrl.ts"

/** It was not taken, or nobody knows. `terminal`: it would be refused again. */
export class HookFailed extends Data.TaggedError("HookFailed")<{ readonly terminal: boolean; readonly reason: string }> {}

export interface HooksShape {
  /** Leaves a line for the next heartbeat of the main session. */
  readonly wake: (text: string) => Effect.Effect<void, HookFailed>
}

/** Without a token every line is refused. */
export const Hooks = Context.Reference<HooksShape>("holdfast/layers/Hooks", {
  defaultValue: () => ({
    wake: () =>
      Effect.fail(
        new HookFailed({ terminal: true, reason: "hooks: no token: set HOLDFAST_HOOK_TOKEN or gateway.hookTokenFile, then redrive" })
      )
  })
})

export const layer = ({ hooksWake }: GatewayUrl, token: Redacted.Redacted): Layer.Layer<never> =>
  Layer.succeed(Hooks, {
    wake: (text) =>
      post(hooksWake, JSON.stringify({ text, mode: "next-heartbeat" }), token).pipe(
        Effect.flatMap(judge),
        Effect.timeoutOrElse({
          duration: answerWithinMs,
          orElse: () => Effect.fail(new HookFailed({ terminal: false, reason: `hooks: no answer within ${answerWithinMs} ms` }))
        })
      )
  })

const answerWithinMs = 5_000
/** An answer has a few words. */
const bodyMax = 65_536

interface Answer {
  readonly status: number
  readonly body: string
}

/** A page that answers 200 to everything has not taken it: only `ok` in the body counts. */
const judge = ({ status, body }: Answer): Effect.Effect<void, HookFailed> =>
  status === 200 && /^\{[^]*"ok"\s*:\s*true/.test(body)
    ? Effect.void
    : Effect.fail(
        new HookFailed({
          terminal: status >= 400 && status < 500 && status !== 408 && status !== 429,
          reason: `hooks: ${status}: ${shown(body.slice(0, 80))}`
        })
      )

/** Redirects are not followed: the token goes where it was meant to go, or nowhere. */
const post = (url: string, text: string, token: Redacted.Redacted): Effect.Effect<Answer, HookFailed> =>
  Effect.callback((resume) => {
    const { request } = process.getBuiltinModule(url.startsWith("https:") ? "node:https" : "node:http")
    const headers = { "content-type": "application/json", authorization: `Bearer ${Redacted.value(token)}` }
    const failed = (error: NodeJS.ErrnoException) =>
      resume(Effect.fail(new HookFailed({ terminal: false, reason: `hooks: ${error.code ?? error.message}` })))
    const asking = request(url, { method: "POST", agent: false, headers }, (response: IncomingMessage) => {
      let body = ""
      response.setEncoding("utf8")
      response.on("data", (chunk: string) => {
        body += chunk
        if (body.length > bodyMax) asking.destroy(new Error("an answer that is too long"))
      })
      response.on("end", () => resume(Effect.succeed({ status: response.statusCode ?? 0, body })))
      response.on("error", failed)
    })
    asking.on("error", failed)
    asking.end(text)
    return Effect.sync(() => {
      asking.destroy()
    })
  })
