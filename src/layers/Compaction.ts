/**
 * Keeps what a start has to read short: writes checkpoints from sealed segments, and lets history beyond the retention go.
 *
 * A checkpoint counts only after it was read back. Two generations are kept, and every segment that the older one does not
 * cover: should the newer be damaged, nothing is missing.
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import { join } from "node:path"
import { writeCheckpoint } from "../domain/Checkpoint.ts"
import type { DiskError, StateUnusable } from "../domain/Errors.ts"
import { type Chapter, headerOf, JournalReading } from "../domain/JournalReading.ts"
import type { Ledger } from "../domain/Ledger.ts"
import { parseRunId } from "../domain/Run.ts"
import { Disk } from "./Disk.ts"
import {
  checkpointName,
  checkpointsIn,
  eachSegment,
  newestCheckpoint,
  readSealed,
  readSegment,
  segmentName,
  segmentsIn
} from "./Recovery.ts"

/** How much history stays: what is older than either bound goes, except what is unsettled or unreported, parked reports among that. */
export interface Retention {
  readonly runs: number
  readonly days: number
}
export const retention: Retention = { runs: 100_000, days: 90 }

/** A checkpoint is due when this many bytes or segments came after the last one. */
const dueBytes = 8 * 1_048_576
const dueSegments = 64

/** Whether the sealed segments below `current` that no checkpoint covers are many. */
export const due = Effect.fnUntraced(function* (directory: string, current: number): Effect.fn.Return<boolean, DiskError, Disk> {
  const disk = yield* Disk
  const folder = join(directory, "journal")
  const names = yield* disk.list(folder)
  const from = checkpointsIn(names).at(-1) ?? 1
  const uncovered = segmentsIn(names).filter((number) => number >= from && number < current)
  if (uncovered.length >= dueSegments) return true
  let bytes = 0
  for (const number of uncovered) bytes += (yield* disk.stat(join(folder, segmentName(number))))?.bytes ?? 0
  return bytes >= dueBytes
})

/**
 * Writes the checkpoint of all segments below `current`, which is being written, and prunes. `live` is the ledger of this
 * moment: only it knows which runs are under way.
 */
export const compact = Effect.fnUntraced(function* (
  directory: string,
  current: number,
  live: Ledger,
  keep: Retention = retention
): Effect.fn.Return<void, DiskError | StateUnusable, Disk> {
  const disk = yield* Disk
  const folder = join(directory, "journal")
  const names = yield* disk.list(folder)
  const { base } = yield* newestCheckpoint(directory, names, current)
  if (base?.segment !== current) {
    const header = headerOf((yield* readSegment(directory, current)).bytes)
    const numbers = segmentsIn(names).filter((number) => number >= (base?.segment ?? 1) && number < current)
    const reading = new JournalReading(base)
    yield* eachSegment(directory, numbers, (segment, next) => readSealed(reading, segment, next), {
      after: header?.after,
      sealed: header?.sealed ?? undefined
    })
    yield* write(directory, reading, current)
  }
  yield* prune(directory, live, keep)
})

const write = Effect.fnUntraced(function* (directory: string, { last, epoch, ledger, chapters }: JournalReading, segment: number) {
  const disk = yield* Disk
  const folder = join(directory, "journal")
  const draft = join(folder, "draft")
  const path = join(folder, checkpointName(segment))
  yield* Effect.ignore(disk.remove(draft)) // A part, of a runtime that died here.
  yield* Effect.scoped(
    Effect.gen(function* () {
      const file = yield* disk.open(draft, { create: true })
      for (const text of writeCheckpoint({ segment, place: last, epoch, ledger, chapters })) {
        yield* file.append(Buffer.from(text))
        yield* Effect.yieldNow
      }
      yield* file.datasync
    })
  )
  yield* disk.rename(draft, path)
  yield* disk.syncDir(folder)
  const { base } = yield* newestCheckpoint(directory, [checkpointName(segment)])
  if (base === undefined) yield* disk.remove(path)
})

/** Removes checkpoints behind the two newest, and segments that both cover and the retention does not ask for, oldest first. */
const prune = Effect.fnUntraced(function* (directory: string, live: Ledger, { runs, days }: Retention) {
  const disk = yield* Disk
  const folder = join(directory, "journal")
  const names = yield* disk.list(folder)
  const checkpoints = checkpointsIn(names)
  const older = checkpoints.at(-2)
  const { base } = yield* newestCheckpoint(directory, names)
  if (older === undefined || base === undefined || base.segment !== checkpoints.at(-1)) return
  for (const number of checkpoints.slice(0, -2)) yield* disk.remove(join(folder, checkpointName(number)))
  yield* disk.syncDir(folder)
  const nowMs = yield* Clock.currentTimeMillis
  const kept = ({ settled, atMs }: Chapter) => base.ledger.settled - settled < runs && nowMs - atMs < days * 86_400_000
  const firstKept = Math.min(older, base.chapters.find(kept)?.segment ?? older)
  for (const number of segmentsIn(names).filter((number) => number < firstKept)) {
    yield* disk.remove(join(folder, segmentName(number)))
    yield* disk.syncDir(folder) // One at a time: what a crash leaves has no hole in it.
  }
  yield* pruneRuns(directory, live, { runs, days }, nowMs)
})

/** Output of runs goes with their records; a run's name says when it was due. */
const pruneRuns = Effect.fnUntraced(function* (directory: string, ledger: Ledger, { runs, days }: Retention, nowMs: number) {
  const disk = yield* Disk
  const folder = join(directory, "runs")
  const untold = [...ledger.outbox.values(), ...[...ledger.parked.values()].flatMap(({ entry }) => entry ?? [])]
  const digested = new Set(untold.flatMap(({ runs = [] }) => runs))
  const open = (run: string) =>
    digested.has(run) || ledger.outbox.has(run) || ledger.parked.has(run) || (ledger.runs.get(run)?.phase ?? "settled") !== "settled"
  const named = (yield* disk.list(folder))
    .flatMap((run) => {
      const slotAtMs = parseRunId(run)?.slotAtMs
      return slotAtMs === undefined || open(run) ? [] : [{ run, slotAtMs }]
    })
    .sort((a, b) => b.slotAtMs - a.slotAtMs)
  const gone = named.filter(({ slotAtMs }, i) => i >= runs || nowMs - slotAtMs > days * 86_400_000)
  for (const { run } of gone) yield* disk.removeTree(join(folder, run))
})
