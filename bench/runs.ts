/**
 * Durable runs per second: 100 loops, each of a skill of its own whose function does nothing. A run's claim is durable
 * before it starts and its outcome before it counts; in between its attempt is put on record too.
 *
 * Beside it, in turns and in the same process: our journal alone with two appends a run, and the least that any program
 * has to do for two durable records under group commit.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as fs from "node:fs"
import { join } from "node:path"
import { Ledger } from "../src/domain/Ledger.ts"
import { Skill, Supervisor } from "../src/effect.ts"
import { Disk } from "../src/layers/Disk.ts"
import { layer } from "../src/layers/Holdfast.ts"
import * as Journal from "../src/layers/Journal.ts"
import { nothing } from "../src/layers/Recovery.ts"
import { reserveOf } from "../src/layers/Reserve.ts"
import { fence } from "../src/layers/Segment.ts"
import { type Figure, pause, temporaryFolder, times } from "./figure.ts"

const writers = 100

export const figure: Figure = {
  about: `durable runs per second, ${writers} at a time`,
  measure: async (effort) => {
    const forMs = times(effort, { quick: 1_500, usual: 4_000 })
    const ours: Array<number> = []
    const journal: Array<number> = []
    const raw: Array<number> = []
    await inRuntime(1_000) // The first second belongs to the compiler.
    for (let round = 0; round < times(effort, { quick: 1, usual: 5 }); round++) {
      ours.push(await inRuntime(forMs))
      journal.push(await inJournal(forMs))
      raw.push(await inFile(forMs))
    }
    const ratio = (to: ReadonlyArray<number>) => ours.map((rate, round) => rate / to[round]!)
    return [
      { what: "runs through the runtime", unit: "/s", samples: ours, note: "three appends a run" },
      { what: "our journal alone", unit: "runs/s", samples: journal, note: "two appends a run" },
      { what: "write and fdatasync alone", unit: "runs/s", samples: raw, note: "two records of 256 bytes a run" },
      { what: "runtime to journal", unit: "ratio", samples: ratio(journal) },
      { what: "runtime to bare disk", unit: "ratio", samples: ratio(raw) }
    ]
  }
}

/** Each loop triggers its skill, waits until the run has settled and the skill is idle again, and triggers it anew. */
const inRuntime = async (forMs: number): Promise<number> => {
  using folder = temporaryFolder()
  const names = Array.from({ length: writers }, (_, i) => `skill-${i}`)
  const skills = names.map((name) => Skill.make({ name, run: () => Effect.void }))
  return await Effect.runPromise(
    Effect.scoped(
      Effect.gen(function* () {
        const services = yield* Layer.build(layer({ state: folder.path, skills }))
        const supervisor = Context.get(services, Supervisor)
        while (names.some((name) => supervisor.actor(name)?.getSnapshot().context.gate.open !== true)) yield* Effect.sleep(5)
        return yield* rate(forMs, (i) => {
          const actor = supervisor.actor(names[i]!)!
          const settled = Effect.callback<void>((resume) => {
            const subscription = actor.subscribe(({ context }) => {
              if (context.runs.length > 0) return
              subscription.unsubscribe()
              resume(Effect.void)
            })
          })
          return Effect.andThen(supervisor.trigger(names[i]!), settled)
        })
      })
    )
  )
}

const inJournal = async (forMs: number): Promise<number> => {
  using folder = temporaryFolder()
  return await Effect.runPromise(
    Effect.scoped(
      Effect.gen(function* () {
        fs.mkdirSync(join(folder.path, "journal"))
        const journal = yield* Journal.open({
          directory: folder.path,
          recovered: nothing(new Ledger()),
          segment: yield* fence(folder.path),
          reserve: yield* reserveOf(folder.path),
          segmentBytes: 8 * 1_048_576,
          onDurable: () => {},
          onSealed: () => {}
        })
        let runs = 0
        return yield* rate(forMs, (i) => {
          const run = `skill-${i}@20261122T060000Z+manual-${++runs}`
          const claimed = {
            type: "run.claimed",
            v: 1,
            atMs: Date.now(),
            run,
            skill: `skill-${i}`,
            slot: 0,
            fence: runs,
            digest,
            missed: 0
          } as const
          const settled = {
            type: "run.settled",
            v: 1,
            atMs: Date.now(),
            run,
            outcome: "success",
            reason: "",
            startedAtMs: 0,
            durationMs: 0,
            fields: {},
            report: null
          } as const
          return Effect.andThen(journal.append([claimed]), journal.append([settled]))
        })
      })
    ).pipe(Effect.provide(Disk.layerNode))
  )
}

const digest = "0".repeat(64)

/** As many loops as there are writers, side by side; how many of their rounds ended in a second. */
const rate = <E, R>(forMs: number, round: (writer: number) => Effect.Effect<unknown, E, R>): Effect.Effect<number, E, R> =>
  Effect.suspend(() => {
    const startedAt = performance.now()
    let rounds = 0
    const loop = (writer: number) =>
      Effect.gen(function* () {
        while (performance.now() < startedAt + forMs) {
          yield* round(writer)
          rounds += 1
        }
      })
    return Effect.forEach(
      Array.from({ length: writers }, (_, i) => i),
      loop,
      { concurrency: "unbounded", discard: true }
    ).pipe(Effect.map(() => rounds / ((performance.now() - startedAt) / 1_000)))
  })

/** Callbacks only: what waited during one sync is the next batch. */
const inFile = async (forMs: number): Promise<number> => {
  using folder = temporaryFolder()
  const fd = fs.openSync(join(folder.path, "records"), "ax")
  const record = `${"x".repeat(255)}\n`
  const startedAt = performance.now()
  let records = 0
  let waiting: Array<() => void> = []
  let open = true
  const durable = () =>
    new Promise<void>((resolve) => {
      waiting.push(resolve)
    })
  const commit = (): void => {
    const batch = waiting
    waiting = []
    if (batch.length === 0) return void setImmediate(open ? commit : () => {})
    fs.write(fd, record.repeat(batch.length), () =>
      fs.fdatasync(fd, () => {
        records += batch.length
        for (const resolve of batch) resolve()
        setImmediate(commit)
      })
    )
  }
  commit()
  await Promise.all(
    Array.from({ length: writers }, async () => {
      while (performance.now() < startedAt + forMs) {
        await durable()
        await durable()
      }
    })
  )
  const elapsedMs = performance.now() - startedAt
  open = false
  await pause(10)
  fs.closeSync(fd)
  return records / 2 / (elapsedMs / 1_000)
}
