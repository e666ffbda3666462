/**
 * What a journal on disk adds up to, and where it is damaged. Reading changes nothing; `mend` cuts a torn tail.
 *
 * Only bytes that nothing ever acknowledged may be cut: those of the last segment with no later line that says they were
 * durable. All other damage refuses the start. Cut bytes are kept in `damaged/` first.
 */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import { join } from "node:path"
import { type DiskError, shown, StateUnusable } from "../domain/Errors.ts"
import { JournalEvent } from "../domain/JournalEvent.ts"
import { claimIn, type DamagedLine, declaredFormat, decodeLine, format, hex, type Line, parseHeader } from "../domain/JournalLine.ts"
import { Ledger } from "../domain/Ledger.ts"
import { Disk } from "./Disk.ts"

/** A tail that a crash tore: nothing in it was ever acknowledged, unless the disk lost what it had promised to keep. */
export interface Damage {
  readonly file: string
  readonly offset: number
  readonly bytes: number
  readonly expected: string
  readonly got: string
}

/** A record by its number and CRC: what the next segment is chained to. */
export interface Place {
  readonly seq: number
  readonly crc: number
}

/** Everything a new segment has to know of the older ones. */
export interface Recovered {
  readonly ledger: Ledger
  /** The highest number a segment has, 0 where there is none. */
  readonly segment: number
  /** The last record that a later one says is durable. */
  readonly proven: Place
  /** The records after it, as JSON: they can be read, which after a failed sync does not mean that the disk has them. */
  readonly unproven: ReadonlyArray<string>
  /** Records of types this version does not know; they stay in the journal. */
  readonly unknown: number
  readonly damage: ReadonlyArray<Damage>
}

/** Reads the whole journal of a state directory. */
export const survey = Effect.fnUntraced(function* (directory: string): Effect.fn.Return<Recovered, DiskError | StateUnusable, Disk> {
  const disk = yield* Disk
  const folder = join(directory, "journal")
  const numbers = (yield* disk.list(folder)).flatMap((name) => segmentNumber(name) ?? [])
  const segments: Array<Segment> = []
  for (const number of numbers) {
    const read = yield* disk.read(join(folder, segmentName(number)))
    const bytes = Buffer.from(read.buffer, read.byteOffset, read.byteLength)
    const file = `journal/${segmentName(number)}`
    const declared = declaredFormat(bytes)
    if (declared !== undefined && declared > format) return yield* tooNew(file, declared)
    if (bytes.length > 0) segments.push({ number, file, bytes }) // An empty one was cut whole, or never begun.
  }
  const last = segments.at(-1)
  const stillborn = last !== undefined && birthDamage(last.bytes) !== undefined ? segments.pop() : undefined
  const reading = new Reading()
  for (const [i, segment] of segments.entries()) {
    const next = segments[i + 1]
    const refusal = reading.take(segment, next && headerOf(next.bytes)?.after)
    if (refusal !== undefined) return yield* refusal
    yield* Effect.yieldNow
  }
  if (stillborn !== undefined) {
    const refusal = reading.tear(stillborn, 0, 0, birthDamage(stillborn.bytes)!, reading.last.seq)
    if (refusal !== undefined) return yield* refusal
  }
  const { ledger, proven, unproven, unknown, damage } = reading
  return { ledger, proven, unproven, unknown, damage, segment: numbers.at(-1) ?? 0 }
})

/** Refuses a journal whose newest segment a newer version wrote; reads nothing else. */
export const refuseNewer = Effect.fnUntraced(function* (directory: string): Effect.fn.Return<void, DiskError | StateUnusable, Disk> {
  const disk = yield* Disk
  const newest = (yield* disk.list(join(directory, "journal"))).findLast((name) => segmentNumber(name) !== undefined)
  if (newest === undefined) return
  const declared = declaredFormat(Buffer.from(yield* disk.read(join(directory, "journal", newest))))
  if (declared !== undefined && declared > format) return yield* tooNew(`journal/${newest}`, declared)
})

