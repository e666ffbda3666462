/**
 * What a journal on disk adds up to, and where it is damaged. Reading changes nothing; `mend` cuts a torn tail.
 *
 * A start reads the newest checkpoint that is whole and the segments from there on, two at a time: what it holds in memory
 * does not grow with the journal. Cut bytes are kept in `damaged/` first.
 */
import * as Effect from "effect/Effect"
import { createHash } from "node:crypto"
import { join } from "node:path"
import { type Checkpoint, readCheckpoint } from "../domain/Checkpoint.ts"
import { type DiskError, shown, StateUnusable } from "../domain/Errors.ts"
import { type DamagedLine, declaredFormat, format, type Seal } from "../domain/JournalLine.ts"
import { birthDamage, type Damage, headerOf, JournalReading, lost, type Place, type Segment } from "../domain/JournalReading.ts"
import type { Ledger } from "../domain/Ledger.ts"
import { Disk } from "./Disk.ts"

/** Everything a new segment has to know of the older ones. */
export interface Recovered {
  readonly ledger: Ledger
  /** The last record that a later one says is durable. */
  readonly proven: Place
  /** The records after it, as JSON: they can be read, which after a failed sync does not mean that the disk has them. */
  readonly unproven: ReadonlyArray<string>
  /** What the newest segment holds up to `proven`. */
  readonly sealed: Seal | undefined
  /** Records of types this version does not know; they stay in the journal. */
  readonly unknown: number
  readonly damage: ReadonlyArray<Damage>
  /** Names of checkpoints that are not whole; an older one or the segments themselves stood in for them. */
  readonly unusable: ReadonlyArray<string>
  /** The instant of the last event, 0 where there is none. */
  readonly atMs: number
}

/** What a journal is where there is none yet. */
export const nothing = (ledger: Ledger): Recovered => ({
  ledger,
  proven: { seq: 0, crc: 0 },
  unproven: [],
  sealed: undefined,
  unknown: 0,
  damage: [],
  unusable: [],
  atMs: 0
})

/** Reads the journal of a state directory, from its newest checkpoint on. */
export const survey = Effect.fnUntraced(function* (directory: string): Effect.fn.Return<Recovered, DiskError | StateUnusable, Disk> {
  const names = yield* Effect.flatMap(Disk, (disk) => disk.list(join(directory, "journal")))
  const { base, unusable } = yield* newestCheckpoint(directory, names)
  const numbers = segmentsIn(names).filter((number) => number >= (base?.segment ?? 1))
  const missing = firstMissing(numbers, base?.segment ?? (numbers.length === 0 ? undefined : 1))
  if (missing !== undefined) return yield* gap(missing)
  const reading = new JournalReading(base)
  let last: Segment | undefined
  yield* eachSegment(directory, numbers, (segment, next) => {
    last = segment
    return readInto(reading, segment, next)
  })
  const { ledger, proven, unproven, unknown, damage, provenAt, atMs } = reading
  return { ledger, proven, unproven, unknown, damage, unusable, atMs, sealed: last && sealOf(last, provenAt) }
})

/** What stands behind a segment: another one, or those that were never wholly born, or nothing. */
export type Next =
  | { readonly _tag: "Segment"; readonly after: number | undefined; readonly sealed: Seal | undefined }
  | { readonly _tag: "End"; readonly stillborn: ReadonlyArray<Stillborn> }

export interface Stillborn {
  readonly segment: Segment
  readonly damage: DamagedLine
}

/**
 * Visits these segments in order, each with what stands behind it: the next one, or `following`, or the end. Empty ones were
 * cut whole, or never begun, and are passed over. So is one whose birth is not whole: its sync failed, and a later start that
 * could still read it took it for nothing. And so is one that a later one begins before: a writer that had been overtaken
 * still made it, after the later start had looked. Nothing in these was ever acknowledged.
 */
export const eachSegment = Effect.fnUntraced(function* <R>(
  directory: string,
  numbers: ReadonlyArray<number>,
  visit: (segment: Segment, next: Next) => Effect.Effect<void, StateUnusable, R>,
  following?: Omit<Extract<Next, { readonly _tag: "Segment" }>, "_tag">
): Effect.fn.Return<void, DiskError | StateUnusable, Disk | R> {
  const disk = yield* Disk
  /** Read and not yet visited, oldest first: a later one may still say that they count for nothing. */
  const held: Array<Held> = []
  let stillborn: Array<Stillborn> = []
  let any = false
  const overtakenBy = (after: number | undefined) => {
    while (after !== undefined && (held.at(-1)?.after ?? -1) > after) stillborn = [...held.pop()!.stillborn, ...stillborn]
  }
  /** The newest of all has nothing behind it but `following`, or the end. */
  const visitOldest = () => {
    const [{ segment }, next] = [held.shift()!, held[0]]
    const [between] = next?.stillborn ?? (following === undefined ? [] : stillborn)
    const behind = next ?? following
    return Effect.mapError(
      visit(segment, behind === undefined ? { _tag: "End", stillborn } : { _tag: "Segment", after: behind.after, sealed: behind.sealed }),
      (refusal) => (between === undefined ? refusal : unborn(between))
    )
  }
  for (const number of numbers) {
    if (((yield* disk.stat(join(directory, "journal", segmentName(number))))?.bytes ?? 0) === 0) continue
    const segment = yield* readSegment(directory, number)
    const damage = birthDamage(segment.bytes)
    if (damage !== undefined) {
      stillborn.push({ segment, damage })
      continue
    }
    const header = headerOf(segment.bytes)
    const own = header?.segment === number ? header : undefined // A stranger's words say nothing of ours; it is refused in its turn.
    overtakenBy(own?.after)
    if (!any && stillborn[0] !== undefined && own?.after !== 0) return yield* unborn(stillborn[0])
    held.push({ segment, after: own?.after, sealed: own?.sealed ?? undefined, stillborn })
    any = true
    stillborn = []
    if (held.length > heldMax) yield* visitOldest()
  }
  if (following !== undefined) overtakenBy(following.after)
  while (held.length > 0) yield* visitOldest()
  if (!any && stillborn[0] !== undefined) yield* visit(emptied(stillborn[0].segment), { _tag: "End", stillborn })
})

