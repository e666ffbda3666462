/**
 * Durable appends per second: 100 writers, each of which waits for its record before it gives the next.
 *
 * Beside it, in turns and in the same process, the least that any program has to do for the same: one write and one
 * `fdatasync` for whatever waited, of the same events as JSON lines of the same size, told by promises. The longest that our writer held the
 * event loop is measured by a timer of one millisecond, from which what the bare loop does to the same timer is not taken.
 */
import * as Effect from "effect/Effect"
import * as fs from "node:fs"
import { join } from "node:path"
import { Ledger } from "../src/domain/Ledger.ts"
import { Disk } from "../src/layers/Disk.ts"
import * as Journal from "../src/layers/Journal.ts"
import { nothing } from "../src/layers/Recovery.ts"
import { reserveOf } from "../src/layers/Reserve.ts"
import { fence } from "../src/layers/Segment.ts"
import { type Figure, temporaryFolder, times } from "./figure.ts"

const writers = 100

export const figure: Figure = {
  about: `durable appends per second, ${writers} writers`,
  measure: async (effort) => {
    const forMs = times(effort, { quick: 1_000, usual: 3_000 })
    await ours(1_000) // The first second belongs to the compiler.
    const [journal, bare, held]: [Array<number>, Array<number>, Array<number>] = [[], [], []]
    for (let round = 0; round < times(effort, { quick: 3, usual: 7 }); round++) {
      const measured = await ours(forMs)
      journal.push(measured.rate)
      held.push(measured.heldMs)
      bare.push(await alone(forMs))
    }
    return [
      { what: "our journal", unit: "/s", samples: journal },
      { what: "write and fdatasync alone", unit: "/s", samples: bare, note: `records of ${recordBytes} bytes` },
      { what: "journal to bare disk", unit: "ratio", samples: journal.map((rate, round) => rate / bare[round]!), goal: ">= 0.8" },
      { what: "event loop held at most", unit: "ms", samples: held, goal: "<= 5" }
    ]
  }
}

/** Ids as a ledger keeps them: made once. */
const runs = Array.from({ length: writers }, (_, i) => `daily-memory@20261122T060000Z+manual-${i}`)
const event = (run: string) => ({ type: "attempt.started", v: 1, atMs: 1_795_000_000_000, run, attempt: 1 }) as const
const recordBytes = JSON.stringify(event(runs[50]!)).length + 40

const ours = async (forMs: number): Promise<{ readonly rate: number; readonly heldMs: number }> => {
  using folder = temporaryFolder()
  return await Effect.runPromise(
    Effect.scoped(
      Effect.gen(function* () {
        fs.mkdirSync(join(folder.path, "journal"))
        const ledger = new Ledger()
        const journal = yield* Journal.open({
          directory: folder.path,
          recovered: nothing(ledger),
          segment: yield* fence(folder.path),
          reserve: yield* reserveOf(folder.path),
          segmentBytes: 8 * 1_048_576,
          onDurable: (events) => {
            for (const one of events) ledger.apply(one)
          },
          onSealed: () => {}
        })
        let appended = 0
        const held = watch()
        const startedAt = performance.now()
        const writer = (run: string) =>
          Effect.gen(function* () {
            while (performance.now() < startedAt + forMs) {
              yield* journal.append([event(run)])
              appended += 1
            }
          })
        yield* Effect.forEach(runs, writer, { concurrency: "unbounded", discard: true })
        return { rate: appended / ((performance.now() - startedAt) / 1_000), heldMs: held() }
      })
    ).pipe(Effect.provide(Disk.layerNode))
  )
}

const alone = async (forMs: number): Promise<number> => {
  using folder = temporaryFolder()
  const fd = fs.openSync(join(folder.path, "records"), "ax")
  const head = `${"x".repeat(recordBytes - JSON.stringify(event(runs[50]!)).length - 1)} `
  let waiting: Array<{ readonly text: string; readonly resolve: () => void }> = []
  let appended = 0
  const startedAt = performance.now()
  let syncing = false
  const commit = (): void => {
    const batch = waiting
    waiting = []
    syncing = batch.length > 0
    if (!syncing) return
    let text = ""
    for (const one of batch) text += one.text
    fs.write(fd, text, () =>
      fs.fdatasync(fd, () => {
        for (const { resolve } of batch) resolve()
        setImmediate(commit)
      })
    )
  }
  await Promise.all(
    runs.map(async (run) => {
      while (performance.now() < startedAt + forMs) {
        await new Promise<void>((resolve) => {
          waiting.push({ text: `${head}${JSON.stringify(event(run))}\n`, resolve })
          if (!syncing) {
            syncing = true
            setImmediate(commit)
          }
        })
        appended += 1
      }
    })
  )
  const rate = appended / ((performance.now() - startedAt) / 1_000)
  fs.closeSync(fd)
  return rate
}

/** How long the loop was held at most, in milliseconds, since this was called. */
const watch = (): (() => number) => {
  let longest = 0
  let last = performance.now()
  const timer = setInterval(() => {
    const now = performance.now()
    longest = Math.max(longest, now - last - 1)
    last = now
  }, 1)
  return () => {
    clearInterval(timer)
    return longest
  }
}
