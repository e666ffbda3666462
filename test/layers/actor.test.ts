/** The bridge: what a fiber and an actor owe each other, from the first tick to the last finalizer. */
import { Context, Data, Effect, Fiber, Schedule, type Scope, Stream } from "effect"
import { TestClock } from "effect/testing"
import { assert, describe, expectTypeOf, it } from "vitest"
import { assign, createActor, fromCallback, setup } from "xstate"
import {
  ActorFailure,
  type EffectLogic,
  failureOf,
  fromEffect,
  fromListener,
  fromStream,
  plug,
  type RequirementsOf,
  runMachine
} from "../../src/layers/actor.ts"
import { port } from "../../src/machines/port.ts"
import { inVirtualTime } from "../property.ts"

class Api extends Context.Service<Api, { readonly get: (id: string) => Effect.Effect<string, HttpError> }>()("test/Api") {}
class Store extends Context.Service<Store, { readonly put: (text: string) => Effect.Effect<void> }>()("test/Store") {}
class HttpError extends Data.TaggedError("HttpError")<{ readonly status: number }> {}

/** One state that invokes the logic, and one to leave to. `ended` says how the actor ended, in a word. */
const around = (given: object) => {
  const logic = given as EffectLogic<unknown, unknown, void, never>
  const seen: Array<string> = []
  const machine = setup({ actors: { logic }, actions: { note: (_, text: string) => void seen.push(text) } }).createMachine({
    initial: "at",
    states: {
      at: {
        invoke: {
          id: "work",
          src: "logic",
          onDone: { target: "left", actions: { type: "note", params: ({ event }) => `done ${String(event.output)}` } },
          onError: { target: "left", actions: { type: "note", params: ({ event }) => failureOf(logic, event.error)?.kind ?? "strange" } }
        },
        on: { leave: "left", told: { actions: { type: "note", params: "told" } } }
      },
      left: { on: { told: { actions: { type: "note", params: "told too late" } } } }
    }
  })
  return { machine, seen }
}
const waiting = (whenInterrupted: Effect.Effect<unknown>) => fromEffect(() => Effect.onInterrupt(Effect.never, () => whenInterrupted))

