/**
 * One record of the journal as one line of text, so that `tail -f`, `grep` and `cut -d" " -f7- | jq` serve.
 *
 *     length crc      seq epoch proven more json
 *     113    9f3a0c12 18  2     5120   0    {"type":"run.claimed","v":1,...}
 *
 * `length` counts the bytes of the JSON. `crc` covers all that follows it and is chained to the `crc` of the line before.
 * `proven` is how many bytes of this segment were known durable when this line was written. `more` lines of the same append follow:
 * an append whose end is not there never happened. The first line of a segment is a header in the same form.
 */
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import { crc32 } from "node:zlib"

/** The format this version writes, and the highest it reads. */
export const format = 2

/** What stands before the JSON, but for length and CRC. */
export interface LineHead {
  readonly seq: number
  readonly epoch: number
  readonly proven: number
  readonly more: number
}

/** A line that is whole, and the CRC that the next one is chained to. */
export interface Line extends LineHead {
  readonly _tag: "Line"
  readonly crc: number
  readonly json: string
}

/** A line that is not whole: which check it failed, and what that check compared. */
export interface DamagedLine {
  readonly _tag: "Damaged"
  readonly check: "end" | "shape" | "length" | "crc" | "seq"
  readonly expected: string
  readonly got: string
}

/** The first `bytes` of a segment, as they were when the next one began: its digest is SHA-256. */
const Seal = Schema.Struct({ segment: Schema.Int, bytes: Schema.Int, sha256: Schema.String })
export type Seal = typeof Seal.Type

const Header = Schema.Struct({
  product: Schema.Literal("holdfast"),
  format: Schema.Int,
  segment: Schema.Int,
  epoch: Schema.Int,
  after: Schema.Int,
  chain: Schema.String,
  sealed: Schema.NullOr(Seal)
})
/**
 * What a segment says of itself. It begins after record `after`, whose CRC is `chain`, whatever an older segment has there;
 * `sealed` is what the segment before it held until then. `epoch` is the number of the first segment of the same start.
 */
export type SegmentHeader = typeof Header.Type

/** A CRC as it stands in a line: eight lower-case hexadecimal digits. */
export const hex = (crc: number): string =>
  octets[crc >>> 24]! + octets[(crc >>> 16) & 0xff]! + octets[(crc >>> 8) & 0xff]! + octets[crc & 0xff]!
const octets = Array.from({ length: 256 }, (_, octet) => octet.toString(16).padStart(2, "0")) // A line is made in a microsecond.

/** The line of a record, with its newline, and the CRC for the next. `previous` is the CRC of the line before, 0 for a header. */
export const encodeLine = (head: LineHead, json: string, previous: number): { readonly text: string; readonly crc: number } => {
  const covered = `${head.seq} ${head.epoch} ${head.proven} ${head.more} ${json}`
  const crc = crc32(covered, previous)
  return { text: `${Buffer.byteLength(json)} ${hex(crc)} ${covered}\n`, crc }
}

/** Reads the line that begins at `from` and ends before `to`. Where `seq` is given, the record has to have that number. */
export const decodeLine = (bytes: Buffer, from: number, to: number, previous: number, seq?: number): Line | DamagedLine => {
  const head = headOf(bytes, from, to)
  if (head === undefined) return damaged("shape", "a record", bytes.toString("latin1", from, Math.min(to, from + 60)))
  const { jsonAt, coveredAt, length, crcText } = head
  if (length !== String(to - jsonAt)) return damaged("length", length, String(to - jsonAt))
  const crc = crc32(bytes.subarray(coveredAt, to), previous)
  if (crcText !== hex(crc)) return damaged("crc", crcText, hex(crc))
  if (seq !== undefined && head.seq !== seq) return damaged("seq", String(seq), String(head.seq))
  return {
    _tag: "Line",
    crc,
    seq: head.seq,
    epoch: head.epoch,
    proven: head.proven,
    more: head.more,
    json: bytes.toString("utf8", jsonAt, to)
  }
}

/**
 * The most that any head between `from` and `to`, the end of a line, says was durable; -1 where none says anything.
 *
 * Heads are believed on their shape and length alone, and looked for inside the line as well: after damage the chain cannot
 * be followed, and the damage may be to the line feed. A claim that is too high refuses a start; one that is too low would
 * lose what was acknowledged. The head at `from` itself counts only if `own` says so.
 */
export const claimIn = (bytes: Buffer, from: number, to: number, own: boolean): number => {
  const text = bytes.toString("latin1", from, to)
  let claim = -1
  for (const found of text.matchAll(headWithin)) {
    const length = String(text.length - found.index - found[0].length)
    const at = found.index - length.length
    if (at < 0 || !text.startsWith(length, at) || (at === 0 && !own)) continue
    claim = Math.max(claim, Number(found[1]))
  }
  return claim
}

/** What a line holds, on the word of its shape alone. */
export const jsonIn = (line: string): string | undefined => {
  const head = headShape.exec(line)
  return head === null ? undefined : line.slice(head[0].length)
}

/** A header's JSON, whatever format it is of, or nothing when it is not one of ours. */
export const parseHeader = (json: string): SegmentHeader | undefined => Option.getOrUndefined(decodeHeader(headerUpcast(json)))

/** Format 1 had no seals; all else in its headers means what it means now. */
const headerUpcast = (json: string): string => (declares(json) === 1 ? json.replace(/\}$/, ',"sealed":null}') : json)
const decode = Schema.decodeUnknownOption(Schema.fromJsonString(Header))
const decodeHeader = (json: string) => decode(json, { onExcessProperty: "error" })

/** The format that the first line of a segment declares, read loosely: what else a newer format changes is not ours to know. */
export const declaredFormat = (bytes: Buffer): number | undefined => declares(bytes.toString("latin1", 0, 512).split("\n", 1)[0]!)

const declares = (text: string): number | undefined => {
  const found = /"product":"holdfast","format":(\d{1,9})[,}]/.exec(text)
  return found === null ? undefined : Number(found[1])
}

const headOf = (bytes: Buffer, from: number, to: number) => {
  const found = headShape.exec(bytes.toString("latin1", from, Math.min(to, from + headMax)))
  if (found === null) return undefined
  const [all, length, crcText, seq, epoch, proven, more] = found
  return {
    length: length!,
    crcText: crcText!,
    seq: +seq!,
    epoch: +epoch!,
    proven: +proven!,
    more: +more!,
    jsonAt: from + all.length,
    coveredAt: from + length!.length + crcText!.length + 2
  }
}

const headMax = 100
/** A length is anything that might be meant as one: what is none fails the check of the length, not of the shape. */
const headShape = /^(-?[\d.e+x]{1,20}) ([0-9a-f]{8}) (\d{1,16}) (\d{1,16}) (\d{1,16}) (\d{1,10}) (?=\{)/
const headWithin = / [0-9a-f]{8} \d{1,16} \d{1,16} (\d{1,16}) \d{1,10} (?=\{)/g
const damaged = (check: DamagedLine["check"], expected: string, got: string): DamagedLine => ({ _tag: "Damaged", check, expected, got })
