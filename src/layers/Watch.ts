/**
 * Sees from outside that the event loop stands still: a thread (`src/watch/`) shares a counter with it. While it stands, the
 * thread says so in `status.json`; once it moves again, that is logged, on record, and gone with the next picture.
 */
import * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Queue from "effect/Queue"
import { createRequire } from "node:module"
import { dirname, join } from "node:path"
import { Worker } from "node:worker_threads"
import { Runtime } from "./Runtime.ts"
import { StateStore } from "./StateStore.ts"

/** What the thread is given. */
export interface Watched {
  /** One 32-bit number that the event loop moves. */
  readonly beats: SharedArrayBuffer
  /** `status.json`, absolute. */
  readonly view: string
  readonly everyMs: number
  readonly stalledAfterMs: number
}

/** What the thread says once the loop moves again: for how long it was seen to stand, about half a second short at most. */
export interface Stall {
  readonly forMs: number
}

/** The program of the thread; nothing where it cannot be found. Override it where Holdfast itself was bundled into another package. */
export const WatchFile = Context.Reference<string | undefined>("holdfast/layers/WatchFile", {
  defaultValue: () => {
    try {
      const root = dirname(createRequire(import.meta.url).resolve("holdfast/package.json"))
      return import.meta.url.endsWith(".ts") ? join(root, "src/watch/main.ts") : join(root, "dist/watch/main.js")
    } catch {
      return undefined
    }
  }
})

/** Between two beats, and between two looks: a stall is in the file 1.75 to 2.25 s after it began. */
const everyMs = 250
const stalledAfterMs = 2_000

/** Watches for as long as the layer lives, once the runtime is up. A thread that ends by itself is said, and everything else works. */
export const layer: Layer.Layer<never, never, Runtime | StateStore> = Layer.effectDiscard(
  Effect.gen(function* () {
    const { started } = yield* Runtime
    const watching = Effect.catch(Effect.scoped(watch), (error) =>
      Effect.logWarning(`WATCH_MISSING: stalls are not seen: ${error.message}`)
    )
    yield* Effect.forkScoped(Effect.andThen(started, watching))
  })
)

const watch = Effect.gen(function* () {
  const store = yield* StateStore
  const file = yield* WatchFile
  if (file === undefined) return yield* Effect.fail(new Error("the program of the watch thread is not there"))
  const beats = new Int32Array(new SharedArrayBuffer(4))
  const said = yield* Queue.unbounded<Stall, Error>()
  const workerData: Watched = { beats: beats.buffer, view: join(store.directory, "status.json"), everyMs, stalledAfterMs }
  yield* Effect.acquireRelease(
    Effect.sync(() => {
      const thread = new Worker(file, { name: "holdfast-watch", workerData, execArgv: [], env: {} })
      thread.on("message", (stall: Stall) => Queue.offerUnsafe(said, stall))
      thread.on("error", (error: Error) => Queue.failCauseUnsafe(said, Cause.fail(error)))
      thread.unref()
      return thread
    }),
    (thread) => Effect.promise(() => thread.terminate())
  )
  const beat = Effect.andThen(
    Effect.sync(() => Atomics.add(beats, 0, 1)),
    Effect.sleep(everyMs)
  )
  const record = Effect.flatMap(Queue.take(said), ({ forMs }) =>
    Effect.andThen(
      Effect.logWarning("RUNTIME_STALLED: the event loop stood still; a skill in this process held it, or the machine had no time for us", {
        forMs
      }),
      Effect.ignore(store.append({ type: "runtime.stalled", forMs }))
    )
  )
  return yield* Effect.raceFirst(Effect.forever(beat), Effect.forever(record))
})
