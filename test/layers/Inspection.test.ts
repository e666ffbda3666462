/** Looking at a runtime with Stately's own inspector: every actor in its place, and no harm from whoever looks. */
import {
  createInspector,
  createWebSocketInspector,
  createWebSocketReceiver,
  type StatelyActorEvent,
  type StatelyInspectionEvent
} from "@statelyai/inspect"
import { Effect, Layer, Redacted, Result } from "effect"
import { assert, describe, expectTypeOf, it, onTestFinished } from "vitest"
import { WebSocketServer } from "ws"
import type { InspectionEvent } from "xstate"
import { createRuntime, skill } from "../../src/index.ts"
import { gatewayUrl } from "../../src/domain/GatewayUrl.ts"
import { Gateway } from "../../src/layers/Gateway.ts"
import { History } from "../../src/layers/History.ts"
import { Inspection, type Inspector, under } from "../../src/layers/Inspection.ts"
import { Session } from "../../src/layers/Session.ts"
import { effectWork } from "../../src/layers/SkillFunction.ts"
import type { Probe } from "../../src/machines/gateway.ts"
import { makeWorld } from "../../src/testing/World.ts"
import { inVirtualTime } from "../property.ts"
import { folder, until } from "./children.ts"
import { scriptedPeer } from "../../src/testing/ScriptedPeer.ts"

const actorsOf = (events: ReadonlyArray<StatelyInspectionEvent>) =>
  events.filter((event): event is StatelyActorEvent => event.type === "@xstate.actor")
/** The names from an actor up to the root. */
const lineOf = (events: ReadonlyArray<StatelyInspectionEvent>, actor: StatelyActorEvent): ReadonlyArray<string> => {
  const parent = actorsOf(events).find(({ sessionId }) => sessionId === actor.parentId)
  return parent === undefined ? [actor.name] : [actor.name, ...lineOf(events, parent)]
}
const linesOf = (events: ReadonlyArray<StatelyInspectionEvent>) => actorsOf(events).map((actor) => lineOf(events, actor).join(" < "))

/** A minute of a linked runtime with one skill, looked at. */
const lookedAt = (inspector: Inspector) =>
  inVirtualTime(
    Effect.gen(function* () {
      const peer = yield* scriptedPeer
      const link = Layer.merge(
        History.layer({ session: "agent:main:main" }),
        Layer.succeed(Gateway, { probe: Effect.succeed<Probe>({ _tag: "Ready" }) })
      ).pipe(
        Layer.provideMerge(
          Session.layer({ url: Result.getOrThrow(gatewayUrl("ws://127.0.0.1:3019")), token: Redacted.make("token"), version: "test" })
        ),
        Layer.provide(peer.dial)
      )
      const beat = {
        name: "beat",
        description: "",
        settings: { schedule: { every: "10 seconds" } },
        work: effectWork(() => Effect.sleep(1_000))
      }
      const world = yield* makeWorld({ skills: [beat], link }).pipe(Effect.provideService(Inspection, inspector))
      yield* world.pass(30_000)
      return { mode: yield* world.runtime.mode, events: world.events() }
    })
  )

