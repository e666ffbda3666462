import { assert, describe, it } from "@effect/vitest"
import { Effect, Queue } from "effect"
import { TestClock } from "effect/testing"
import { fromEffect } from "../../src/layers/actor.ts"
import { type Delivery, outboxMachine, type Verification } from "../../src/machines/outbox.ts"
import { tellingParent } from "./told.ts"

/** An outbox whose ports are done when the test says so; `did` is what they were asked, in order. */
const harness = Effect.fnUntraced(function* (bootId?: string) {
  const did: Array<string> = []
  const deliveries = yield* Queue.unbounded<Delivery>()
  const verifications = yield* Queue.unbounded<Verification>()
  const arrivals = yield* Queue.unbounded<void>()
  const catchUps = yield* Queue.unbounded<void>()
  const hooked = yield* Queue.unbounded<Delivery>()
  const hookArrivals = yield* Queue.unbounded<void>()
  const run = yield* tellingParent(
    outboxMachine.provide({
      actors: {
        arrival: fromEffect(() => Queue.take(arrivals)),
        deliver: fromEffect(({ input }: { input: { readonly absent: string | undefined } }) =>
          Effect.suspend(() => {
            did.push(`deliver ${input.absent ?? ""}`.trimEnd())
            return Queue.take(deliveries)
          })
        ),
        verify: fromEffect(({ input }: { input: { readonly run: string } }) =>
          Effect.suspend(() => {
            did.push(`verify ${input.run}`)
            return Queue.take(verifications)
          })
        ),
        catchUp: fromEffect(() =>
          Effect.suspend(() => {
            did.push("catchUp")
            return Queue.take(catchUps)
          })
        ),
        hookArrival: fromEffect(() => Queue.take(hookArrivals)),
        deliverHook: fromEffect(() => Queue.take(hooked))
      }
    }),
    { bootId }
  )
  const after = <A>(queue: Queue.Queue<A>, value: A) => Effect.andThen(Queue.offer(queue, value), TestClock.adjust(1))
  return {
    ...run,
    did,
    delivered: (delivery: Delivery) => after(deliveries, delivery),
    verified: (verification: Verification) => after(verifications, verification),
    arrived: after(arrivals, undefined as void),
    hooked: (delivery: Delivery) => after(hooked, delivery),
    hookArrived: after(hookArrivals, undefined as void),
    hookMode: () => (run.value() as { readonly hooks: string }).hooks,
    caughtUp: after(catchUps, undefined as void),
    up: Effect.andThen(
      Effect.sync(() => run.send({ type: "session.up", bootId: "b1" })),
      TestClock.adjust(1)
    ),
    mode: () => (run.value() as { readonly delivery: string }).delivery
  }
})

