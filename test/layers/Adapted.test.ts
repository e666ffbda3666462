/** Gateways of every kind, by one contract; OpenClaw itself is held to it in a suite of its own. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer } from "effect"
import type { GatewayAdapter } from "../../src/domain/GatewayAdapter.ts"
import { plainGateway } from "../../src/domain/adapters/plain.ts"
import { adapted } from "../../src/layers/Adapted.ts"
import { Dial } from "../../src/layers/Dial.ts"
import { gatewayContract, runOf, type Stand } from "../contracts/gateway.ts"
import { february, plain } from "../contracts/otherGateways.ts"
import { started } from "../gateway/world.ts"

gatewayContract(
  "the embedded one",
  Effect.map(started(), ({ url, control, transcript }): Stand => ({
    url,
    adapter: undefined,
    rows: Effect.map(transcript("agent:main:main"), (rows) => rows.map(({ label = "" }) => runOf(label))),
    leave: control.refuse,
    comeBack: Effect.orDie(control.accept),
    loseReply: control.loseReplies(1),
    failHttp: control.failHttp
  }))
)
gatewayContract("one that takes plain JSON events", plain)
gatewayContract("OpenClaw of February 2026", february)

describe("a plain gateway's refusal", () => {
  it("is the refusal of what was asked, with its terms", () => {
    const said = `{"type":"error","id":"h1","code":"FULL","retryable":true,"retryAfterMs":5000}`
    const error = { code: "FULL", message: "", retryable: true, retryAfterMs: 5_000 }
    assert.deepStrictEqual(plainGateway.line().heard(said), { frames: [{ type: "res", id: "h1", ok: false, error }] })
  })
})

describe("an adapter", () => {
  const broken = (line: GatewayAdapter["line"]): GatewayAdapter => ({ ...plainGateway, name: "broken", line })
  const cases: ReadonlyArray<readonly [what: string, adapter: GatewayAdapter]> = [
    ["opened", broken(() => ({ ...plainGateway.line(), opened: () => assert.fail("no") }))],
    ["asked", broken(() => ({ ...plainGateway.line(), asked: () => assert.fail("no") }))],
    ["heard", broken(() => ({ ...plainGateway.line(), heard: () => assert.fail("no") }))]
  ]
  for (const [what, adapter] of cases) {
    it.live(`that throws where it is ${what} ends the line, and says so`, () =>
      Effect.gen(function* () {
        const { url } = yield* plain
        const dial = yield* Effect.provide(Dial, Layer.provide(adapted(adapter), Dial.layer))
        const hello = JSON.stringify({ type: "req", id: "c", method: "connect", params: { client: {}, auth: { token: "secret-token" } } })
        const end = yield* Effect.flip(
          Effect.scoped(
            Effect.gen(function* () {
              const line = yield* dial.connect(url)
              yield* line.take
              yield* line.send(hello)
              yield* line.take
            })
          )
        )
        assert.deepInclude(end, { _tag: "Failed", reason: "notAGateway" })
        assert.match(end.detail, /^the adapter broken failed: .*no/)
      })
    )
  }
})