/** Moves torn tails to `damaged/<segment>-<offset>-<epoch>.bin`, durable there before it is cut here. */
export const mend = Effect.fnUntraced(function* (directory: string, recovered: Recovered, epoch: number) {
  const disk = yield* Disk
  const folder = join(directory, "damaged")
  for (const { file, offset } of recovered.damage) {
    const path = join(directory, file)
    const kept = join(folder, `${file.slice("journal/".length, -".log".length)}-${offset}-${epoch}.bin`)
    const bytes = yield* disk.read(path)
    yield* disk.makeDir(folder)
    yield* Effect.ignore(disk.remove(kept)) // A part, of a start that died here with the whole still in its place.
    const copy = yield* disk.open(kept, { create: true })
    yield* copy.append(bytes.subarray(offset))
    yield* copy.datasync
    yield* disk.syncDir(folder)
    yield* disk.syncDir(directory)
    const torn = yield* disk.open(path, { create: false })
    yield* torn.truncate(offset)
    yield* torn.datasync
  }
}, Effect.scoped)

/** Ten digits: names sort as their numbers do. */
export const segmentName = (number: number): string => `${String(number).padStart(10, "0")}.log`

const segmentNumber = (name: string): number | undefined => (/^\d{10}\.log$/.test(name) ? Number(name.slice(0, 10)) : undefined)

interface Segment {
  readonly number: number
  readonly file: string
  readonly bytes: Buffer
}

/** One pass over the segments. */
class Reading {
  readonly ledger = new Ledger()
  readonly damage: Array<Damage> = []
  last: Place = { seq: 0, crc: 0 }
  proven: Place = { seq: 0, crc: 0 }
  unproven: Array<string> = []
  unknown = 0

  /** Reads one segment up to record `limit`, where the next one begins; the last segment has no limit, and may have a torn tail. */
  take(segment: Segment, limit: number | undefined): StateUnusable | undefined {
    const { bytes, file } = segment
    let chain = 0
    let whole = { at: 0, last: this.last } // Behind the last append that is complete.
    let seq = this.last.seq
    let appended: Array<Line> = []
    for (let at = 0; at < bytes.length && (at === 0 || limit === undefined || seq < limit);) {
      const line = lineAt(bytes, at, chain, at === 0 ? undefined : seq + 1)
      if (line._tag === "Damaged") {
        return limit === undefined ? this.tear(segment, whole.at, at, line, seq + 1) : corrupt(file, at, line.expected, line.got)
      }
      if (at === 0) {
        const refusal = this.#begin(segment, line)
        if (refusal !== undefined) return refusal
      } else {
        appended.push(line)
        seq = line.seq
      }
      chain = line.crc
      at += lengthOf(bytes, at)
      if (line.more > 0) continue
      for (const record of appended) {
        const refusal = this.#record(file, record)
        if (refusal !== undefined) return refusal
      }
      appended = []
      whole = { at, last: this.last }
    }
    if (limit === undefined) {
      return whole.at === bytes.length ? undefined : this.tear(segment, whole.at, whole.at, partAppend, seq + 1)
    }
    return this.last.seq === limit ? undefined : gap(file, `records through ${limit}`, `records through ${this.last.seq}`)
  }

  /** Takes note of a tail to cut from `from` on, unless a later line says that the damage (at `at`, record `seq`) had been durable. */
  tear({ bytes, file }: Segment, from: number, at: number, damaged: DamagedLine, seq: number): StateUnusable | undefined {
    for (let next = at; next < bytes.length; next += lengthOf(bytes, next)) {
      const end = bytes.indexOf(10, next)
      const claim = claimIn(bytes, next, end < 0 ? bytes.length : end, next > at)
      if (claim >= seq) return corrupt(file, at, damaged.expected, damaged.got)
    }
    this.damage.push({ file, offset: from, bytes: bytes.length - from, expected: shown(damaged.expected), got: shown(damaged.got) })
    return undefined
  }