describe("outbox", () => {
  it.effect("delivers nothing without a session", () =>
    Effect.gen(function* () {
      const outbox = yield* harness()
      yield* TestClock.adjust("1 minute")
      assert.strictEqual(outbox.mode(), "waiting")
      assert.deepStrictEqual(outbox.did, [])
    })
  )

  it.effect("delivers one entry after another, then idles until one arrives", () =>
    Effect.gen(function* () {
      const outbox = yield* harness()
      yield* outbox.up
      yield* outbox.delivered({ _tag: "Settled", run: "a" })
      yield* outbox.delivered({ _tag: "Settled", run: "b" })
      yield* outbox.delivered({ _tag: "Empty" })
      assert.strictEqual(outbox.mode(), "idle")
      yield* outbox.arrived
      assert.strictEqual(outbox.mode(), "delivering")
      assert.deepStrictEqual(outbox.did, ["deliver", "deliver", "deliver", "deliver"])
    })
  )

  it.effect("looks an ambiguous entry up before it is sent again", () =>
    Effect.gen(function* () {
      const outbox = yield* harness()
      yield* outbox.up
      yield* outbox.delivered({ _tag: "Ambiguous", run: "a" })
      assert.strictEqual(outbox.mode(), "verifying")
      yield* outbox.verified({ _tag: "Absent", run: "a" })
      assert.deepStrictEqual(outbox.did, ["deliver", "verify a", "deliver a"])
    })
  )

  it.effect("sends nothing again that the transcript has", () =>
    Effect.gen(function* () {
      const outbox = yield* harness()
      yield* outbox.up
      yield* outbox.delivered({ _tag: "Ambiguous", run: "a" })
      yield* outbox.verified({ _tag: "Settled", run: "a" })
      assert.deepStrictEqual(outbox.did, ["deliver", "verify a", "deliver"])
    })
  )

  it.effect("forgets what it knew to be absent when the session is lost", () =>
    Effect.gen(function* () {
      const outbox = yield* harness()
      yield* outbox.up
      yield* outbox.delivered({ _tag: "Ambiguous", run: "a" })
      yield* outbox.verified({ _tag: "Absent", run: "a" })
      outbox.send({ type: "session.lost" })
      assert.strictEqual(outbox.mode(), "waiting")
      yield* outbox.up
      assert.deepStrictEqual(outbox.did, ["deliver", "verify a", "deliver a", "deliver"])
    })
  )

  it.effect("waits as long as a refusal asked for, and need not look up what was refused", () =>
    Effect.gen(function* () {
      const outbox = yield* harness()
      yield* outbox.up
      yield* outbox.delivered({ _tag: "Postponed", run: "a", absent: true, delayMs: 3_000, reason: "UNAVAILABLE" })
      assert.strictEqual(outbox.mode(), "retryable")
      assert.strictEqual(outbox.snapshot().context.reason, "UNAVAILABLE")
      yield* TestClock.adjust(2_990)
      assert.strictEqual(outbox.mode(), "retryable")
      yield* TestClock.adjust(20)
      assert.deepStrictEqual(outbox.did, ["deliver", "deliver a"])
    })
  )

  it.effect("sends by the hooks without a session, and through its losses", () =>
    Effect.gen(function* () {
      const outbox = yield* harness()
      yield* outbox.hooked({ _tag: "Settled", run: "a" })
      yield* outbox.hooked({ _tag: "Postponed", run: "b", absent: false, delayMs: 5_000, reason: "hooks: 503" })
      assert.strictEqual(outbox.hookMode(), "retryable")
      yield* outbox.up
      outbox.send({ type: "session.lost" })
      yield* TestClock.adjust(4_990)
      assert.strictEqual(outbox.hookMode(), "retryable")
      yield* TestClock.adjust(20)
      yield* outbox.hooked({ _tag: "Empty" })
      assert.strictEqual(outbox.hookMode(), "idle")
      yield* outbox.hookArrived
      assert.strictEqual(outbox.hookMode(), "delivering")
      assert.strictEqual(outbox.mode(), "waiting")
    })
  )

  it.effect("says caught up once, for each resync that was started", () =>
    Effect.gen(function* () {
      const outbox = yield* harness()
      yield* outbox.up
      outbox.send({ type: "resync.started" })
      yield* TestClock.adjust(1)
      assert.deepStrictEqual(outbox.told, [])
      yield* outbox.caughtUp
      assert.deepStrictEqual(
        outbox.told.map(({ type }) => type),
        ["outbox.caughtUp"]
      )
      assert.deepStrictEqual(
        outbox.did.filter((what) => what === "deliver"),
        ["deliver"]
      ) // Neither region restarts the other.
    })
  )

  it.effect("restarted in the middle of a session, delivers at once and says when it has caught up", () =>
    Effect.gen(function* () {
      const outbox = yield* harness("b1")
      yield* TestClock.adjust(1)
      assert.deepStrictEqual(outbox.did, ["deliver", "catchUp"])
      yield* outbox.caughtUp
      assert.deepStrictEqual(
        outbox.told.map(({ type }) => type),
        ["outbox.caughtUp"]
      )
    })
  )
})