interface Held {
  readonly segment: Segment
  readonly after: number | undefined
  readonly sealed: Seal | undefined
  /** Those between the one before and this one. */
  readonly stillborn: ReadonlyArray<Stillborn>
}

/** How many are looked ahead: as many writers would have to have been overtaken at once for one to be missed. */
const heldMax = 2

/** Takes in a segment that was visited, and notes those behind it that were never wholly born. */
export const readInto = (reading: JournalReading, segment: Segment, next: Next): Effect.Effect<void, StateUnusable> =>
  next._tag === "Segment"
    ? through(reading.take(segment, next.after))
    : Effect.andThen(
        through(reading.take(segment, undefined)),
        Effect.forEach(
          next.stillborn,
          ({ segment, damage }) => Effect.suspend(() => reading.tear(segment, 0, 0, damage, reading.last.seq) ?? Effect.void),
          { discard: true }
        )
      )

/** The same, and compares the segment with the digest that the next one has of it. */
export const readSealed = (reading: JournalReading, segment: Segment, next: Next): Effect.Effect<void, StateUnusable> =>
  Effect.suspend(() => {
    const before = reading.last.seq
    return Effect.andThen(
      readInto(reading, segment, next),
      Effect.suspend(() => {
        if (next._tag === "End" || next.after === before || next.sealed?.segment !== segment.number) return Effect.void
        const { sha256 } = sealOf(segment, next.sealed.bytes)
        return sha256 === next.sealed.sha256 ? Effect.void : unsealed(segment.file, next.sealed.sha256, sha256)
      })
    )
  })

/** The newest checkpoint that is whole, and the names of newer ones that are not. `below` leaves out later ones. */
export const newestCheckpoint = Effect.fnUntraced(function* (
  directory: string,
  names: ReadonlyArray<string>,
  below = Number.POSITIVE_INFINITY
): Effect.fn.Return<{ readonly base: Checkpoint | undefined; readonly unusable: ReadonlyArray<string> }, DiskError, Disk> {
  const disk = yield* Disk
  const unusable: Array<string> = []
  for (const number of checkpointsIn(names)
    .filter((number) => number <= below)
    .toReversed()) {
    const bytes = buffer(yield* disk.read(join(directory, "journal", checkpointName(number))))
    const base = yield* driven(readCheckpoint(bytes, number))
    if (base !== undefined) return { base, unusable }
    unusable.push(checkpointName(number))
  }
  return { base: undefined, unusable }
})

/** Refuses a journal whose newest segment a newer version wrote, else says of which format it is; reads nothing else. */
export const newestFormat = Effect.fnUntraced(function* (
  directory: string
): Effect.fn.Return<number | undefined, DiskError | StateUnusable, Disk> {
  const disk = yield* Disk
  const folder = join(directory, "journal")
  for (const number of segmentsIn(yield* disk.list(folder)).toReversed()) {
    const bytes = buffer(yield* disk.read(join(folder, segmentName(number))))
    const declared = declaredFormat(bytes)
    if (declared !== undefined && declared > format) return yield* tooNew(`journal/${segmentName(number)}`, declared)
    if (bytes.length > 0) return declared
  }
  return undefined
})

/** Moves torn tails to `damaged/<segment>-<offset>-<epoch>.bin`, and broken checkpoints beside them. */
export const mend = Effect.fnUntraced(function* (directory: string, { damage, unusable }: Recovered, epoch: number) {
  if (damage.length + unusable.length > 0) yield* makeDamaged(directory)
  yield* keepFiles(directory, unusable, epoch)
  yield* keepTails(directory, damage, epoch)
})

/** `damaged/`, and its name durable. */
export const makeDamaged = Effect.fnUntraced(function* (directory: string) {
  const disk = yield* Disk
  yield* disk.makeDir(join(directory, "damaged"))
  yield* disk.syncDir(directory)
})

