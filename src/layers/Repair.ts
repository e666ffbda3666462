/**
 * Makes a damaged journal one that a start takes, by giving up what cannot be relied on. Never done unasked.
 *
 * What stays is a state that was: all that was written up to the damage, or up to the newest checkpoint where that is later.
 * What goes is kept in `damaged/`, with a report of which work it speaks of. Segments that are given up stay as empty files,
 * so that the next start has a higher epoch than any before.
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import { join } from "node:path"
import type { DiskError, Problem, StateUnusable } from "../domain/Errors.ts"
import type { JournalEvent } from "../domain/JournalEvent.ts"
import { eventsAmong, JournalReading } from "../domain/JournalReading.ts"
import { iso } from "../domain/Run.ts"
import { Disk } from "./Disk.ts"
import {
  checkpointsIn,
  checkpointName,
  eachSegment,
  firstMissing,
  keepFiles,
  keepTails,
  makeDamaged,
  newestCheckpoint,
  newestFormat,
  readInto,
  segmentName,
  segmentsIn,
  tailName
} from "./Recovery.ts"
import { type Verified, verify } from "./Verify.ts"

/** What would be done, and what that comes to. */
export interface Plan {
  /** What is wrong, in the words of `verify`. */
  readonly damage: Problem
  readonly kept: Verified
  readonly lost: Lost
  /** Segments that end earlier from then on. */
  readonly cuts: ReadonlyArray<Cut>
  /** Files of the journal that are moved away whole. */
  readonly moved: ReadonlyArray<string>
  /** Segments that are not there, and will be empty files. */
  readonly missing: ReadonlyArray<number>
  /** The part of names in `damaged/` that tells this repair from others. */
  readonly epoch: number
}

export interface Cut {
  readonly file: string
  readonly offset: number
  readonly bytes: number
}

/** What can still be read of that which goes, as far as it is about work that may now be done again. */
export interface Lost {
  readonly records: number
  readonly fromAtMs: number | undefined
  readonly toAtMs: number | undefined
  /** Runs that had settled. */
  readonly runs: ReadonlyArray<string>
  /** Steps that had finished, as `run/step`. */
  readonly steps: ReadonlyArray<string>
  /** Runs whose results the session had acknowledged. */
  readonly reports: ReadonlyArray<string>
}

/**
 * Looks what a repair would do; nothing where the directory is whole. Changes nothing. Fails with the damage where there is
 * none that a repair can cut out, and with STATE_TOO_NEW.
 */
export const plan = Effect.fnUntraced(function* (directory: string): Effect.fn.Return<Plan | undefined, DiskError | StateUnusable, Disk> {
  const disk = yield* Disk
  yield* newestFormat(directory)
  const damage = yield* refusalOf(verify(directory))
  if (damage === undefined) return undefined
  if (damage.code === "STATE_TOO_NEW") return yield* damage
  const names = yield* disk.list(join(directory, "journal"))
  const { base, unusable } = yield* newestCheckpoint(directory, names)
  const fromBase = { ...(yield* cutsFrom(directory, names, base)), moved: unusable }
  const checkpoints = checkpointsIn(names).map(checkpointName)
  const older = [
    ...checkpoints.filter((name) => base === undefined || name !== checkpointName(base.segment)),
    ...segmentsIn(names).flatMap((number) => (number < (base?.segment ?? 1) ? [segmentName(number)] : []))
  ]
  const fromFirst = base === undefined ? fromBase : { ...(yield* cutsFrom(directory, names, undefined)), moved: checkpoints }
  // History that is damaged before the base is given up only where nothing less will do.
  for (const { cuts, missing, moved } of [fromBase, ...(fromFirst.cuts.length === 0 ? [fromFirst] : []), { ...fromBase, moved: older }]) {
    const kept = yield* Effect.result(Effect.provideService(verify(directory), Disk, afterwards(disk, directory, cuts, missing, moved)))
    if (Result.isSuccess(kept)) {
      const epoch = Math.max(0, ...segmentsIn(names), ...missing) + 1
      return { damage, kept: kept.success, lost: yield* lostWith(directory, cuts), cuts, moved, missing, epoch }
    }
  }
  return yield* damage
})

/**
 * Does what the plan says, under the lock, and verifies what came of it. Gives the path of the report, in the state
 * directory. Where it dies half way the journal is still refused, or whole; do it again.
 */
export const repair = Effect.fnUntraced(function* (
  directory: string,
  { damage, kept, lost, cuts, moved, missing, epoch }: Plan
): Effect.fn.Return<string, DiskError | StateUnusable, Disk> {
  const disk = yield* Disk
  const journal = join(directory, "journal")
  const nowMs = yield* Clock.currentTimeMillis
  const { code, where, got, want } = damage
  const report = {
    format: 1,
    at: iso(nowMs),
    damage: { code, where, got, want },
    kept: { segments: kept.segments, records: kept.records, hash: kept.hash, lastDurable: instant(kept.durableAtMs) },
    lost: { ...lost, fromAtMs: undefined, toAtMs: undefined, from: instant(lost.fromAtMs), to: instant(lost.toAtMs) },
    files: [
      ...cuts.map((cut) => ({ ...cut, in: tailName(cut, epoch) })),
      ...moved.map((name) => ({ file: `journal/${name}`, in: `damaged/${name}-${epoch}` })),
      ...missing.map((number) => ({ file: `journal/${segmentName(number)}`, missing: true }))
    ]
  }
  const path = `damaged/repair-${epoch}-${nowMs}.json`
  yield* makeDamaged(directory)
  yield* written(join(directory, path), `${JSON.stringify(report, null, 2)}\n`)
  yield* disk.syncDir(join(directory, "damaged"))
  for (const number of missing) yield* written(join(journal, segmentName(number)), "")
  yield* keepTails(directory, cuts, epoch)
  yield* keepFiles(directory, moved, epoch)
  yield* disk.syncDir(join(directory, "damaged"))
  yield* disk.syncDir(journal)
  yield* verify(directory)
  return path
})

