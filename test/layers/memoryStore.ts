/** A state store without a disk: what is appended is durable at once, and outlives the layer, as a directory would. */
import { Clock, Effect, Fiber, Layer, PubSub, Stream } from "effect"
import type { JournalEvent } from "../../src/domain/JournalEvent.ts"
import { fold, type Ledger } from "../../src/domain/Ledger.ts"
import { StateStore } from "../../src/layers/StateStore.ts"

export interface Memory {
  readonly journal: Array<JournalEvent>
  readonly views: Map<string, string>
  /** How long a disk takes to make an append durable, in milliseconds; who stops waiting changes nothing. */
  appendMs: number
  /** What the layer in use holds. */
  ledger: Ledger
}

export const memory = (): Memory => ({ journal: [], views: new Map(), appendMs: 0, ledger: fold([]) })

/** Each layer made of the same memory is one more start on the same directory. */
export const memoryStore = (kept: Memory) =>
  Layer.effect(
    StateStore,
    Effect.gen(function* () {
      const ledger = fold(kept.journal)
      kept.ledger = ledger
      const events = yield* PubSub.unbounded<JournalEvent>()
      return StateStore.of({
        directory: "/nowhere",
        epoch: 1,
        append: Effect.fnUntraced(function* (...added) {
          const write = Effect.gen(function* () {
            for (const one of added) {
              const event = { v: 1, atMs: yield* Clock.currentTimeMillis, ...one } as JournalEvent
              kept.journal.push(event)
              ledger.apply(event)
              yield* PubSub.publish(events, event)
            }
          })
          if (kept.appendMs === 0) return yield* write
          const writing = yield* Effect.forkDetach(Effect.andThen(Effect.sleep(kept.appendMs), write), { startImmediately: true })
          yield* Fiber.join(writing)
        }),
        ledger,
        events: Stream.fromPubSub(events),
        condition: Stream.concat(Stream.succeed({ _tag: "Writable" } as const), Stream.never),
        view: (path, text) =>
          Effect.sync(() => {
            kept.views.set(path, text)
          }),
        folder: () => Effect.void,
        flushed: Effect.void,
        compact: Effect.void,
        lastAtMs: kept.journal.at(-1)?.atMs ?? 0,
        damage: []
      })
    })
  )
