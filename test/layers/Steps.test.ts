/** The steps of an attempt over a journal in memory: what is on record when, and what is refused. */
import { Effect, Layer } from "effect"
import { assert, describe, it } from "vitest"
import type { AttemptEnd } from "../../src/domain/Attempt.ts"
import type { StorageFailed } from "../../src/domain/Errors.ts"
import { StateStore } from "../../src/layers/StateStore.ts"
import { type Steps, withSteps } from "../../src/layers/Steps.ts"
import { type Memory, memory, memoryStore } from "./memoryStore.ts"

const run = "job@20261122T060000Z"
const key = `${run}/send`

/** Attempt `attempt` of the run over this memory; its claim and its start are put on record first. */
const attempted = <A, E>(
  kept: Memory,
  attempt: number,
  use: (steps: Steps) => Effect.Effect<A, E, StateStore>,
  layer: Layer.Layer<StateStore> = memoryStore(kept),
  adopted = false
): Effect.Effect<A, E | StorageFailed> =>
  Effect.gen(function* () {
    const store = yield* StateStore
    if (attempt === 1 && !adopted) {
      yield* store.append({ type: "run.claimed", run, skill: "job", slot: Date.UTC(2026, 10, 22, 6), fence: 1, digest: "0", missed: 0 })
    }
    if (!adopted) yield* store.append({ type: "attempt.started", run, attempt })
    let made: A | undefined
    const work = (steps: Steps) =>
      Effect.map(use(steps), (value): AttemptEnd => {
        made = value
        return { _tag: "Succeeded", fields: {}, summary: undefined }
      })
    const end = yield* withSteps(run, attempt, work, adopted)
    if (adopted) assert.strictEqual(end._tag, "Succeeded")
    return made as A
  }).pipe(Effect.provide(layer))

const steps = (kept: Memory) => kept.journal.flatMap((event) => (event.type.startsWith("step.") ? [event.type] : []))
const live = <A, E>(effect: Effect.Effect<A, E>) => Effect.runPromise(effect)