describe("an actor made of an Effect", () => {
  it("is one fiber: done with its output, which the machine is told", () =>
    inVirtualTime(
      Effect.gen(function* () {
        const fibers = new Set<number>()
        const { machine, seen } = around(
          fromEffect(() =>
            Effect.gen(function* () {
              fibers.add((yield* Effect.fiber).id)
              yield* Effect.sleep(10)
              fibers.add((yield* Effect.fiber).id)
              return 7
            })
          )
        )
        yield* runMachine(machine, { input: undefined })
        yield* TestClock.adjust(10)
        assert.deepStrictEqual(seen, ["done 7"])
        assert.strictEqual(fibers.size, 1)
      })
    ))

  it("never completes inside the step that started it, however little it does", () =>
    inVirtualTime(
      Effect.gen(function* () {
        const { machine, seen } = around(fromEffect(() => Effect.succeed(1)))
        const { actor } = yield* runMachine(machine, { input: undefined })
        assert.strictEqual(actor.getSnapshot().value, "at")
        assert.deepStrictEqual(seen, [])
        yield* TestClock.adjust(1)
        assert.strictEqual(actor.getSnapshot().value, "left")
      })
    ))

  it("is interrupted when the state that invoked it is left", () =>
    inVirtualTime(
      Effect.gen(function* () {
        const ends: Array<string> = []
        const { machine } = around(waiting(Effect.sync(() => ends.push("interrupted"))))
        const { actor } = yield* runMachine(machine, { input: undefined })
        yield* TestClock.adjust(1)
        actor.send({ type: "leave" })
        assert.deepStrictEqual(ends, ["interrupted"])
      })
    ))

  it("never runs its body when it is stopped before its first tick", () =>
    inVirtualTime(
      Effect.gen(function* () {
        let ran = false
        const { machine } = around(
          fromEffect(() =>
            Effect.sync(() => {
              ran = true
            })
          )
        )
        const { actor } = yield* runMachine(machine, { input: undefined })
        actor.send({ type: "leave" })
        yield* TestClock.adjust(1_000)
        assert.isFalse(ran)
      })
    ))

  it("tells nobody after it was stopped, not even from a finalizer that runs inside the stop", () =>
    inVirtualTime(
      Effect.gen(function* () {
        let late: (() => void) | undefined
        const { machine, seen } = around(
          fromEffect(({ sendBack }) => {
            sendBack({ type: "told" })
            late = () => sendBack({ type: "told" })
            return Effect.onInterrupt(Effect.never, () =>
              Effect.andThen(
                Effect.sync(() => sendBack({ type: "told" })),
                Effect.sleep(5)
              )
            )
          })
        )
        const { actor } = yield* runMachine(machine, { input: undefined })
        yield* TestClock.adjust(1)
        assert.deepStrictEqual(seen, ["told"])
        actor.send({ type: "leave" })
        late?.()
        yield* TestClock.adjust(10)
        late?.()
        assert.deepStrictEqual(seen, ["told"])
        assert.strictEqual(actor.getSnapshot().status, "active")
      })
    ))

  it("gives its expected failure back with its type", () =>
    inVirtualTime(
      Effect.gen(function* () {
        const fetch = fromEffect(() => Effect.fail(new HttpError({ status: 503 })))
        const machine = setup({ types: { context: {} as { status: number } }, actors: { fetch } }).createMachine({
          context: { status: 0 },
          invoke: {
            src: "fetch",
            onError: {
              actions: assign({
                status: ({ event }) => {
                  const found = failureOf(fetch, event.error)
                  expectTypeOf(found?.failure).toEqualTypeOf<HttpError | undefined>()
                  assert.strictEqual(found?.kind, "Fail")
                  return found?.failure?.status ?? -1
                }
              })
            }
          }
        })
        const { actor } = yield* runMachine(machine, { input: undefined })
        yield* TestClock.adjust(1)
        assert.strictEqual(actor.getSnapshot().context.status, 503)
      })
    ))

  it("reports a defect to onError as one", () =>
    inVirtualTime(
      Effect.gen(function* () {
        const { machine, seen } = around(fromEffect(() => Effect.die(new Error("a bug"))))
        const { actor } = yield* runMachine(machine, { input: undefined })
        yield* TestClock.adjust(1)
        assert.deepStrictEqual(seen, ["Die"])
        assert.strictEqual(actor.getSnapshot().status, "active")
      })
    ))

  it("asked to stop, ends its finalizers before it reports that it was interrupted", () =>
    inVirtualTime(
      Effect.gen(function* () {
        const { machine, seen } = around(
          waiting(
            Effect.andThen(
              Effect.sleep(500),
              Effect.sync(() => seen.push("finalized"))
            )
          )
        )
        const { actor } = yield* runMachine(machine, { input: undefined })
        yield* TestClock.adjust(1)
        actor.getSnapshot().children["work"]!.send({ type: "effect.interrupt" })
        yield* TestClock.adjust(499)
        assert.strictEqual(actor.getSnapshot().value, "at")
        yield* TestClock.adjust(1)
        assert.deepStrictEqual(seen, ["finalized", "Interrupt"])
      })
    ))

  it("retries by a Schedule on the same clock", () =>
    inVirtualTime(
      Effect.gen(function* () {
        let tries = 0
        const { machine, seen } = around(
          fromEffect(() =>
            Effect.suspend(() => (++tries < 4 ? Effect.fail("not yet") : Effect.succeed(tries))).pipe(
              Effect.retry(Schedule.exponential("1 second"))
            )
          )
        )
        yield* runMachine(machine, { input: undefined })
        yield* TestClock.adjust(6_999)
        assert.deepStrictEqual(seen, [])
        yield* TestClock.adjust(1)
        assert.deepStrictEqual(seen, ["done 4"])
      })
    ))

  it("says so when it is started outside runMachine", () => {
    const { machine, seen } = around(fromEffect(() => Effect.void))
    createActor(machine).start()
    assert.deepStrictEqual(seen, ["strange"])
  })
})

