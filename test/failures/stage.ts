/** Starts of the state service as scenarios ask for them, with a note of what was asked for and what was acknowledged. */
import { Effect, Exit, Layer, Scope } from "effect"
import { dirname, join } from "node:path"
import { backup } from "../../src/layers/Backup.ts"
import { Disk } from "../../src/layers/Disk.ts"
import { StateStore, type StateOptions } from "../../src/layers/StateStore.ts"
import { eventsOf, small, type Started } from "./scenarios.ts"

/** Told of each append of one start, before it is made and when it is durable. */
export interface Notes {
  readonly submitted: (n: number, name: string, size: number) => void
  readonly acknowledged: (n: number) => void
  /** A backup is durable, that was begun after so many were acknowledged. */
  readonly copied: (acknowledged: number) => void
}

/** Where the backup of a directory is. */
export const copyOf = (directory: string): string => join(dirname(directory), "copy")

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
        let [appends, durable] = [0, 0]
        const here = { ...disk() } // A lock of its own where it is simulated: that of a machine may fail, the fence may not.
        const store = yield* Layer.build(StateStore.layer(directory, { ...small, ...options })).pipe(
          Effect.flatMap((built) => Effect.provide(StateStore, built)),
          Effect.provideService(Disk, here),
          Scope.provide(scope)
        )
        return {
          append: (name, size = 10) =>
            Effect.suspend(() => {
              const n = appends++
              notes.submitted(n, name, size)
              const onSuccess = () => {
                durable += 1
                notes.acknowledged(n)
              }
              return Effect.match(store.append(...eventsOf(name, size)), { onSuccess, onFailure: () => {} })
            }),
          compact: store.compact,
          flushed: store.flushed,
          backup: Effect.suspend(() => {
            const before = durable
            return Effect.map(backup(directory, copyOf(directory)), () => notes.copied(before))
          }).pipe(Effect.provideService(Disk, here)),
          close: Scope.close(scope, Exit.void)
        }
      })
  }
}
