/** The signals that ask to stop, and the one that asks to read the skills again. Only the command takes them: a library leaves them to its embedder. */
import * as Effect from "effect/Effect"
import * as Queue from "effect/Queue"
import type * as Scope from "effect/Scope"

export type StopSignal = "SIGINT" | "SIGTERM"

/** Takes SIGINT and SIGTERM for as long as the scope lives, in the order in which they come. */
export const stopSignals: Effect.Effect<Queue.Dequeue<StopSignal>, never, Scope.Scope> = Effect.suspend(() =>
  taken<StopSignal>(["SIGINT", "SIGTERM"])
)

/** Takes SIGHUP for as long as the scope lives: without, it would end the process. */
export const reloadSignals: Effect.Effect<Queue.Dequeue<"SIGHUP">, never, Scope.Scope> = Effect.suspend(() => taken<"SIGHUP">(["SIGHUP"]))

const taken = Effect.fnUntraced(function* <S extends NodeJS.Signals>(asking: ReadonlyArray<S>) {
  const signals = yield* Queue.unbounded<S>()
  const take = (signal: NodeJS.Signals) => {
    Queue.offerUnsafe(signals, signal as S)
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
