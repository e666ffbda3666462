/**
 * One pass over the segments of a journal: what they add up to, and where they are damaged. Pure; nothing is changed.
 *
 * Only bytes that nothing ever acknowledged may be called a torn tail: those of the last segment with no later line that
 * says they were durable. All other damage ends the pass with a refusal.
 */
import * as Option from "effect/Option"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import type { Checkpoint } from "./Checkpoint.ts"
import { shown, StateUnusable } from "./Errors.ts"
import { JournalEvent } from "./JournalEvent.ts"
import {
  claimIn,
  type DamagedLine,
  declaredFormat,
  decodeLine,
  format,
  hex,
  jsonIn,
  type Line,
  parseHeader,
  type SegmentHeader
} from "./JournalLine.ts"
import { Ledger } from "./Ledger.ts"

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

/** A segment as it was read. `file` is for messages. */
export interface Segment {
  readonly number: number
  readonly file: string
  readonly bytes: Buffer
}

/** How far the journal had come at the end of a segment: runs that ever settled, and the instant of its last event. */
export interface Chapter {
  readonly segment: number
  readonly settled: number
  readonly atMs: number
}

/** Records between two pauses of a pass: about a millisecond of work. */
const pauseEvery = 256

export class JournalReading {
  readonly ledger: Ledger
  readonly damage: Array<Damage> = []
  /** One for each segment that was read, and those that the checkpoint knew. */
  readonly chapters: Array<Chapter>
  last: Place
  /** The last record that a later one says is durable, and where it ends in the segment read last. */
  proven: Place
  provenAt = 0
  /** Where the last append that is complete ends, in the segment read last. */
  wholeAt = 0
  /** The records after `proven`, as JSON. */
  unproven: Array<string> = []
  unknown = 0
  epoch = 0
  /** The instant of the last event that was proven durable, 0 where there is none. */
  provenAtMs = 0
  /** The instant of the last event, 0 where there is none. */
  atMs = 0
  #format = format

  /** Begins behind a checkpoint, which becomes part of this reading, or at the beginning of all. */
  constructor(base?: Checkpoint) {
    this.ledger = base?.ledger ?? new Ledger()
    this.chapters = [...(base?.chapters ?? [])]
    this.last = base?.place ?? { seq: 0, crc: 0 }
    this.proven = this.last
    this.atMs = this.provenAtMs = this.chapters.at(-1)?.atMs ?? 0
  }