/** Moves whole files of the journal to `damaged/<name>-<epoch>`. */
export const keepFiles = Effect.fnUntraced(function* (directory: string, names: ReadonlyArray<string>, epoch: number) {
  const disk = yield* Disk
  for (const name of names) yield* disk.rename(join(directory, "journal", name), join(directory, "damaged", `${name}-${epoch}`))
})

/** Where the end of a segment, from `offset` on, is kept; its path in the state directory. */
export const tailName = ({ file, offset }: Pick<Damage, "file" | "offset">, epoch: number): string =>
  `damaged/${file.slice("journal/".length, -".log".length)}-${offset}-${epoch}.bin`

/** Cuts segments where they are damaged: what is behind is durable in `damaged/` before it goes here. */
export const keepTails = Effect.fnUntraced(function* (
  directory: string,
  damage: ReadonlyArray<Pick<Damage, "file" | "offset">>,
  epoch: number
) {
  const disk = yield* Disk
  for (const { file, offset } of damage) {
    const path = join(directory, file)
    const kept = join(directory, tailName({ file, offset }, epoch))
    const bytes = yield* disk.read(path)
    yield* Effect.ignore(disk.remove(kept)) // A part, of a start that died here with the whole still in its place.
    const copy = yield* disk.open(kept, { create: true })
    yield* copy.append(bytes.subarray(offset))
    yield* copy.datasync
    yield* disk.syncDir(join(directory, "damaged"))
    const torn = yield* disk.open(path, { create: false })
    yield* torn.truncate(offset)
    yield* torn.datasync
  }
}, Effect.scoped)

/** Ten digits: names sort as their numbers do. */
export const segmentName = (number: number): string => `${String(number).padStart(10, "0")}.log`
export const checkpointName = (number: number): string => `${String(number).padStart(10, "0")}.checkpoint`

export const segmentsIn = (names: ReadonlyArray<string>): ReadonlyArray<number> => numbersIn(names, ".log")
export const checkpointsIn = (names: ReadonlyArray<string>): ReadonlyArray<number> => numbersIn(names, ".checkpoint")

export const readSegment = (directory: string, number: number): Effect.Effect<Segment, DiskError | StateUnusable, Disk> =>
  Effect.gen(function* () {
    const disk = yield* Disk
    const bytes = buffer(yield* disk.read(join(directory, "journal", segmentName(number))))
    const file = `journal/${segmentName(number)}`
    const declared = declaredFormat(bytes)
    if (declared !== undefined && declared > format) return yield* tooNew(file, declared)
    return { number, file, bytes }
  })

/** The digest of a segment's first bytes. */
export const sealOf = ({ number, bytes }: Segment, length: number): Seal => ({
  segment: number,
  bytes: length,
  sha256: createHash("sha256").update(bytes.subarray(0, length)).digest("hex")
})

/** Runs a pass to its end, letting others in between; a refusal fails. */
export const through = (pass: Generator<void, StateUnusable | undefined>): Effect.Effect<void, StateUnusable> =>
  Effect.flatMap(driven(pass), (refusal) => refusal ?? Effect.void)

const driven = Effect.fnUntraced(function* <A>(pass: Generator<void, A>): Effect.fn.Return<A> {
  for (;;) {
    const step = pass.next()
    if (step.done === true) return step.value
    yield* Effect.yieldNow
  }
})

/** Numbers follow each other without a hole from `first` on. */
export const firstMissing = (numbers: ReadonlyArray<number>, first: number | undefined): number | undefined => {
  if (first === undefined) return undefined
  if (numbers.length === 0) return first
  const hole = numbers.findIndex((number, i) => number !== first + i)
  return hole < 0 ? undefined : first + hole
}

const numbersIn = (names: ReadonlyArray<string>, extension: string): ReadonlyArray<number> =>
  names.flatMap((name) => (/^\d{10}\.[a-z]+$/.test(name) && name.slice(10) === extension ? Number(name.slice(0, 10)) : []))

const emptied = (segment: Segment): Segment => ({ ...segment, bytes: Buffer.alloc(0) })

const buffer = (bytes: Uint8Array): Buffer => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)

const unborn = ({ segment, damage }: Stillborn) =>
  new StateUnusable({
    code: "JOURNAL_HEADER",
    where: `${segment.file}:0`,
    got: shown(damage.got),
    want: shown(damage.expected),
    fix: lost
  })

const unsealed = (where: string, want: string, got: string) =>
  new StateUnusable({ code: "JOURNAL_CORRUPT", where, got, want: `SHA-256 ${want}`, fix: lost })

export const gap = (number: number) =>
  new StateUnusable({
    code: "JOURNAL_GAP",
    where: `journal/${segmentName(number)}`,
    got: "no such file",
    want: "every segment, one number after the other",
    fix: `put the segment back; else ${lost}`
  })

const tooNew = (file: string, declared: number) =>
  new StateUnusable({
    code: "STATE_TOO_NEW",
    where: file,
    got: shown(`format ${declared}`),
    want: `format ${format} or lower`,
    fix: "start a newer version; nothing was changed"
  })
