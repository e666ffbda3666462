import { assert, describe, it } from "@effect/vitest"
import { Clock, Effect } from "effect"
import { TestClock } from "effect/testing"
import { fromEffect } from "../../src/layers/actor.ts"
import { gatewayMachine, type Probe } from "../../src/machines/gateway.ts"
import type { LostReason } from "../../src/machines/session.ts"
import { tellingParent } from "./told.ts"

/** What is found, one probe after another; the last finding stays. */
const finding = (...script: ReadonlyArray<"ready" | "late" | LostReason>) => {
  const asked: Array<number> = []
  const left = [...script]
  const probe = Effect.gen(function* (): Effect.fn.Return<Probe> {
    asked.push(yield* Clock.currentTimeMillis)
    const found = left.length > 1 ? left.shift()! : left[0]!
    if (found === "ready" || found === "late") return { _tag: "Ready", late: found === "late" }
    return { _tag: "Failing", reason: found, detail: "", chance: 0.5, distance: "loopback" }
  })
  return { asked, machine: gatewayMachine.provide({ actors: { probe: fromEffect(() => probe) } }) }
}
const words = (told: ReadonlyArray<{ readonly type: string; readonly reason?: unknown }>) => told.map(({ type, reason }) => reason ?? type)

describe("gateway", () => {
  it.effect("is up with the first good answer and is asked every two seconds", () =>
    Effect.gen(function* () {
      const { machine, asked } = finding("ready")
      const run = yield* tellingParent(machine)
      yield* TestClock.adjust("20 seconds")
      assert.deepStrictEqual(words(run.told), ["gateway.up"])
      assert.isTrue(run.snapshot().hasTag("operational"))
      assert.deepStrictEqual(asked.slice(0, 4), [0, 2_000, 4_000, 6_000])
    })
  )

  it.effect("is not taken for lost because of one silence", () =>
    Effect.gen(function* () {
      const { machine } = finding("ready", "silent", "ready", "silent", "ready")
      const run = yield* tellingParent(machine)
      yield* TestClock.adjust("20 seconds")
      assert.deepStrictEqual(words(run.told), ["gateway.up"])
    })
  )

  it.effect("is slow, and not down, while answers come late or one does not come", () =>
    Effect.gen(function* () {
      const { machine } = finding("late", "late", "silent", "late", "silent", "ready")
      const run = yield* tellingParent(machine)
      const slow = () => run.snapshot().matches({ up: "slow" })
      yield* TestClock.adjust("2001 millis")
      assert.isTrue(slow())
      yield* TestClock.adjust("2 seconds")
      assert.isTrue(slow())
      yield* TestClock.adjust("4 seconds")
      assert.isFalse(slow())
      assert.deepStrictEqual(words(run.told), ["gateway.up"])
    })
  )

  it.effect("is lost by two silences in a row, the second asked for at once", () =>
    Effect.gen(function* () {
      const { machine } = finding("ready", "silent", "silent", "ready")
      const run = yield* tellingParent(machine)
      yield* TestClock.adjust("20 seconds")
      assert.deepStrictEqual(words(run.told), ["gateway.up", "silent", "gateway.up"])
      assert.strictEqual(run.told[1]!.atMs, 2_000)
    })
  )

  it.effect("is lost by one answer that says so, whatever it says", () =>
    Effect.gen(function* () {
      for (const reason of ["refused", "reset", "restarting", "starting", "notAGateway"] as const) {
        const { machine } = finding("ready", reason)
        const run = yield* tellingParent(machine)
        yield* TestClock.adjust("2001 millis")
        assert.deepStrictEqual(words(run.told), ["gateway.up", reason])
      }
    })
  )

  it.effect("tells each change of reason once while it is down, and is back within a second", () =>
    Effect.gen(function* () {
      const { machine } = finding("refused", "refused", "refused", "starting", "starting", "ready")
      const run = yield* tellingParent(machine)
      yield* TestClock.adjust("20 seconds")
      assert.deepStrictEqual(words(run.told), ["refused", "starting", "gateway.up"])
      assert.isBelow(run.told[2]!.atMs, 5 * 1_000)
      assert.isTrue(run.snapshot().matches("up"))
    })
  )
})
