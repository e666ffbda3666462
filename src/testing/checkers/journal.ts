/** A journal read back as anybody can read it: its segments as text, line by line. */
import type { JournalEvent } from "../../domain/JournalEvent.ts"
import { decodeLine, hex, parseHeader } from "../../domain/JournalLine.ts"
import type { Violation } from "./Violation.ts"

export interface JournalText {
  /** Every event that the journal has, in order. */
  readonly events: ReadonlyArray<JournalEvent>
  readonly violations: ReadonlyArray<Violation>
}

/**
 * Reads segments, oldest first. A segment says after which record it begins; what an older one has beyond that was never
 * acknowledged, and the newer one carries over what was kept of it. A last line that is still being written is left out.
 */
export const readJournal = (segments: ReadonlyArray<Uint8Array>): JournalText => {
  const violations: Array<Violation> = []
  let records: Array<Kept> = []
  for (const [index, segment] of segments.entries()) {
    if (segment.length === 0) continue // Cut whole: its birth was torn.
    const { header, read, damage } = readSegment(Buffer.from(segment.buffer, segment.byteOffset, segment.byteLength))
    const subject = `segment ${index + 1} of ${segments.length}`
    if (header === undefined) {
      if (index < segments.length - 1) violations.push({ rule: "journal.damaged", subject, detail: damage ?? "no header" })
      continue
    }
    records = records.filter(({ seq }) => seq <= header.after)
    const last = records.at(-1)
    if (hex(last?.crc ?? 0) !== header.chain) {
      const detail = `it begins after record ${header.after} (${header.chain}); the one before it ends with record ${last?.seq ?? 0}`
      violations.push({ rule: "journal.damaged", subject, detail: damage === undefined ? detail : `${detail}; ${damage}` })
    }
    records.push(...read)
  }
  return { events: records.map(({ event }) => event), violations }
}

interface Kept {
  readonly seq: number
  readonly crc: number
  readonly event: JournalEvent
}

/** The whole appends of a segment, up to the first line that is not whole. */
const readSegment = (bytes: Buffer) => {
  const read: Array<Kept> = []
  let part: Array<Kept> = []
  let header: ReturnType<typeof parseHeader>
  let chain = 0
  for (let at = 0; at < bytes.length;) {
    const end = bytes.indexOf(10, at)
    const line = end < 0 ? undefined : decodeLine(bytes, at, end, chain)
    if (line === undefined || line._tag === "Damaged") {
      const damage =
        line === undefined ? `it ends in the middle of a line at ${at}` : `${line.check} at ${at}: ${line.got}, not ${line.expected}`
      return { header, read, damage }
    }
    if (at === 0) header = parseHeader(line.json)
    else part.push({ seq: line.seq, crc: line.crc, event: JSON.parse(line.json) as JournalEvent })
    if (line.more === 0) {
      read.push(...part)
      part = []
    }
    chain = line.crc
    at = end + 1
  }
  return { header, read, damage: undefined }
}
