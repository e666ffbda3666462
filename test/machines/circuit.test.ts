/** The circuit without any calls: when it opens, and what closes it again. */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { TestClock } from "effect/testing"
import { runMachine } from "../../src/layers/actor.ts"
import { admits, circuitMachine, circuitRestMs, circuitState, type CircuitEvent } from "../../src/machines/circuit.ts"

const circuit = Effect.gen(function* () {
  const { actor } = yield* runMachine(circuitMachine, { input: undefined })
  const send = (end: "begun" | "answered" | "failed" | "abandoned", call = 0) =>
    actor.send({ type: `call.${end}`, call } satisfies CircuitEvent)
  return {
    send,
    fail: (times: number) => Array.from({ length: times }, () => send("failed")),
    state: () => circuitState(actor.getSnapshot()),
    admits: () => admits(actor.getSnapshot())
  }
})

describe("the circuit", () => {
  it.effect("opens after five failures in a row, and an answer in between begins the count anew", () =>
    Effect.gen(function* () {
      const { send, fail, state, admits } = yield* circuit
      fail(4)
      send("answered")
      fail(4)
      assert.deepStrictEqual([state(), admits()], ["closed", true])
      fail(1)
      assert.deepStrictEqual([state(), admits()], ["open", false])
    })
  )

  it.effect("lets one call try after five seconds, and closes with its answer", () =>
    Effect.gen(function* () {
      const { send, fail, state, admits } = yield* circuit
      fail(5)
      yield* TestClock.adjust(circuitRestMs - 1)
      assert.strictEqual(state(), "open")
      yield* TestClock.adjust(1)
      assert.deepStrictEqual([state(), admits()], ["halfOpen", true])
      send("begun", 7)
      assert.deepStrictEqual([state(), admits()], ["halfOpen", false])
      send("answered", 7)
      assert.strictEqual(state(), "closed")
      fail(4)
      assert.strictEqual(state(), "closed")
    })
  )

  it.effect("is open for another five seconds when that call fails, and lets another one try when it was given up", () =>
    Effect.gen(function* () {
      const { send, fail, state, admits } = yield* circuit
      fail(5)
      yield* TestClock.adjust(circuitRestMs)
      send("begun", 7)
      send("failed", 7)
      assert.strictEqual(state(), "open")
      yield* TestClock.adjust(circuitRestMs)
      send("begun", 8)
      send("abandoned", 8)
      assert.deepStrictEqual([state(), admits()], ["halfOpen", true])
    })
  )

  it.effect("believes only the call that tries, not the ends of those from before", () =>
    Effect.gen(function* () {
      const { send, fail, state } = yield* circuit
      fail(5)
      send("answered", 3)
      assert.strictEqual(state(), "open")
      yield* TestClock.adjust(circuitRestMs)
      send("begun", 7)
      send("failed", 4)
      assert.strictEqual(state(), "halfOpen")
      send("answered", 3)
      assert.strictEqual(state(), "halfOpen")
    })
  )
})
