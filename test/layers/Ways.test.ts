/** Reports by other ways than a row: what they ask for, what they say, and what they promise less. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Redacted, Result } from "effect"
import { gatewayUrl } from "../../src/domain/GatewayUrl.ts"
import { scopesFor } from "../../src/domain/Outbox.ts"
import { HookFailed, Hooks, layer as hooksLayer } from "../../src/layers/Hooks.ts"
import { scriptedPeer } from "../../src/testing/ScriptedPeer.ts"
import { started } from "../gateway/world.ts"
import { linked, mainSession, pass, settle, settleWith } from "./linked.ts"
import { type Memory, memory } from "./memoryStore.ts"

const run = (n: number) => `skill-${n}@20261122T060000Z`
const acknowledged = (kept: Memory) => kept.journal.flatMap((event) => (event.type === "entry.acknowledged" ? [event] : []))
const asked = (kept: Memory) => scopesFor([...kept.ledger.outbox.values()].map(({ via }) => via ?? "inject"))

describe("a report by wake", () => {
  it.effect("is a line for the next heartbeat of its session, and its record says that it may be lost", () =>
    Effect.gen(function* () {
      const peer = yield* scriptedPeer
      const kept = memory()
      const { services } = yield* linked(peer, kept)
      yield* settleWith(services, { via: "wake" }, run(1))
      yield* pass(3_000)
      const wakes = peer.calls.filter(({ method }) => method === "wake")
      assert.deepStrictEqual(
        wakes.map(({ params }) => params),
        [{ mode: "next-heartbeat", text: `[holdfast run=${run(1)}]\n\nreport of ${run(1)}`, sessionKey: mainSession }]
      )
      assert.deepInclude(acknowledged(kept)[0]!, { run: run(1), how: "reply", via: "wake" })
    })
  )

  it.effect("whose reply is lost is sent again, since nothing can be looked up", () =>
    Effect.gen(function* () {
      const peer = yield* scriptedPeer
      const kept = memory()
      const { services } = yield* linked(peer, kept)
      yield* pass(1_000)
      peer.answerAfter(60_000)
      yield* settleWith(services, { via: "wake" }, run(1))
      yield* pass(500)
      yield* peer.drop()
      peer.answerAfter(0)
      yield* pass(5_000)
      assert.strictEqual(peer.calls.filter(({ method }) => method === "wake").length, 2)
      assert.isFalse(
        peer.calls.some(({ params }) => (params as { readonly maxChars?: number }).maxChars === 300),
        "nothing is looked for"
      )
      assert.strictEqual(kept.ledger.outbox.size, 0)
    })
  )
})

describe("what a greeting asks for", () => {
  it("is the least that the ways need", () => {
    assert.deepStrictEqual(scopesFor(["none", "hooks"]), ["operator.read"])
    assert.deepStrictEqual(scopesFor(["wake", "hooks"]), ["operator.read", "operator.write"])
    assert.deepStrictEqual(scopesFor(["wake", "inject"]), ["operator.read", "operator.write", "operator.admin"])
  })

  it.effect("grows with the reports that wait: the line is renewed before one that needs more", () =>
    Effect.gen(function* () {
      const peer = yield* scriptedPeer
      const kept = memory()
      const world = yield* linked(peer, kept, undefined, { scopes: asked })
      yield* pass(1_000)
      assert.strictEqual(world.mode(), "connected")
      yield* settle(world.services, run(1))
      yield* pass(10_000)
      assert.strictEqual(peer.transcript.length, 1)
      assert.strictEqual(peer.lines().ever, 2)
      assert.strictEqual(kept.ledger.parked.size, 0)
      assert.strictEqual(world.mode(), "connected")
    })
  )
})

describe("a report by the hooks", () => {
  it.effect("goes while the session is down, past reports that wait for it", () =>
    Effect.gen(function* () {
      const peer = yield* scriptedPeer
      peer.refuse("refused")
      const kept = memory()
      const taken: Array<string> = []
      let failing: HookFailed | undefined = new HookFailed({ terminal: false, reason: "hooks: ECONNREFUSED" })
      const hooks = Layer.succeed(Hooks, {
        wake: (text) => Effect.suspend(() => (failing === undefined ? Effect.sync(() => void taken.push(text)) : Effect.fail(failing)))
      })
      const { services } = yield* linked(peer, kept, undefined, { hooks })
      yield* settle(services, run(1))
      yield* settleWith(services, { via: "hooks" }, run(2))
      yield* pass(20_000)
      assert.strictEqual(kept.journal.filter(({ type }) => type === "entry.sent").length, 1) // However often it is tried.
      failing = undefined
      yield* pass(10_000)
      assert.deepStrictEqual(taken, [`[holdfast run=${run(2)}]\n\nreport of ${run(2)}`])
      assert.deepInclude(acknowledged(kept)[0]!, { run: run(2), via: "hooks" })
      assert.isTrue(kept.ledger.outbox.has(run(1)))
      failing = new HookFailed({ terminal: true, reason: "hooks: 401: unauthorized" })
      yield* settleWith(services, { via: "hooks" }, run(3))
      yield* pass(2_000)
      assert.strictEqual(kept.ledger.parked.get(run(3))?.reason, "hooks: 401: unauthorized")
    })
  )

  it.effect("is parked with what to do where there is no token", () =>
    Effect.gen(function* () {
      const peer = yield* scriptedPeer
      const kept = memory()
      const { services } = yield* linked(peer, kept)
      yield* settleWith(services, { via: "hooks" }, run(1))
      yield* pass(2_000)
      assert.include(kept.ledger.parked.get(run(1))!.reason, "HOLDFAST_HOOK_TOKEN")
    })
  )

  it.live("is taken by a gateway that knows the token, held in its memory, and refused by others", () =>
    Effect.gen(function* () {
      const gateway = yield* started({ hookToken: Redacted.make("hook-token") })
      const url = Result.getOrThrow(gatewayUrl(gateway.url))
      const wake = (text: string, token = "hook-token") =>
        Effect.provide(
          Effect.flatMap(Hooks, (hooks) => hooks.wake(text)),
          hooksLayer(url, Redacted.make(token))
        )
      yield* gateway.control.refuseSessions
      yield* wake("one")
      yield* wake("one")
      for (let i = 2; i <= 22; i++) yield* wake(String(i))
      const held = (yield* gateway.wakes).map(({ text }) => text)
      assert.deepStrictEqual([held.length, held[0], held.at(-1)], [20, "3", "22"])
      assert.deepInclude(yield* Effect.flip(wake("two", "another")), {
        terminal: true,
        reason: 'hooks: 401: {"ok":false,"error":"unauthorized"}'
      })
      yield* gateway.control.failHttp
      assert.deepInclude(yield* Effect.flip(wake("two")), { terminal: false })
      yield* gateway.control.healHttp
      yield* gateway.control.restart(0)
      assert.deepStrictEqual(yield* gateway.wakes, [])
      const without = yield* started()
      const refused = yield* Effect.flip(
        Effect.provide(
          Effect.flatMap(Hooks, (hooks) => hooks.wake("x")),
          hooksLayer(Result.getOrThrow(gatewayUrl(without.url)), Redacted.make("hook-token"))
        )
      )
      assert.deepInclude(refused, { terminal: true })
    })
  )
})