describe("closing the scope", () => {
  it("stops the actor at once, then waits for every finalizer, however slow", () =>
    inVirtualTime(
      Effect.gen(function* () {
        const order: Array<string> = []
        const { machine } = around(
          waiting(
            Effect.andThen(
              Effect.sleep(60_000),
              Effect.sync(() => order.push("finalized"))
            )
          )
        )
        const closing = yield* Effect.forkChild(
          Effect.scoped(
            Effect.gen(function* () {
              const { actor } = yield* runMachine(machine, { input: undefined })
              actor.subscribe({ complete: () => order.push(`actor ${actor.getSnapshot().status}`) })
              yield* Effect.sleep(10)
            })
          ).pipe(Effect.andThen(Effect.sync(() => order.push("closed"))))
        )
        yield* TestClock.adjust(60_000)
        assert.deepStrictEqual(order, ["actor stopped"])
        yield* TestClock.adjust(10)
        assert.deepStrictEqual(order, ["actor stopped", "finalized", "closed"])
        yield* Fiber.join(closing)
      })
    ))

  it("waits also for what a state that was left long ago is still ending", () =>
    inVirtualTime(
      Effect.gen(function* () {
        const order: Array<string> = []
        const { machine } = around(
          waiting(
            Effect.andThen(
              Effect.sleep(5_000),
              Effect.sync(() => order.push("finalized"))
            )
          )
        )
        const closing = yield* Effect.forkChild(
          Effect.scoped(
            Effect.gen(function* () {
              const { actor } = yield* runMachine(machine, { input: undefined })
              yield* Effect.sleep(10)
              actor.send({ type: "leave" })
              yield* Effect.sleep(10)
              order.push("closing")
            })
          ).pipe(Effect.andThen(Effect.sync(() => order.push("closed"))))
        )
        yield* TestClock.adjust(6_000)
        assert.deepStrictEqual(order, ["closing", "finalized", "closed"])
        yield* Fiber.join(closing)
      })
    ))

  it("waits for a body that cannot be interrupted, while the machine has long left it", () =>
    inVirtualTime(
      Effect.gen(function* () {
        const order: Array<string> = []
        const { machine } = around(
          fromEffect(() =>
            Effect.uninterruptible(
              Effect.andThen(
                Effect.sleep(60),
                Effect.sync(() => order.push("body"))
              )
            )
          )
        )
        const closing = yield* Effect.forkChild(
          Effect.scoped(
            Effect.gen(function* () {
              const { actor } = yield* runMachine(machine, { input: undefined })
              yield* Effect.sleep(5)
              actor.send({ type: "leave" })
              order.push(`machine ${actor.getSnapshot().value}`)
            })
          ).pipe(Effect.andThen(Effect.sync(() => order.push("closed"))))
        )
        yield* TestClock.adjust(100)
        assert.deepStrictEqual(order, ["machine left", "body", "closed"])
        yield* Fiber.join(closing)
      })
    ))

  it("lets no delay fire afterwards", () =>
    inVirtualTime(
      Effect.gen(function* () {
        let fired = 0
        const machine = setup({ actions: { count: () => void fired++ } }).createMachine({ after: { 1_000: { actions: "count" } } })
        yield* Effect.scoped(runMachine(machine, { input: undefined }))
        yield* TestClock.adjust(10_000)
        assert.strictEqual(fired, 0)
      })
    ))
})

describe("an actor made of a Stream", () => {
  it("tells its elements in order and one at a time, and draws no more once it was left", () =>
    inVirtualTime(
      Effect.gen(function* () {
        const got: Array<number> = []
        let drawn = 0
        const count = fromStream(() =>
          Stream.mapEffect(Stream.range(1, 1_000), (n) =>
            Effect.sync(() => {
              assert.strictEqual(got.length, drawn, "an element was drawn before the one before it was told")
              drawn = n
              return { type: "number", n } as const
            })
          )
        )
        const machine = setup({
          types: { events: {} as { type: "number"; n: number } },
          actors: { count },
          guards: { enough: ({ event }) => event.n === 500 },
          actions: { keep: ({ event }) => void got.push(event.n) }
        }).createMachine({
          initial: "at",
          states: { at: { invoke: { src: "count" }, on: { number: [{ guard: "enough", target: "left" }, { actions: "keep" }] } }, left: {} }
        })
        const { actor } = yield* runMachine(machine, { input: undefined })
        for (let i = 0; i < 2_000 && actor.getSnapshot().value === "at"; i++) yield* TestClock.adjust(1)
        assert.strictEqual(actor.getSnapshot().value, "left")
        assert.deepStrictEqual(
          got,
          Array.from({ length: 499 }, (_, i) => i + 1)
        )
        assert.strictEqual(drawn, 500)
      })
    ))

  it("is done when the stream ends", () =>
    inVirtualTime(
      Effect.gen(function* () {
        const { machine, seen } = around(fromStream(() => Stream.make({ type: "told" }, { type: "told" })))
        yield* runMachine(machine, { input: undefined })
        yield* TestClock.adjust(1)
        assert.deepStrictEqual(seen, ["told", "told", "done undefined"])
      })
    ))
})