describe("a step", () => {
  it("is a sign of life as it begins, as it ends, and as it is given up", () =>
    live(
      attempted(
        memory(),
        1,
        Effect.fnUntraced(function* ({ begin, finish, abandon, asked }) {
          const heard = [asked()]
          yield* begin("send")
          heard.push(asked())
          yield* abandon("send")
          heard.push(asked())
          yield* begin("send")
          yield* finish("send", 4)
          assert.deepStrictEqual([...heard, asked()], [0, 1, 2, 4])
        })
      )
    ))

  it("that was begun under an earlier runtime is finished by whoever has it, once, and the attempt asks for no other again", () => {
    const kept = memory()
    const begins = Effect.fnUntraced(function* ({ begin, finish }: Steps) {
      yield* begin("done", "a")
      yield* finish("done", 1, "a")
      yield* begin("send", "b")
    })
    return live(
      Effect.gen(function* () {
        yield* attempted(kept, 1, begins)
        yield* attempted(
          kept,
          1,
          Effect.fnUntraced(function* ({ begin, finish }) {
            yield* finish("send", { posted: 4 }, "b")
            yield* finish("send", { posted: 4 }, "b")
            yield* finish("done", 1, "a") // Its answer was lost.
            assert.strictEqual((yield* Effect.flip(finish("never", 1, "c")))._tag, "Refused")
            assert.deepStrictEqual(yield* begin("next", "d"), { _tag: "Execute", key: `${run}/next` })
          }),
          memoryStore(kept),
          true
        )
        assert.deepStrictEqual(steps(kept), ["step.started", "step.finished", "step.started", "step.finished", "step.started"])
      })
    )
  })

  it("is on record before it is executed and after it is finished, and later attempts get its result", () => {
    const kept = memory()
    return live(
      Effect.gen(function* () {
        yield* attempted(
          kept,
          1,
          Effect.fnUntraced(function* ({ begin, finish }) {
            assert.deepStrictEqual(yield* begin("send"), { _tag: "Execute", key })
            assert.deepStrictEqual(steps(kept), ["step.started"])
            yield* finish("send", { posted: 4 })
            assert.deepStrictEqual(steps(kept), ["step.started", "step.finished"])
          })
        )
        yield* attempted(kept, 2, ({ begin }) =>
          Effect.map(begin("send"), (start) => assert.deepStrictEqual(start, { _tag: "Replay", result: { posted: 4 } }))
        )
        assert.deepStrictEqual(steps(kept), ["step.started", "step.finished"])
      })
    )
  })

  it("that was not finished is executed again under the same key", () => {
    const kept = memory()
    return live(
      Effect.gen(function* () {
        const first = yield* attempted(kept, 1, ({ begin }) => begin("send"))
        const second = yield* attempted(kept, 2, ({ begin }) => begin("send"))
        assert.deepStrictEqual(
          [first, second],
          [
            { _tag: "Execute", key },
            { _tag: "Execute", key }
          ]
        )
      })
    )
  })

  it("is had once in an attempt; one whose work was abandoned may be begun again", () => {
    const kept = memory()
    return live(
      attempted(
        kept,
        1,
        Effect.fnUntraced(function* ({ abandon, begin, finish }) {
          yield* begin("send")
          assert.deepInclude({ ...(yield* Effect.flip(begin("send"))) }, { code: "STEP_DUPLICATE", where: run, got: "send" })
          yield* abandon("send")
          assert.deepStrictEqual(yield* begin("send"), { _tag: "Execute", key })
          yield* finish("send", 1)
          yield* abandon("send")
          assert.deepInclude({ ...(yield* Effect.flip(begin("send"))) }, { code: "STEP_DUPLICATE" })
          assert.deepInclude({ ...(yield* Effect.flip(finish("send", 2))) }, { code: "STEP_NOT_BEGUN" })
          assert.deepInclude({ ...(yield* Effect.flip(finish("other", 2))) }, { code: "STEP_NOT_BEGUN" })
          assert.deepStrictEqual(steps(kept), ["step.started", "step.started", "step.finished"])
        })
      )
    )
  })

  it("answers an asker that asks again as it did before, and nobody else", () => {
    const kept = memory()
    return live(
      attempted(
        kept,
        1,
        Effect.fnUntraced(function* ({ abandon, begin, finish }) {
          assert.deepStrictEqual(yield* begin("send", "a"), { _tag: "Execute", key })
          assert.deepStrictEqual(yield* begin("send", "a"), { _tag: "Execute", key })
          assert.deepInclude({ ...(yield* Effect.flip(begin("send", "b"))) }, { code: "STEP_DUPLICATE" })
          assert.deepInclude({ ...(yield* Effect.flip(finish("send", 1, "b"))) }, { code: "STEP_NOT_BEGUN" })
          yield* abandon("send", "b")
          yield* Effect.all([finish("send", 1, "a"), finish("send", 2, "a")], { concurrency: "unbounded" })
          yield* finish("send", 3, "a")
          assert.deepStrictEqual(steps(kept), ["step.started", "step.finished"])
          assert.deepStrictEqual(kept.ledger.runs.get(run)?.steps.get("send"), { result: 1 })
        })
      )
    )
  })

  it("of an attempt that is over is refused, and nothing is put on record", () => {
    const kept = memory()
    return live(
      Effect.gen(function* () {
        const { begin, finish } = yield* attempted(kept, 1, (steps) => Effect.as(steps.begin("send"), steps))
        assert.deepInclude({ ...(yield* Effect.flip(begin("more"))) }, { code: "STEP_NOT_EXECUTING", where: run, got: "attempt 1" })
        assert.deepInclude({ ...(yield* Effect.flip(finish("send", 1))) }, { code: "STEP_NOT_EXECUTING" })
        assert.deepStrictEqual(steps(kept), ["step.started"])
      })
    )
  })

  it("that is asked for again while its intent is on its way to the disk waits for it", () => {
    const kept = memory()
    const slow = (store: StateStore["Service"]) =>
      StateStore.of({ ...store, append: (...events) => Effect.andThen(Effect.sleep(50), store.append(...events)) })
    return live(
      attempted(
        kept,
        1,
        ({ begin }) => {
          const known = Effect.map(begin("send", "a"), () => steps(kept))
          return Effect.map(Effect.all([known, known], { concurrency: "unbounded" }), (both) =>
            assert.deepStrictEqual(both, [["step.started"], ["step.started"]])
          )
        },
        Layer.effect(StateStore, Effect.map(StateStore, slow)).pipe(Layer.provide(memoryStore(kept)))
      )
    )
  })
})
