/** The signals that ask to stop. Only the command takes them: a library leaves them to its embedder. */
import * as Effect from "effect/Effect"
import * as Queue from "effect/Queue"
import type * as Scope from "effect/Scope"

export type StopSignal = "SIGINT" | "SIGTERM"

/** Takes SIGINT and SIGTERM for as long as the scope lives, in the order in which they come. */
export const stopSignals: Effect.Effect<Queue.Dequeue<StopSignal>, never, Scope.Scope> = Effect.gen(function* () {
  const signals = yield* Queue.unbounded<StopSignal>()
  const take = (signal: NodeJS.Signals) => {
    Queue.offerUnsafe(signals, signal as StopSignal)
  }
  yield* Effect.acquireRelease(
    Effect.sync(() => {
      for (const signal of asking) process.on(signal, take)
    }),
    () =>
      Effect.sync(() => {
        for (const signal of asking) process.off(signal, take)
      })
  )
  return signals
})

const asking: ReadonlyArray<StopSignal> = ["SIGINT", "SIGTERM"]
