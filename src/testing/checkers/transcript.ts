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
 * parked is on record as not delivered, and need not be there; one that was acknowledged has to be.
 */
export const checkTranscript = (
  events: ReadonlyArray<JournalEvent>,
  rows: ReadonlyArray<TranscriptRow>,
  { session, throughMs = Infinity }: { readonly session?: string; readonly throughMs?: number } = {}
): ReadonlyArray<Violation> => {
  const violations: Array<Violation> = []
  const reports = new Map<string, { readonly run: string; readonly place: number; readonly due: boolean; rows: number }>()
  const ended = new Map(
    events.flatMap((event) => (event.type === "entry.acknowledged" || event.type === "entry.parked" ? [[event.run, event.type]] : []))
  )
  for (const event of events) {
    if (event.type !== "run.settled" || event.report === null || (session !== undefined && event.report.session !== session)) continue
    const end = ended.get(event.run)
    const due = end === "entry.acknowledged" || (end === undefined && event.atMs <= throughMs)
    reports.set(label(event.run), { run: event.run, place: reports.size, due, rows: 0 })
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
  for (const { run, due, rows } of reports.values()) {
    if (rows > 1) violations.push({ rule: "report.doubled", subject: run, detail: `${rows} rows` })
    if (rows === 0 && due)
      violations.push({ rule: "report.missing", subject: run, detail: ended.get(run) ?? "neither acknowledged nor parked" })
  }
  return violations
}

/** The label, in its own field or in brackets before the text, when it is one of ours. */
const markOf = ({ label, text }: TranscriptRow): string | undefined => {
  const mark = label ?? /^\[([^\]]{1,100})\]/.exec(text)?.[1]
  return mark?.startsWith("holdfast run=") === true ? mark : undefined
}
