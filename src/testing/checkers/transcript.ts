/** Each result is in the session once, in the order in which its run settled. */
import type { JournalEvent } from "../../domain/JournalEvent.ts"
import { label } from "../../domain/Outbox.ts"
import type { Violation } from "./Violation.ts"

/** A row of a session, as the gateway has it. Rows without a label of ours are somebody else's. */
export interface TranscriptRow {
  readonly text: string
  readonly label?: string
}

/**
 * Compares the rows of one session, oldest first, with the reports that the journal owes it. `session`: only the reports
 * to this one (all). `throughMs`: a report of a run that settled later may still be on its way (none may). One that was
 * parked is on record as not delivered, and need not be there; one that was acknowledged has to be. Reports that go by another
 * way than `inject` are no rows.
 */
export const checkTranscript = (
  events: ReadonlyArray<JournalEvent>,
  rows: ReadonlyArray<TranscriptRow>,
  { session, throughMs = Infinity }: { readonly session?: string; readonly throughMs?: number } = {}
): ReadonlyArray<Violation> => {
  const violations: Array<Violation> = []
  const reports = new Map<string, Owed>()
  let places = 0
  const owe = (run: string, to: string, atMs: number) => {
    if (session === undefined || to === session)
      reports.set(label(run), { run, place: places++, due: atMs <= throughMs, end: undefined, rows: 0 })
  }
  const end = (run: string, type: JournalEvent["type"]) => {
    const report = reports.get(label(run))
    if (report !== undefined) Object.assign(report, { end: type, due: type === "entry.acknowledged" })
  }
  for (const event of events) {
    switch (event.type) {
      case "run.settled":
        if (event.report !== null && event.report.via === undefined) owe(event.run, event.report.session, event.atMs)
        break
      case "entries.digested":
        for (const run of event.runs) reports.delete(label(run)) // None of them may have a row of its own from here on.
        if (event.via === undefined) owe(event.digest, event.session, event.atMs)
        break
      case "entry.collapsed":
        reports.delete(label(event.run))
        break
      case "entry.acknowledged":
      case "entry.parked":
        end(event.run, event.type)
        break
      case "entry.redriven": {
        const report = reports.get(label(event.run))
        if (report !== undefined) Object.assign(report, { place: places++, due: event.atMs <= throughMs, end: undefined })
        break
      }
      default:
    }
  }

  let last = { run: "", place: -1 }
  for (const row of rows) {
    const mark = markOf(row)
    if (mark === undefined) continue
    const report = reports.get(mark)
    if (report === undefined) {
      violations.push({ rule: "report.unknown", subject: mark, detail: row.text.slice(0, 120) })
      continue
    }
    report.rows += 1
    if (report.rows > 1) continue
    if (report.place < last.place)
      violations.push({ rule: "report.order", subject: report.run, detail: `stands behind ${last.run}, which settled later` })
    else last = report
  }
  for (const { run, due, end, rows } of reports.values()) {
    if (rows > 1) violations.push({ rule: "report.doubled", subject: run, detail: `${rows} rows` })
    if (rows === 0 && due) violations.push({ rule: "report.missing", subject: run, detail: end ?? "neither acknowledged nor parked" })
  }
  return violations
}

/** What the journal owes the session: a report, or a digest of many. */
interface Owed {
  readonly run: string
  readonly place: number
  readonly due: boolean
  readonly end: JournalEvent["type"] | undefined
  rows: number
}

/** The label, in its own field or in brackets before the text, when it is one of ours. */
const markOf = ({ label, text }: TranscriptRow): string | undefined => {
  const mark = label ?? /^\[([^\]]{1,100})\]/.exec(text)?.[1]
  return mark?.startsWith("holdfast run=") === true ? mark : undefined
}
