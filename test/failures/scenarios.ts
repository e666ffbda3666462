/** The ways in which the state service writes, played on any disk: one in memory that is crashed everywhere, and a real one. */
import { Effect, Schedule } from "effect"
import { readdirSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { LockHeld } from "../../src/domain/Errors.ts"
import type { JournalEvent } from "../../src/domain/JournalEvent.ts"
import type { NewEvent, StateOptions } from "../../src/layers/StateStore.ts"
import { adopted, paused } from "../contracts/state.ts"

/** One disk, many starts on it. */
export interface Stage {
  /** A start; the scope of the stage ends it in order, if nothing else does. */
  readonly start: (options?: StateOptions) => Effect.Effect<Started, unknown>
  /** The process ends without a word, the machine goes on. */
  readonly kill: () => void
  /** The machine ends. A real one is ended from outside, and this does nothing there. */
  readonly cut: () => void
  /** The `n`-th change from here on is refused; the `n`-th sync fails. From outside on a real disk, where these do nothing. */
  readonly refuse: (n: number, code: string) => void
  readonly failSync: (n: number) => void
  /** Of two processes: the one that holds the directory waits here until the other one says that it was refused. */
  readonly visited: Effect.Effect<void>
  readonly refused: Effect.Effect<void>
}

export interface Started {
  readonly append: (name: string, size?: number) => Effect.Effect<void>
  readonly compact: Effect.Effect<void, unknown>
  readonly flushed: Effect.Effect<void>
  /** Into the folder `copy` beside the directory. */
  readonly backup: Effect.Effect<void, unknown>
  readonly close: Effect.Effect<void>
}

export interface Scenario {
  readonly name: string
  /** Runs once for each of these numbers. */
  readonly turns?: number
  /** On a real disk it is not killed: its calls fail in this way. */
  readonly fails?: "full" | "sync" | undefined
  /** On a simulated disk each call takes a while, by chance, another one in each turn. */
  readonly shuffled?: true
  /** Starts while another start of the same process is still there, which the lock of a machine would refuse. */
  readonly overlaps?: true
  /** The journal that is there before it begins: files by name. */
  readonly given?: () => ReadonlyMap<string, Buffer>
  readonly play: (stage: Stage, turn: number) => Effect.Effect<void, unknown>
}

/** What `append` of a name and a size appends; a name that begins with `run-` has a run that ends, and so a status file. */
export const eventsOf = (name: string, size: number): ReadonlyArray<NewEvent> =>
  name.startsWith("run-")
    ? [
        adopted(name),
        { type: "run.claimed", atMs: 1, run: `${name}@${size}`, skill: name, slot: 1, fence: 1, digest: "d", missed: 0 },
        {
          type: "run.settled",
          atMs: 2,
          run: `${name}@${size}`,
          outcome: "success",
          reason: "",
          startedAtMs: 1,
          durationMs: 1,
          fields: { text: "x".repeat(size) },
          report: null
        }
      ]
    : [adopted(name), paused(name, "x".repeat(size))]

/** The same as they are on record. */
export const recordedOf = (name: string, size: number): ReadonlyArray<JournalEvent> =>
  eventsOf(name, size).map((event) => ({ v: 1, ...event }) as JournalEvent)

/** What every start is given but for what a scenario says. */
export const small: StateOptions = { reserveBytes: 64 }

export const scenarios: ReadonlyArray<Scenario> = [
  { name: "first boot", play: (stage) => Effect.flatMap(stage.start(), ({ close }) => close) },
  {
    name: "append",
    play: (stage) =>
      Effect.gen(function* () {
        const store = yield* stage.start()
        yield* many(store, 0, 3)
      })
  },
  {
    name: "batch",
    play: (stage) =>
      Effect.gen(function* () {
        const store = yield* stage.start()
        yield* Effect.forEach(["a", "b", "c", "d"], (name) => store.append(name), { concurrency: "unbounded", discard: true })
        yield* store.append("e")
      })
  },
  {
    name: "orderly restart",
    play: (stage) =>
      Effect.gen(function* () {
        for (const n of [0, 2, 4]) {
          const store = yield* stage.start()
          yield* many(store, n, n + 2)
          yield* store.close
        }
      })
  },
  {
    name: "rotate",
    play: (stage) =>
      Effect.gen(function* () {
        const store = yield* stage.start({ segmentBytes: 700 })
        yield* many(store, 0, 7)
      })
  },
  {
    name: "compact",
    play: (stage) =>
      Effect.gen(function* () {
        const store = yield* stage.start({ segmentBytes: 700 })
        yield* many(store, 0, 4)
        yield* store.compact
        yield* many(store, 4, 8)
        yield* store.compact
        yield* store.append("last")
      })
  },
  {
    name: "history goes",
    play: (stage) =>
      Effect.gen(function* () {
        const store = yield* stage.start({ segmentBytes: 500, history: { runs: 0, days: 0 } })
        for (const n of [0, 3, 6]) {
          yield* many(store, n, n + 3)
          yield* store.compact
        }
        yield* store.append("last")
      })
  },
  {
    name: "recovery after a kill",
    overlaps: true,
    play: (stage) =>
      Effect.gen(function* () {
        const store = yield* stage.start()
        yield* many(store, 0, 2)
        stage.kill()
        const next = yield* stage.start()
        yield* next.append("next")
      })
  },
  {
    name: "recovery of a recovery",
    overlaps: true,
    play: (stage) =>
      Effect.gen(function* () {
        const store = yield* stage.start()
        yield* many(store, 0, 2)
        stage.cut()
        const next = yield* stage.start()
        stage.cut()
        const third = yield* stage.start()
        yield* third.append("third")
        yield* next.close
      })
  },
  {
    name: "lock take-over",
    overlaps: true,
    play: (stage) =>
      Effect.gen(function* () {
        const old = yield* stage.start({ segmentBytes: 500 })
        yield* many(old, 0, 2)
        const next = yield* stage.start()
        yield* Effect.all([old.append("of the old one"), next.append("of the new one")], { concurrency: "unbounded", discard: true })
        yield* old.append("too late")
      })
  },
  {
    name: "views",
    play: (stage) =>
      Effect.gen(function* () {
        const store = yield* stage.start()
        for (const n of [1, 2]) {
          yield* store.append("run-a", 40 * n)
          yield* store.append("run-b", 600 * n)
          yield* store.flushed
        }
      })
  },
  {
    name: "two writers at once",
    turns: 24,
    shuffled: true,
    overlaps: true,
    play: (stage) =>
      Effect.gen(function* () {
        const old = yield* stage.start({ segmentBytes: 300 })
        yield* old.append("first")
        const next = Effect.flatMap(stage.start({ segmentBytes: 300 }), (started) => many(started, 0, 2))
        yield* Effect.all([many(old, 10, 13), next], { concurrency: "unbounded", discard: true })
      })
  },
  {
    name: "migrate",
    given: () => formatOne(),
    play: (stage) =>
      Effect.gen(function* () {
        const store = yield* stage.start()
        yield* store.append("of format 2")
      })
  },
  {
    name: "backup",
    play: (stage) =>
      Effect.gen(function* () {
        const store = yield* stage.start({ segmentBytes: 700 })
        yield* many(store, 0, 3)
        yield* Effect.all([store.backup, many(store, 3, 5)], { concurrency: "unbounded", discard: true })
        yield* store.append("last")
      })
  },
  {
    name: "disk full at each write",
    turns: 12,
    fails: "full",
    play: (stage, turn) =>
      Effect.gen(function* () {
        stage.refuse(turn, "ENOSPC")
        const store = yield* Effect.result(stage.start({ segmentBytes: 500 }))
        if (store._tag === "Failure") return
        yield* many(store.success, 0, 4)
      })
  },
  {
    name: "failed sync at each sync",
    turns: 8,
    fails: "sync",
    overlaps: true,
    play: (stage, turn) =>
      Effect.gen(function* () {
        stage.failSync(turn)
        const store = yield* Effect.result(stage.start({ segmentBytes: 500 }))
        if (store._tag === "Success") yield* many(store.success, 0, 4)
        // On what can be read, though the disk has forgotten a part of it. Where the start met the failure, the one after it.
        const next = yield* Effect.catch(stage.start(), () => stage.start())
        yield* next.append("next")
      })
  }
]

/** Two processes on one directory: one that holds it, and one that waits until it may. On a real disk only. */
export const handOver: { readonly holder: Scenario; readonly next: Scenario } = {
  holder: {
    name: "hand-over: holder",
    play: (stage) =>
      Effect.gen(function* () {
        const store = yield* stage.start({ segmentBytes: 700 })
        yield* many(store, 0, 2)
        yield* stage.visited
        yield* many(store, 2, 6)
      })
  },
  next: {
    name: "hand-over: next",
    play: (stage) =>
      Effect.gen(function* () {
        const store = yield* Effect.retry(
          Effect.tapError(stage.start(), (error) => (held(error) ? stage.refused : Effect.void)),
          { schedule: Schedule.spaced("2 millis"), while: held }
        )
        yield* many(store, 6, 8)
      })
  }
}

const held = (error: unknown): boolean => error instanceof LockHeld

const many = (started: Started, from: number, to: number, size?: number) =>
  Effect.forEach(
    Array.from({ length: to - from }, (_, i) => `s${from + i}`),
    (name) => started.append(name, size),
    { discard: true }
  )

const formatOne = (): ReadonlyMap<string, Buffer> => {
  const folder = join(import.meta.dirname, "../fixtures/state/format-1/events/journal")
  return new Map(readdirSync(folder).map((name) => [name, readFileSync(join(folder, name))]))
}