  /**
   * Reads one segment up to record `limit`, where the next one begins; the last segment has no limit, and may have a torn
   * tail. Yields now and then, for whoever has other things to do meanwhile.
   */
  *take(segment: Segment, limit: number | undefined): Generator<void, StateUnusable | undefined> {
    const { bytes, file } = segment
    if (limit === this.last.seq) return undefined // Nothing of it counts, so nothing in it can be damaged.
    let chain = 0
    this.wholeAt = 0
    let seq = this.last.seq
    let appended: Array<Line> = []
    let sincePause = 0
    for (let at = 0; at < bytes.length && (at === 0 || limit === undefined || seq < limit);) {
      const line = lineAt(bytes, at, chain, at === 0 ? undefined : seq + 1)
      if (line._tag === "Damaged") {
        return limit === undefined ? this.tear(segment, this.wholeAt, at, line, seq + 1) : corrupt(file, at, line)
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
      this.wholeAt = at
      if (++sincePause % pauseEvery === 0) yield
    }
    this.chapters.push({ segment: segment.number, settled: this.ledger.settled, atMs: this.atMs })
    const { wholeAt } = this
    if (limit === undefined) return wholeAt === bytes.length ? undefined : this.tear(segment, wholeAt, wholeAt, partAppend, seq + 1)
    return this.last.seq === limit ? undefined : rolledBack(file, `records through ${limit}`, `records through ${this.last.seq}`)
  }

  /**
   * Notes a torn tail from `from` on, unless a later line says that the damage (at `at`, record `seq`) had been durable.
   * Lines of format 1 name the last durable record, those of format 2 the durable bytes of their segment: only these tell a
   * torn birth, whose records prove nothing of each other, from one that was whole when the next record was written.
   */
  tear({ bytes, file }: Segment, from: number, at: number, damaged: DamagedLine, seq: number): StateUnusable | undefined {
    const durable = (declaredFormat(bytes) ?? format) === 1 ? seq : at + 1
    for (let next = at; next < bytes.length; next += lengthOf(bytes, next)) {
      const end = bytes.indexOf(10, next)
      const claim = claimIn(bytes, next, end < 0 ? bytes.length : end, next > at)
      if (claim >= durable) return corrupt(file, at, damaged)
    }
    this.damage.push({ file, offset: from, bytes: bytes.length - from, expected: shown(damaged.expected), got: shown(damaged.got) })
    return undefined
  }

  #begin({ bytes, file, number }: Segment, line: Line): StateUnusable | undefined {
    const header = headerOf(bytes)
    if (header === undefined) return headerDamage(file, line.json)
    if (header.segment !== number) return foreign(file, `segment ${number}`, `segment ${header.segment}`)
    if (header.after > this.last.seq) {
      return rolledBack(file, `records through ${header.after} before it`, `records through ${this.last.seq}`)
    }
    if (header.after !== this.last.seq || header.chain !== hex(this.last.crc)) {
      return foreign(file, `one that begins after record ${this.last.seq} of CRC ${hex(this.last.crc)}`, `${header.after}, ${header.chain}`)
    }
    if (header.epoch < this.epoch) return foreign(file, `epoch ${this.epoch} or higher`, `epoch ${header.epoch}`)
    this.epoch = header.epoch
    this.#format = header.format
    this.proven = this.last
    this.provenAt = 0
    this.provenAtMs = this.atMs
    this.unproven = []
    return undefined
  }

  #record(file: string, line: Line): StateUnusable | undefined {
    if (line.proven > (this.#format === 1 ? this.proven.seq : this.provenAt)) {
      this.proven = this.last // A batch begins where everything before it has become durable.
      this.provenAt = this.wholeAt
      this.provenAtMs = this.atMs
      this.unproven = []
    }
    this.last = { seq: line.seq, crc: line.crc }
    this.unproven.push(line.json)
    const event = decodeEvent(line.json)
    if (event === "unknown") this.unknown += 1
    else if (event._tag === "Invalid") return record(file, line.seq, event.why)
    else {
      this.atMs = event.event.atMs
      this.ledger.apply(event.event)
    }
    return undefined
  }
}

/** The records of a segment through `limit`, those of whole appends only, up to the first line that is not whole. */
export const recordsOf = function* (bytes: Buffer, limit = Number.POSITIVE_INFINITY): Generator<Line> {
  let chain = 0
  let appended: Array<Line> = []
  for (let at = 0; at < bytes.length; at += lengthOf(bytes, at)) {
    const line = lineAt(bytes, at, chain, undefined)
    if (line._tag === "Damaged" || (at > 0 && line.seq > limit)) return
    if (at > 0) appended.push(line)
    chain = line.crc
    if (line.more > 0) continue
    yield* appended
    appended = []
  }
}

/** The events of lines that look whole in themselves, whatever is before or between them: what damaged bytes still tell. */
export const eventsAmong = function* (bytes: Buffer): Generator<JournalEvent> {
  for (let at = 0; at < bytes.length; at += lengthOf(bytes, at)) {
    const json = jsonIn(bytes.toString("utf8", at, at + lengthOf(bytes, at)))
    const event = json === undefined ? "unknown" : decodeEvent(json)
    if (event !== "unknown" && event._tag === "Event") yield event.event
  }
}