describe("an inspector", () => {
  it("is handed every actor with its parents, from the runtime down to an attempt", async () => {
    const events: Array<StatelyInspectionEvent> = []
    const inspector = createInspector({ send: (event) => void events.push(event) })
    const { mode } = await lookedAt(inspector.inspect)
    assert.strictEqual(mode, "connected")
    await Effect.runPromise(until(() => events.some((event) => event.type === "@xstate.snapshot"), "snapshots"))
    await Effect.runPromise(Effect.sleep(50)) // Each event is converted in a task of its own.

    const lines = linesOf(events)
    for (const name of ["session", "gateway", "outbox"]) assert.include(lines, `${name} < runtime`)
    assert.include(lines, "runtime")
    assert.isDefined(
      lines.find((line) => /^beat < .+ < supervisor < runtime$/.test(line)),
      lines.join("\n")
    )
    assert.isDefined(
      lines.find((line) => /^beat@\S+ < beat < .+ < supervisor < runtime$/.test(line)),
      lines.join("\n")
    )
    assert.isDefined(
      lines.find((line) => /^attempt < beat@\S+ < beat < /.test(line)),
      lines.join("\n")
    )
    const root = actorsOf(events).find(({ name }) => name === "runtime")
    assert.deepStrictEqual([...new Set(events.map(({ rootId }) => rootId))], [root?.sessionId])
  })

  it("is handed the definitions, events and snapshots of machines", async () => {
    const events: Array<StatelyInspectionEvent> = []
    await lookedAt(createInspector({ send: (event) => void events.push(event) }).inspect)
    await Effect.runPromise(Effect.sleep(50))
    const beat = actorsOf(events).find(({ name }) => name === "beat")
    assert.sameMembers(Object.keys(JSON.parse(beat?.definition ?? "{}").states), ["slots", "trust", "work"])
    const of = (type: string) => events.filter((event) => event.type === type && event.sessionId === beat?.sessionId)
    assert.include(
      of("@xstate.event").map((event) => ("event" in event ? event.event.type : "")),
      "slot.due"
    )
    const values = of("@xstate.snapshot").map((event) => JSON.stringify((event as { snapshot: { value?: unknown } }).snapshot.value))
    assert.include(values, JSON.stringify({ slots: "waiting", trust: "closed", work: "executing" }))
  })

  it("that throws harms nobody, be it a function or an observer", async () => {
    let calls = 0
    const fail = () => {
      calls += 1
      throw new Error("the inspector is broken")
    }
    const calm = await lookedAt(() => {})
    for (const inspector of [fail, { next: fail }]) {
      const { mode, events } = await lookedAt(inspector)
      assert.strictEqual(mode, "connected")
      assert.deepStrictEqual(
        events.map(({ type }) => type),
        calm.events.map(({ type }) => type)
      )
    }
    assert.isAbove(calls, 100)
  })

  it("that only wants to hear of errors is left in peace", () => {
    const tell = under({ error: () => {} }, undefined)
    tell?.({ type: "@xstate.event" } as InspectionEvent)
    assert.isUndefined(under(undefined, undefined))
  })

  it("of Stately is what createRuntime takes", () => {
    expectTypeOf(createInspector({ send: () => {} }).inspect).toExtend<Inspector>()
  })
})

describe("over a WebSocket", () => {
  it("the wire messages reach a receiver on this machine", async () => {
    const state = folder()
    // What Stately's own relay does, on loopback: everything that comes from one is passed to the others.
    const relay = new WebSocketServer({ host: "127.0.0.1", port: 0 })
    relay.on("connection", (socket) =>
      socket.on("message", (message: Buffer) => {
        for (const other of relay.clients) if (other !== socket) other.send(message.toString())
      })
    )
    await new Promise((resolve) => relay.once("listening", resolve))
    onTestFinished(() => {
      for (const client of relay.clients) client.terminate()
      return new Promise<void>((resolve) => relay.close(() => resolve()))
    })
    const url = `ws://127.0.0.1:${(relay.address() as { readonly port: number }).port}`
    const received: Array<StatelyInspectionEvent> = []
    const receiver = createWebSocketReceiver({ server: url })
    const subscription = receiver.subscribe((event) => void received.push(event))
    const inspector = createWebSocketInspector({ url })
    await Effect.runPromise(until(() => relay.clients.size === 2, "both ends on the relay"))
    const runtime = await createRuntime({ state, inspect: inspector.inspect, skills: [skill({ name: "beat", run: () => ({ beats: 1 }) })] })
    await runtime.trigger("beat")
    await Effect.runPromise(
      until(
        () => linesOf(received).some((line) => /^attempt < beat@\S+ < beat < .+ < supervisor < runtime$/.test(line)),
        "the attempt, seen from outside"
      )
    )
    await runtime.stop()
    await Effect.runPromise(
      until(
        () =>
          received.some((event) => event.type === "@xstate.snapshot" && "value" in event.snapshot && event.snapshot.value === "stopped"),
        "the end, seen from outside"
      )
    )
    inspector.stop()
    subscription.unsubscribe()
  })
})
