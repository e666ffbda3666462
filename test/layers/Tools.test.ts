/** Tools over HTTP, against the embedded gateway and against peers that behave as none should. */
import { createServer, type RequestListener } from "node:http"
import type { AddressInfo } from "node:net"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Layer, Redacted, Result } from "effect"
import { TestClock } from "effect/testing"
import type { Actor, AnyStateMachine, InspectionEvent } from "xstate"
import { gatewayUrl } from "../../src/domain/GatewayUrl.ts"
import type { LinkFailed } from "../../src/domain/LinkFailed.ts"
import { History } from "../../src/layers/History.ts"
import { Inspection } from "../../src/layers/Inspection.ts"
import { Session } from "../../src/layers/Session.ts"
import { Linked, layerLinked } from "../../src/layers/SkillLink.ts"
import { started } from "../gateway/world.ts"

const token = Redacted.make("secret-token")

/** The link of skills to such an address, without a session. */
const linkedTo = Effect.fnUntraced(function* (url: string, as = token) {
  const services = yield* Layer.build(
    layerLinked({ url: Result.getOrThrow(gatewayUrl(url)), token: as, session: "agent:main:main" }).pipe(
      Layer.provide([Session.layerNoop, Layer.succeed(History, { has: () => Effect.succeed(false), newest: () => Effect.succeed([]) })])
    )
  )
  const linked = yield* Effect.provideContext(Effect.flatMap(Linked, Effect.fromNullishOr), services)
  const invoke = (tool = "sessions_list", args: unknown = {}) => linked.invoke({ tool, args })
  return { invoke, failure: (tool?: string, args?: unknown) => Effect.flip(invoke(tool, args)), circuit: linked.circuit }
})

const answering = Effect.fnUntraced(function* (listener: RequestListener) {
  const http = createServer(listener)
  yield* Effect.addFinalizer(() =>
    Effect.sync(() => {
      http.close()
      http.closeAllConnections()
    })
  )
  yield* Effect.callback<void>((resume) => {
    http.listen(0, "127.0.0.1", () => resume(Effect.void))
  })
  return `ws://127.0.0.1:${(http.address() as AddressInfo).port}`
})

const said = ({ reason, code, class: named }: LinkFailed) => [reason, code, named]

describe("a tool", () => {
  it.live("is invoked with its arguments, and its result comes back", () =>
    Effect.gen(function* () {
      const gateway = yield* started()
      const { invoke } = yield* linkedTo(gateway.url)
      assert.deepInclude(yield* invoke("sessions_list", { limit: 3 }), { details: { count: 0, sessions: [] } })
      assert.deepStrictEqual(yield* gateway.invoked, [{ tool: "sessions_list", args: { limit: 3 } }])
    })
  )

  it.live("that is refused says how, and of whose class that is", () =>
    Effect.gen(function* () {
      const gateway = yield* started()
      const { failure } = yield* linkedTo(gateway.url)
      assert.deepStrictEqual(said(yield* failure("exec")), ["refused", "HTTP_404", "terminal"])
      const stranger = yield* linkedTo(gateway.url, Redacted.make("another-token"))
      assert.deepStrictEqual(said(yield* stranger.failure()), ["refused", "HTTP_401", "link"])
      yield* gateway.control.failTools(1)
      assert.deepStrictEqual(said(yield* failure()), ["refused", "HTTP_500", "link"])
      const circle: { self?: unknown } = {}
      circle.self = circle
      assert.deepStrictEqual(said(yield* failure("sessions_list", circle)), ["refused", "ARGS_INVALID", "terminal"])
      assert.deepStrictEqual(said(yield* failure("sessions_list", { text: "x".repeat(1_048_577) })), [
        "refused",
        "BODY_TOO_LARGE",
        "terminal"
      ])
      assert.strictEqual((yield* gateway.invoked).length, 1)
    })
  )

  it.live("whose answer is lost may have been done; where nobody listens it was not", () =>
    Effect.gen(function* () {
      const gateway = yield* started()
      const { failure } = yield* linkedTo(gateway.url)
      yield* gateway.control.loseTools(1)
      assert.deepStrictEqual(said(yield* failure()), ["ambiguous", undefined, "link"])
      assert.strictEqual((yield* gateway.invoked).length, 1)
      yield* gateway.control.refuse
      assert.deepStrictEqual(said(yield* failure()), ["notConnected", undefined, "link"])
    })
  )

  it.effect("is waited for fifteen seconds", () =>
    Effect.gen(function* () {
      let asked = false
      const { failure } = yield* linkedTo(
        yield* answering(() => {
          asked = true
        })
      )
      const failing = yield* Effect.forkChild(failure(), { startImmediately: true })
      while (!asked) yield* TestClock.withLive(Effect.sleep(5))
      yield* TestClock.adjust(14_999)
      assert.isUndefined(failing.pollUnsafe())
      yield* TestClock.adjust(1)
      assert.deepStrictEqual(said(yield* Fiber.join(failing)), ["ambiguous", undefined, "link"])
    })
  )

  it.live("is asked for at the configured address alone, whatever that answers, and the token is in no failure", () =>
    Effect.gen(function* () {
      const asked: Array<string> = []
      const elsewhere = yield* answering((request, response) => {
        asked.push(request.headers.authorization ?? "")
        response.end()
      })
      const redirecting = yield* answering((_, response) => {
        response.writeHead(307, { location: `${elsewhere.replace("ws:", "http:")}/tools/invoke` }).end()
      })
      assert.deepStrictEqual(said(yield* (yield* linkedTo(redirecting)).failure()), ["refused", "HTTP_307", "link"])
      assert.deepStrictEqual(asked, [])

      const telling = yield* answering((request, response) => {
        response.writeHead(403).end(JSON.stringify({ ok: false, error: { message: `no: ${request.headers.authorization}` } }))
      })
      const told = yield* (yield* linkedTo(telling)).failure()
      assert.strictEqual(told.detail, "no: Bearer (token)")
      assert.notInclude(told.message, "secret-token")
      const page = yield* answering((_, response) => {
        response.end("<!doctype html>")
      })
      assert.deepStrictEqual(said(yield* (yield* linkedTo(page)).failure()), ["refused", "NOT_A_GATEWAY", "link"])
    })
  )

  it.live("may not answer more than a mebibyte", () =>
    Effect.gen(function* () {
      let taken = 0
      const endless = yield* answering((_, response) => {
        const more = () => {
          while (!response.destroyed && response.write("x".repeat(65_536))) taken += 65_536
        }
        response.on("drain", more)
        more()
      })
      const { failure } = yield* linkedTo(endless)
      assert.deepStrictEqual(said(yield* failure()), ["refused", "BODY_TOO_LARGE", "terminal"])
      assert.isBelow(taken, 64 * 1_048_576)
    })
  )
})