/** A segment is born with its header and the records it carries over, all of them in one append. Nothing, when that is whole. */
export const birthDamage = (bytes: Buffer): DamagedLine | undefined => {
  let chain = 0
  for (let at = 0; ; at += lengthOf(bytes, at)) {
    if (at >= bytes.length) return partAppend
    const line = lineAt(bytes, at, chain, undefined)
    if (line._tag === "Damaged") return line
    if (line.more === 0) return undefined
    chain = line.crc
  }
}

/** The header of a segment, where its first line is whole and one. */
export const headerOf = (bytes: Buffer): SegmentHeader | undefined => {
  const line = lineAt(bytes, 0, 0, undefined)
  return line._tag === "Line" ? parseHeader(line.json) : undefined
}

/** The line that begins at `at`; where `seq` is given, the record has to have that number. */
export const lineAt = (bytes: Buffer, at: number, chain: number, seq: number | undefined): Line | DamagedLine => {
  const end = bytes.indexOf(10, at)
  return end < 0
    ? { _tag: "Damaged", check: "end", expected: "a line feed", got: "the end of the file" }
    : decodeLine(bytes, at, end, chain, seq)
}

/** The event that a line holds, `unknown` when its type is none of ours. */
export const decodeEvent = (json: string): DecodedEvent => {
  const parsed = Result.try((): unknown => JSON.parse(json))
  if (Result.isFailure(parsed)) return { _tag: "Invalid", why: json }
  const { type } = parsed.success as { readonly type?: unknown }
  const decode = decoders.get(type)
  if (decode === undefined) return typeof type === "string" ? "unknown" : { _tag: "Invalid", why: json }
  const decoded = decode(parsed.success)
  return Option.isSome(decoded) ? { _tag: "Event", event: decoded.value } : { _tag: "Invalid", why: json }
}

export type DecodedEvent =
  | { readonly _tag: "Event"; readonly event: JournalEvent }
  | { readonly _tag: "Invalid"; readonly why: string }
  | "unknown"

/** One decoder a type: trying the whole union for each record would double the time of a start. */
const decoders: ReadonlyMap<unknown, (json: unknown) => Option.Option<JournalEvent>> = new Map(
  JournalEvent.members.map((member) => [member.fields.type.literal, Schema.decodeUnknownOption(member as Schema.Codec<JournalEvent>)])
)

const lengthOf = (bytes: Buffer, at: number): number => {
  const end = bytes.indexOf(10, at)
  return (end < 0 ? bytes.length : end + 1) - at
}

const partAppend: DamagedLine = { _tag: "Damaged", check: "end", expected: "the rest of an append", got: "the end of the file" }

const refused = (code: string, where: string, want: string, got: string, fix: string): StateUnusable =>
  new StateUnusable({ code, where, want: shown(want), got: shown(got), fix })

/** What to do where acknowledged records are damaged. */
export const lost = "restore a backup, or see what `holdfast state repair` would keep; nothing was changed"

const corrupt = (file: string, at: number, { check, expected, got }: DamagedLine): StateUnusable =>
  refused(at === 0 ? "JOURNAL_HEADER" : check === "length" ? "JOURNAL_LENGTH" : "JOURNAL_CORRUPT", `${file}:${at}`, expected, got, lost)

const headerDamage = (file: string, json: string): StateUnusable => refused("JOURNAL_HEADER", `${file}:0`, "a segment header", json, lost)

const foreign = (file: string, want: string, got: string): StateUnusable =>
  refused("JOURNAL_FOREIGN", file, want, got, "this segment is not of this journal, or not in its place: put back the one that was here")

const rolledBack = (file: string, want: string, got: string): StateUnusable =>
  refused("JOURNAL_ROLLBACK", file, want, got, "the segment is shorter than it was, such as an older copy: put back the newer one")

const record = (file: string, seq: number, json: string): StateUnusable =>
  refused("JOURNAL_RECORD", `${file} record ${seq}`, "an event of this version", json, "start the version that wrote it, and report this")