describe("an actor that only listens", () => {
  it("stops listening when it is left, and tells nobody from then on", () =>
    inVirtualTime(
      Effect.gen(function* () {
        const listeners = new Set<() => void>()
        const listener = fromListener(({ sendBack }) => {
          const hear = () => sendBack({ type: "told" })
          listeners.add(hear)
          return () => void listeners.delete(hear)
        })
        const { machine, seen } = around(listener)
        const { actor } = yield* runMachine(machine, { input: undefined })
        const [hear] = listeners
        hear?.()
        assert.deepStrictEqual(seen, ["told"])
        actor.send({ type: "leave" })
        assert.strictEqual(listeners.size, 0)
        hear?.()
        assert.deepStrictEqual(seen, ["told"])
      })
    ))
})

describe("a root actor", () => {
  it("that fails is a failed awaitDone, and nothing is thrown into the void", async () => {
    const thrown: Array<unknown> = []
    const note = (error: unknown) => void thrown.push(error)
    process.on("uncaughtException", note)
    process.on("unhandledRejection", note)
    const exit = await Effect.runPromiseExit(
      Effect.scoped(
        Effect.gen(function* () {
          const failing = fromEffect(() => Effect.die(new Error("a bug")))
          const running = yield* runMachine(setup({ actors: { failing } }).createMachine({ invoke: { src: "failing" } }), {
            input: undefined
          })
          return yield* running.awaitDone
        })
      )
    )
    // Nobody asks this one how it ended.
    await Effect.runPromise(
      Effect.scoped(
        Effect.gen(function* () {
          const failing = fromCallback(() => {
            throw new Error("another bug")
          })
          yield* runMachine(setup({ actors: { failing } }).createMachine({ invoke: { src: "failing" } }), { input: undefined })
          yield* Effect.sleep(20)
        })
      )
    )
    await new Promise((resolve) => setTimeout(resolve, 20))
    process.off("uncaughtException", note)
    process.off("unhandledRejection", note)
    assert.include(String(exit._tag === "Failure" ? exit.cause : ""), "a bug")
    assert.deepStrictEqual(thrown, [])
  })

  it("that is done gives its output", () =>
    inVirtualTime(
      Effect.gen(function* () {
        const machine = setup({ types: { output: {} as number } }).createMachine({
          initial: "end",
          states: { end: { type: "final" } },
          output: 42
        })
        const { awaitDone } = yield* runMachine(machine, { input: undefined })
        assert.strictEqual(yield* awaitDone, 42)
      })
    ))

  it("drives XState's delays and Effect's sleeps by one clock and in one order", async () => {
    const once = () =>
      inVirtualTime(
        Effect.gen(function* () {
          const order: Array<string> = []
          const note = (text: string) => void order.push(text)
          const sleeper = (text: string, ms: number) =>
            fromEffect(() =>
              Effect.andThen(
                Effect.sleep(ms),
                Effect.sync(() => note(text))
              )
            )
          const machine = setup({
            actors: { sleep200: sleeper("sleep 200", 200), sleep300: sleeper("sleep 300", 300) },
            actions: { note: (_, text: string) => note(text) }
          }).createMachine({
            type: "parallel",
            states: {
              delays: {
                initial: "first",
                states: {
                  first: { after: { 100: { target: "second", actions: { type: "note", params: "after 100" } } } },
                  second: { after: { 150: { target: "third", actions: { type: "note", params: "after 250" } } } },
                  third: {}
                }
              },
              sleeps: { invoke: [{ src: "sleep200" }, { src: "sleep300" }] }
            }
          })
          yield* runMachine(machine, { input: undefined })
          yield* TestClock.adjust(1_000)
          return order.join(", ")
        })
      )
    const orders = new Set<string>()
    for (let i = 0; i < 10; i++) orders.add(await once())
    assert.deepStrictEqual([...orders], ["after 100, sleep 200, after 250, sleep 300"])
  })
})