  #begin({ bytes, file, number }: Segment, line: Line): StateUnusable | undefined {
    const header = headerOf(bytes)
    if (header === undefined) return corrupt(file, 0, "a segment header", line.json)
    if (header.segment !== number) return corrupt(file, 0, `segment ${number}`, `segment ${header.segment}`)
    if (header.after !== this.last.seq) return gap(file, `a segment after record ${this.last.seq}`, `one after record ${header.after}`)
    if (header.chain !== hex(this.last.crc)) return corrupt(file, 0, `record ${header.after} of CRC ${hex(this.last.crc)}`, header.chain)
    this.proven = this.last
    this.unproven = []
    return undefined
  }

  #record(file: string, line: Line): StateUnusable | undefined {
    if (line.proven > this.proven.seq) {
      this.proven = this.last // A batch begins where everything before it has become durable.
      this.unproven = []
    }
    this.last = { seq: line.seq, crc: line.crc }
    this.unproven.push(line.json)
    const event = decodeEvent(line.json)
    if (event === "unknown") this.unknown += 1
    else if (event._tag === "Invalid") return record(file, line.seq, event.why)
    else this.ledger.apply(event.event)
    return undefined
  }
}

/** The event that a line holds, `unknown` when its type is none of ours. */
const decodeEvent = (json: string): DecodedEvent => {
  const parsed = Result.try((): unknown => JSON.parse(json))
  if (Result.isFailure(parsed)) return { _tag: "Invalid", why: json }
  const decode = decoders.get((parsed.success as { readonly type?: unknown }).type)
  if (decode === undefined) return "unknown"
  const decoded = decode(parsed.success)
  return Exit.isSuccess(decoded) ? { _tag: "Event", event: decoded.value } : { _tag: "Invalid", why: json }
}

type DecodedEvent =
  | { readonly _tag: "Event"; readonly event: JournalEvent }
  | { readonly _tag: "Invalid"; readonly why: string }
  | "unknown"

/** One decoder a type: trying the whole union for each record would double the time of a start. */
const decoders: ReadonlyMap<unknown, (json: unknown) => Exit.Exit<JournalEvent, unknown>> = new Map(
  JournalEvent.members.map((member) => [member.fields.type.literal, Schema.decodeUnknownExit(member as Schema.Codec<JournalEvent>)])
)

const lengthOf = (bytes: Buffer, at: number): number => {
  const end = bytes.indexOf(10, at)
  return (end < 0 ? bytes.length : end + 1) - at
}

const lineAt = (bytes: Buffer, at: number, chain: number, seq: number | undefined): Line | DamagedLine => {
  const end = bytes.indexOf(10, at)
  return end < 0
    ? { _tag: "Damaged", check: "end", expected: "a line feed", got: "the end of the file" }
    : decodeLine(bytes, at, end, chain, seq)
}

const headerOf = (bytes: Buffer) => {
  const line = lineAt(bytes, 0, 0, undefined)
  return line._tag === "Line" ? parseHeader(line.json) : undefined
}

/** A segment is born with its header and the records it carries over, all of them in one append. Nothing, when that is whole. */
const birthDamage = (bytes: Buffer): DamagedLine | undefined => {
  let chain = 0
  for (let at = 0; ; at += lengthOf(bytes, at)) {
    if (at >= bytes.length) return partAppend
    const line = lineAt(bytes, at, chain, undefined)
    if (line._tag === "Damaged") return line
    if (line.more === 0) return undefined
    chain = line.crc
  }
}

const partAppend: DamagedLine = { _tag: "Damaged", check: "end", expected: "the rest of an append", got: "the end of the file" }

const refused = (code: string, where: string, want: string, got: string, fix: string): StateUnusable =>
  new StateUnusable({ code, where, want: shown(want), got: shown(got), fix })

const corrupt = (file: string, at: number, expected: string, got: string): StateUnusable =>
  refused("JOURNAL_CORRUPT", `${file}:${at}`, expected, got, "acknowledged records are damaged: restore a backup; nothing was changed")

const gap = (file: string, want: string, got: string): StateUnusable =>
  refused("JOURNAL_GAP", file, want, got, "a segment is missing or is not of this journal: put it back, or restore from a backup")

const record = (file: string, seq: number, json: string): StateUnusable =>
  refused("JOURNAL_RECORD", `${file} record ${seq}`, "an event of this version", json, "start the version that wrote it, and report this")

const tooNew = (file: string, declared: number): StateUnusable =>
  refused("STATE_TOO_NEW", file, `format ${format} or lower`, `format ${declared}`, "start a newer version; nothing was changed")