const instant = (atMs: number | undefined): string | null => (atMs === undefined ? null : iso(atMs))

const refusalOf = <A>(reading: Effect.Effect<A, DiskError | StateUnusable, Disk>) =>
  reading.pipe(
    Effect.as(undefined),
    Effect.catchIf(
      (error): error is StateUnusable => error._tag === "StateUnusable",
      (error) => Effect.succeed(error)
    )
  )

/** Reads on from the base until something is wrong; all from there on goes. */
const cutsFrom = Effect.fnUntraced(function* (
  directory: string,
  names: ReadonlyArray<string>,
  base: ConstructorParameters<typeof JournalReading>[0]
) {
  const disk = yield* Disk
  const first = base?.segment ?? 1
  const numbers = segmentsIn(names).filter((number) => number >= first)
  const hole = firstMissing(numbers, first)
  const reading = new JournalReading(base)
  let end = { number: first - 1, offset: 0 }
  const refusal = yield* refusalOf(
    eachSegment(
      directory,
      numbers.filter((number) => hole === undefined || number < hole),
      (segment, next) => {
        end = { number: segment.number, offset: 0 }
        return readInto(reading, segment, next).pipe(
          Effect.ensuring(Effect.sync(() => (end = { number: segment.number, offset: reading.wholeAt })))
        )
      }
    )
  )
  const cuts: Array<Cut> = []
  for (const number of numbers) {
    const from = refusal !== undefined && number === end.number ? end.offset : 0
    const goes = refusal === undefined ? hole !== undefined && number > hole : number >= end.number
    const bytes = (yield* disk.stat(join(directory, "journal", segmentName(number))))?.bytes ?? 0
    if (goes && bytes > from) cuts.push({ file: `journal/${segmentName(number)}`, offset: from, bytes: bytes - from })
  }
  const last = numbers.at(-1) ?? first
  const missing = hole === undefined ? [] : range(first, last).filter((number) => !numbers.includes(number))
  return { cuts, missing }
})

const range = (from: number, to: number): ReadonlyArray<number> => Array.from({ length: to - from + 1 }, (_, i) => from + i)

/** The disk as it would be. */
const afterwards = (
  disk: Disk["Service"],
  directory: string,
  cuts: ReadonlyArray<Cut>,
  missing: ReadonlyArray<number>,
  moved: ReadonlyArray<string>
): Disk["Service"] => {
  const journal = join(directory, "journal")
  const ends = new Map([
    ...cuts.map(({ file, offset }) => [join(directory, file), offset] as const),
    ...missing.map((number) => [join(journal, segmentName(number)), 0] as const)
  ])
  return {
    ...disk,
    list: (folder) =>
      Effect.map(disk.list(folder), (names) =>
        folder === journal ? [...names.filter((name) => !moved.includes(name)), ...missing.map(segmentName)].toSorted() : names
      ),
    read: (path) =>
      ends.get(path) === 0 ? Effect.succeed(new Uint8Array()) : Effect.map(disk.read(path), (bytes) => bytes.subarray(0, ends.get(path))),
    stat: (path) =>
      Effect.map(disk.stat(path), (stat) => {
        const bytes = ends.get(path)
        return bytes === undefined ? stat : { modifiedAtMs: 0, inode: 0, device: 0, link: false, ...stat, bytes }
      })
  }
}

const lostWith = Effect.fnUntraced(function* (directory: string, cuts: ReadonlyArray<Cut>): Effect.fn.Return<Lost, DiskError, Disk> {
  const disk = yield* Disk
  const events: Array<JournalEvent> = []
  for (const { file, offset } of cuts) events.push(...eventsAmong(Buffer.from((yield* disk.read(join(directory, file))).subarray(offset))))
  return {
    records: events.length,
    fromAtMs: events[0]?.atMs,
    toAtMs: events.at(-1)?.atMs,
    runs: events.flatMap((event) => (event.type === "run.settled" ? [event.run] : [])),
    steps: events.flatMap((event) => (event.type === "step.finished" ? [`${event.run}/${event.step}`] : [])),
    reports: events.flatMap((event) => (event.type === "entry.acknowledged" ? [event.run] : []))
  }
})

const written = Effect.fnUntraced(function* (path: string, text: string) {
  const disk = yield* Disk
  const file = yield* disk.open(path, { create: true })
  yield* file.append(Buffer.from(text))
  yield* file.datasync
}, Effect.scoped)
