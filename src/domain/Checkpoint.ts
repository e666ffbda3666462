/**
 * What the journal adds up to before one of its segments, so that a start need not read all that came before.
 *
 * `<segment>.checkpoint` has the form of a segment: a header, then the canonical lines of the ledger, then their hash, all
 * of them one append. It is made from segments that are read back from the disk, never from what a runtime remembers, and
 * used only if every line of it is whole.
 */
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import { createHash } from "node:crypto"
import { lineCount, LedgerReader, linesOf } from "./canonical.ts"
import { encodeLine, format, hex } from "./JournalLine.ts"
import { type Chapter, lineAt, type Place } from "./JournalReading.ts"
import type { Ledger } from "./Ledger.ts"

export interface Checkpoint {
  /** The first segment that is not part of it. */
  readonly segment: number
  /** The last record that is. */
  readonly place: Place
  readonly epoch: number
  readonly ledger: Ledger
  /** SHA-256 of the ledger's canonical form. */
  readonly hash: string
  /** The older segments that were there when it was made, oldest first. */
  readonly chapters: ReadonlyArray<Chapter>
}

const Header = Schema.Struct({
  product: Schema.Literal("holdfast"),
  format: Schema.Literal(format),
  checkpoint: Schema.Int,
  epoch: Schema.Int,
  after: Schema.Int,
  chain: Schema.String,
  chapters: Schema.Array(Schema.Struct({ segment: Schema.Int, settled: Schema.Int, atMs: Schema.Finite }))
})
const decodeHeader = Schema.decodeUnknownOption(Schema.fromJsonString(Header))

/** The file's text in pieces of about 64 KiB; the last thing given is the hash. */
export const writeCheckpoint = function* (made: Omit<Checkpoint, "hash">): Generator<string, string> {
  const { segment, place, epoch, ledger, chapters } = made
  const header: typeof Header.Type = {
    product: "holdfast",
    format,
    checkpoint: segment,
    epoch,
    after: place.seq,
    chain: hex(place.crc),
    chapters
  }
  const hash = createHash("sha256")
  let more = lineCount(ledger) + 1
  let seq = 0
  let chain = 0
  let text = ""
  const add = (json: string) => {
    const line = encodeLine({ seq: seq++, epoch, proven: 0, more: more-- }, json, chain)
    chain = line.crc
    text += line.text
  }
  add(JSON.stringify(header))
  for (const json of linesOf(ledger)) {
    hash.update(`${json}\n`)
    add(json)
    if (text.length < pieceLength) continue
    yield text
    text = ""
  }
  const digest = hash.digest("hex")
  add(JSON.stringify({ hash: digest }))
  yield text
  return digest
}

/** Reads a checkpoint back; nothing where any of it is not as it was written. Yields now and then. */
export const readCheckpoint = function* (bytes: Buffer, segment: number): Generator<void, Checkpoint | undefined> {
  const reader = new LedgerReader()
  const hash = createHash("sha256")
  let header: typeof Header.Type | undefined
  let chain = 0
  let at = 0
  for (let seq = 0; ; seq++) {
    const line = lineAt(bytes, at, chain, seq)
    if (line._tag === "Damaged") return undefined
    chain = line.crc
    at = bytes.indexOf(10, at) + 1
    if (header === undefined) {
      header = Option.getOrUndefined(decodeHeader(line.json))
      if (header?.checkpoint !== segment) return undefined
    } else if (line.more > 0) {
      if (!reader.take(line.json)) return undefined
      hash.update(`${line.json}\n`)
    } else {
      const digest = hash.digest("hex")
      if (at !== bytes.length || line.json !== JSON.stringify({ hash: digest })) return undefined
      const { after, chain: crc, epoch, chapters } = header
      return { segment, place: { seq: after, crc: Number.parseInt(crc, 16) }, epoch, ledger: reader.ledger, hash: digest, chapters }
    }
    if (seq % 256 === 0) yield
  }
}

const pieceLength = 65_536
