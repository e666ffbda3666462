/** The gateway's hands: one HTTP question, answered within its deadline. */
import type { ClientRequest, IncomingMessage } from "node:http"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Random from "effect/Random"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import { shown } from "../domain/Errors.ts"
import type { GatewayAdapter } from "../domain/GatewayAdapter.ts"
import type { GatewayUrl } from "../domain/GatewayUrl.ts"
import { type Trouble, troubleOf } from "./NetworkError.ts"
import { gatewayMachine, type Probe } from "../machines/gateway.ts"
import { fromEffect } from "./actor.ts"
import { originOf } from "./Dial.ts"

export class Gateway extends Context.Service<
  Gateway,
  {
    /** Asks whether the gateway is ready. Every answer is a value, silence included. */
    readonly probe: Effect.Effect<Probe>
  }
>()("holdfast/layers/Gateway") {
  /** Asked and understood as OpenClaw is, unless an adapter knows better. */
  static readonly layer = (url: GatewayUrl, adapter?: GatewayAdapter): Layer.Layer<Gateway> =>
    Layer.succeed(
      Gateway,
      adapter === undefined
        ? { probe: probe(url, ({ body }) => readinessOf(body)) }
        : { probe: probe({ ...url, readyz: new URL(adapter.readyPath, url.readyz).href }, adaptedBy(adapter)) }
    )
}

/** The gateway's machine with its port plugged. */
export const bind = Effect.map(Gateway, (gateway) =>
  gatewayMachine.provide({
    actors: { probe: fromEffect(() => gateway.probe) }
  })
)

/** A gateway that is ready answers in milliseconds; one that is merely busy, in less than this. */
const answerWithinMs = 2_000
/** An answer that takes longer is late: the gateway is slow, and not down. */
const lateAfterMs = 500
/** The readiness report is a few hundred bytes. */
const bodyMax = 65_536

/** What `/readyz` says. Only the body counts: any address may answer 200, and some answer it with a page. */
const Readiness = Schema.fromJsonString(Schema.Struct({ ready: Schema.Boolean, failing: Schema.optionalKey(Schema.Array(Schema.String)) }))

const probe = Effect.fnUntraced(function* (
  { readyz, distance }: GatewayUrl,
  understand: (answer: Answer) => Finding
): Effect.fn.Return<Probe> {
  const askedAtMs = yield* Clock.currentTimeMillis
  const finding = yield* fetch(readyz).pipe(
    Effect.map(understand),
    Effect.catch((failing) => Effect.succeed(failing)),
    Effect.timeoutOrElse({
      duration: answerWithinMs,
      orElse: () =>
        Effect.succeed<Finding>({ reason: "silent", detail: `no answer within ${answerWithinMs} ms`, problem: "GATEWAY_TIMEOUT" })
    })
  )
  if (finding !== "ready") return { _tag: "Failing", ...finding, chance: yield* Random.next, distance }
  return { _tag: "Ready", late: (yield* Clock.currentTimeMillis) - askedAtMs > lateAfterMs }
})

type Finding = "ready" | Trouble
interface Answer {
  readonly status: number
  readonly body: string
}

const adaptedBy =
  (adapter: GatewayAdapter) =>
  ({ status, body }: Answer): Finding => {
    const readiness = adapter.readiness(status, body)
    return readiness === "ready" ? readiness : { ...readiness, detail: `HTTP ${status}: ${shown(body.slice(0, 80))}` }
  }

/**
 * The answer to a GET, whatever its status; redirects are not followed. Interrupted, it drops the connection. The module is not
 * imported: an import reads every export of it, and one of them loads Node's whole HTTP client for 60 ms and some megabytes.
 */
const fetch = (url: string): Effect.Effect<Answer, Trouble> =>
  Effect.callback<Answer, Trouble>((resume) => {
    const { get } = process.getBuiltinModule(url.startsWith("https:") ? "node:https" : "node:http")
    const request: ClientRequest = get(url, { agent: false, headers: { accept: "application/json" } }, (response: IncomingMessage) => {
      const { statusCode: status = 0, headers } = response
      if (status >= 300 && status < 400) {
        const detail = `HTTP ${status} to ${originOf(headers.location)}`
        resume(Effect.fail({ reason: "notAGateway", detail, problem: "GATEWAY_REDIRECT" }))
        return request.destroy() // Nobody reads its body, so it would stay.
      }
      const chunks: Array<Buffer> = []
      let bytes = 0
      response.on("data", (chunk: Buffer) => {
        bytes += chunk.length
        if (bytes <= bodyMax) return chunks.push(chunk)
        resume(Effect.fail({ reason: "notAGateway", detail: `an answer of more than ${bodyMax} bytes`, problem: "GATEWAY_PROTOCOL" }))
        return request.destroy()
      })
      response.on("end", () => resume(Effect.succeed({ status, body: Buffer.concat(chunks).toString("utf8") })))
      response.on("error", (error) => resume(Effect.fail(troubleOf(error))))
    })
    request.on("error", (error) => resume(Effect.fail(troubleOf(error))))
    return Effect.sync(() => {
      request.destroy()
    })
  })

const readinessOf = (body: string): Finding => {
  const readiness = decodeReadiness(body)
  if (Result.isFailure(readiness)) {
    return { reason: "notAGateway", detail: `not a readiness report: ${shown(body.slice(0, 80))}`, problem: "GATEWAY_PROTOCOL" }
  }
  const { ready, failing = [] } = readiness.success
  if (ready) return "ready"
  return { reason: failing.includes("gateway-draining") ? "draining" : "starting", detail: shown(failing.join(", ")) }
}
const decodeReadiness = Schema.decodeUnknownResult(Readiness)
