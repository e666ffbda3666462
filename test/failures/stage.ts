/** Starts of the state service as scenarios ask for them, with a note of what was asked for and what was acknowledged. */
import { Effect, Exit, Layer, Scope } from "effect"
import { Disk } from "../../src/layers/Disk.ts"
import { StateStore, type StateOptions } from "../../src/layers/StateStore.ts"
import { eventsOf, small, type Started } from "./scenarios.ts"

/** Told of each append of one start, before it is made and when it is durable. */
export interface Notes {
  readonly submitted: (n: number, name: string, size: number) => void
  readonly acknowledged: (n: number) => void
}

export interface Starts {
  readonly start: (options?: StateOptions) => Effect.Effect<Started, unknown>
  /** Ends those that are still there. */
  readonly end: Effect.Effect<void>
}

/** `disk` is asked for at each start; `begin` is told of one. */
export const starts = (disk: () => Disk["Service"], directory: string, begin: () => Notes): Starts => {
  const scopes: Array<Scope.Closeable> = []
  return {
    end: Effect.suspend(() => Effect.forEach(scopes, (scope) => Scope.close(scope, Exit.void), { discard: true })),
    start: (options = {}) =>
      Effect.gen(function* () {
        const scope = yield* Scope.make()
        scopes.push(scope)
        const notes = begin()
        let appends = 0
        const store = yield* Layer.build(StateStore.layer(directory, { ...small, ...options })).pipe(
          Effect.flatMap((built) => Effect.provide(StateStore, built)),
          Effect.provideService(Disk, { ...disk() }), // A lock of its own: that of a machine may fail, the fence may not.
          Scope.provide(scope)
        )
        return {
          append: (name, size = 10) =>
            Effect.suspend(() => {
              const n = appends++
              notes.submitted(n, name, size)
              return Effect.match(store.append(...eventsOf(name, size)), { onSuccess: () => notes.acknowledged(n), onFailure: () => {} })
            }),
          compact: store.compact,
          flushed: store.flushed,
          close: Scope.close(scope, Exit.void)
        }
      })
  }
}