describe("the circuit around tools", () => {
  it.effect("keeps calls from a gateway that failed five times in a row, and tries it by one after five seconds", () =>
    Effect.gen(function* () {
      const gateway = yield* started()
      const { invoke, failure, circuit } = yield* linkedTo(gateway.url)
      const invoked = Effect.map(gateway.invoked, (calls) => calls.length)
      yield* gateway.control.failTools(6, 503)
      for (let i = 0; i < 5; i++) assert.strictEqual((yield* failure()).code, "HTTP_503")
      assert.deepStrictEqual(said(yield* failure()), ["circuitOpen", undefined, "link"])
      assert.deepStrictEqual([yield* invoked, yield* circuit], [5, { state: "open", failures: 5 }])
      yield* TestClock.adjust(5_000)
      const both = yield* Effect.all([failure(), failure()], { concurrency: 2 })
      assert.deepStrictEqual(both.map(said), [
        ["refused", "HTTP_503", "link"],
        ["circuitOpen", undefined, "link"]
      ])
      assert.strictEqual(yield* invoked, 6)
      yield* TestClock.adjust(5_000)
      yield* invoke()
      assert.deepStrictEqual(yield* circuit, { state: "closed", failures: 0 })
    })
  )

  it.live("is shown to the inspector, with what calls do to it", () =>
    Effect.gen(function* () {
      const shown: Array<string> = []
      const inspector = (event: InspectionEvent) => {
        if (event.type === "@xstate.event") shown.push(`${(event.actorRef as Actor<AnyStateMachine>).id} ${event.event.type}`)
      }
      const gateway = yield* started()
      const { failure } = yield* Effect.provideService(linkedTo(gateway.url), Inspection, inspector)
      yield* gateway.control.failTools(1)
      yield* failure()
      assert.deepStrictEqual(shown, ["circuit xstate.init", "circuit call.begun", "circuit call.failed"])
    })
  )

  it.live("counts answers that do not come, and no refusal", () =>
    Effect.gen(function* () {
      const gateway = yield* started()
      const { failure, circuit } = yield* linkedTo(gateway.url)
      for (let i = 0; i < 6; i++) yield* failure("exec")
      assert.deepStrictEqual(yield* circuit, { state: "closed", failures: 0 })
      yield* gateway.control.loseTools(2)
      yield* failure()
      yield* failure()
      yield* gateway.control.refuse
      for (let i = 0; i < 3; i++) yield* failure()
      assert.deepStrictEqual(yield* circuit, { state: "open", failures: 5 })
    })
  )

  it.live("is not waited for by a call that was given up", () =>
    Effect.gen(function* () {
      const gateway = yield* started()
      const { invoke, circuit } = yield* linkedTo(gateway.url)
      yield* gateway.control.hang
      for (let i = 0; i < 6; i++) yield* Effect.timeoutOption(invoke(), 20)
      assert.deepStrictEqual(yield* circuit, { state: "closed", failures: 0 })
    })
  )
})