describe("services", () => {
  const fetch = fromEffect(({ input }: { input: string }) => Api.use((api) => api.get(input)))
  const save = fromEffect(({ input }: { input: string }) => Store.use((store) => store.put(input)))
  const innerMachine = setup({ actors: { save: port<void, string>("save") } }).createMachine({
    initial: "at",
    states: { at: { invoke: { src: "save", input: "x", onDone: "end" } }, end: { type: "final" } }
  })
  const inner = plug(innerMachine, { save })
  const outerMachine = setup({
    actors: { fetch: port<string, string>("fetch"), inner: innerMachine },
    types: { output: {} as string }
  }).createMachine({
    initial: "at",
    states: {
      at: { invoke: { id: "fetch", src: "fetch", input: "7", onDone: "in" } },
      in: { invoke: { src: "inner", onDone: "end" } },
      end: { type: "final" }
    },
    output: "ended"
  })
  const outer = plug(outerMachine, { fetch, inner })

  it("come from wherever the machine is run, also for a machine inside another", () =>
    inVirtualTime(
      Effect.gen(function* () {
        const put: Array<string> = []
        const { awaitDone } = yield* runMachine(outer, { input: undefined }).pipe(
          Effect.provideService(Api, { get: (id) => Effect.succeed(`v${id}`) }),
          Effect.provideService(Store, { put: (text) => Effect.sync(() => void put.push(text)) })
        )
        assert.strictEqual(yield* awaitDone, "ended")
        assert.deepStrictEqual(put, ["x"])
      })
    ))

  it("are in the type of a plugged machine, nested machines included, so that running it without them does not compile", () => {
    expectTypeOf<RequirementsOf<typeof fetch>>().toEqualTypeOf<Api>()
    expectTypeOf<RequirementsOf<typeof inner>>().toEqualTypeOf<Store>()
    expectTypeOf<RequirementsOf<typeof outer>>().toEqualTypeOf<Api | Store>()
    expectTypeOf<RequirementsOf<typeof outerMachine>>().toEqualTypeOf<never>()
    const running = runMachine(outer, { input: undefined })
    expectTypeOf<Effect.Services<typeof running>>().toEqualTypeOf<Api | Store | Scope.Scope>()

    // @ts-expect-error -- its services are missing.
    const missing = (): Promise<unknown> => Effect.runPromise(Effect.scoped(runMachine(outer, { input: undefined })))
    // @ts-expect-error -- one of them is still missing.
    const half: Effect.Effect<unknown, never, Api | Scope.Scope> = runMachine(outer, { input: undefined })
    // @ts-expect-error -- a skill that waits for a service is not one that needs none.
    const none: Effect.Effect<unknown, never, Scope.Scope> = runMachine(inner, { input: undefined })
    assert.strictEqual([missing, half, none].length, 3)
  })

  it("of a scope are its own: what the body acquires is released when the actor ends", () =>
    inVirtualTime(
      Effect.gen(function* () {
        const order: Array<string> = []
        const { machine, seen } = around(
          fromEffect(() =>
            Effect.gen(function* () {
              yield* Effect.addFinalizer(() => Effect.sync(() => order.push(`released, machine told: ${seen.length}`)))
              yield* Effect.sleep(10)
            })
          )
        )
        yield* runMachine(machine, { input: undefined })
        yield* TestClock.adjust(10)
        assert.deepStrictEqual(order, ["released, machine told: 0"])
        assert.deepStrictEqual(seen, ["done undefined"])
      })
    ))
})

describe("a failure", () => {
  it("can be written down", () =>
    inVirtualTime(
      Effect.gen(function* () {
        const failing = fromEffect(() => Effect.fail(new HttpError({ status: 404 })))
        const running = yield* runMachine(setup({ actors: { failing } }).createMachine({ invoke: { src: "failing" } }), {
          input: undefined
        })
        const failure = yield* Effect.flip(running.awaitDone)
        assert.instanceOf(failure, ActorFailure)
        assert.deepInclude(JSON.parse(JSON.stringify(failure)), {
          _tag: "ActorFailure",
          kind: "Fail",
          failure: { _tag: "HttpError", status: 404 }
        })
      })
    ))
})
