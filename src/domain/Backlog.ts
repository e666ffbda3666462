/**
 * What becomes of waiting reports before the next one is sent: some are too old, some have a later one in their place, and
 * after a long outage many become one digest. Only what has never left us is touched: the rest may stand in a transcript.
 */
import { showDuration } from "./durations.ts"
import type { JournalEvent } from "./JournalEvent.ts"
import type { Entry } from "./Ledger.ts"
import { type Outcome, outcomes } from "./Outcome.ts"
import { iso, parseRunId } from "./Run.ts"

/** When the reports of a session become one: more than `above` wait, the oldest of them for longer than `afterMs`. */
export interface DigestTerms {
  readonly afterMs: number
  readonly above: number
}

/** Where a config asks for digests and says no more. */
export const digestDefault: DigestTerms = { afterMs: 30 * 60_000, above: 10 }

type BacklogEvent = JournalEvent extends infer Event
  ? Event extends { readonly type: "entry.parked" | "entry.collapsed" | "entries.digested" }
    ? Omit<Event, "v" | "atMs">
    : never
  : never

/** Most runs that a digest names one by one. */
const namedMax = 20

/** The events that bring a backlog in order, none where it is. `entries` in the order of the outbox. */
export const tidied = (entries: Iterable<Entry>, digest: DigestTerms | undefined, nowMs: number): ReadonlyArray<BacklogEvent> => {
  const waiting = [...entries]
  const events: Array<BacklogEvent> = []
  const live = waiting.filter((entry) => {
    if (entry.sent !== undefined || !isExpired(entry, nowMs)) return true
    events.push({ type: "entry.parked", run: entry.run, reason: expired(entry) })
    return false
  })
  const newest = new Map<string, Entry>()
  for (const entry of live) {
    const known = newest.get(lane(entry))
    if (known === undefined || entry.settledAtMs >= known.settledAtMs) newest.set(lane(entry), entry)
  }
  const left = live.filter((entry) => {
    const into = newest.get(lane(entry))!
    if (entry.sent !== undefined || entry.collapse === undefined || into === entry) return true
    events.push({ type: "entry.collapsed", run: entry.run, into: into.run })
    return false
  })
  if (digest === undefined) return events
  const unsent = left.filter(({ sent, runs }) => sent === undefined && runs === undefined)
  for (const [first, ...rest] of Map.groupBy(unsent, ({ session, via }) => `${via ?? ""} ${session}`).values()) {
    if (rest.length < digest.above || nowMs - first!.settledAtMs <= digest.afterMs) continue
    events.push(digestOf([first!, ...rest], nowMs))
  }
  return events
}

/** Whether it waits for longer than its skill says that anybody wants to know. */
export const isExpired = ({ expiresAtMs = Infinity }: Entry, nowMs: number): boolean => expiresAtMs <= nowMs

/** Why an entry is parked that waited too long. */
export const expired = ({ expiresAtMs = 0, settledAtMs }: Entry): string =>
  `expired: not delivered within ${showDuration(expiresAtMs - settledAtMs)} (report.keepFor)`

/** Reports of one lane can stand in for each other. */
const lane = ({ run, session, via, runs }: Entry): string => [via, session, runs === undefined ? parseRunId(run)?.skill : run].join(" ")

/** A run is part of one digest at most, so that its newest run names it for ever. No run's id begins so. */
const digestOf = (entries: ReadonlyArray<Entry>, nowMs: number): BacklogEvent => {
  const { session, via } = entries[0]!
  const runs = entries.map(({ run }) => run)
  return { type: "entries.digested", digest: `digest+${runs.at(-1)}`, session, text: digestText(entries, nowMs), runs, ...(via && { via }) }
}

const digestText = (entries: ReadonlyArray<Entry>, nowMs: number): string => {
  const bySkill = Map.groupBy(entries, ({ run }) => parseRunId(run)?.skill ?? run)
  const lines = [...bySkill].map(([skill, reports]) => {
    const counts = (Object.keys(outcomes) as Array<Outcome>).flatMap((outcome) => {
      const { length } = reports.filter((report) => report.outcome === outcome)
      return length === 0 ? [] : [`${length} ${outcome}`]
    })
    return `${skill}: ${counts.join(", ") || reports.length}`
  })
  const unwell = entries.filter(({ outcome = "success" }) => outcome !== "success").map(({ run, outcome }) => `${outcome} ${run}`)
  const more = unwell.length > namedMax ? [`and ${unwell.length - namedMax} more`] : []
  return [
    `While you were away, from ${iso(entries[0]!.settledAtMs)} to ${iso(nowMs)}: ${entries.length} reports in one.`,
    ...lines,
    ...(unwell.length === 0 ? [] : [`not well: ${[...unwell.slice(0, namedMax), ...more].join(", ")}`]),
    "Each of them: holdfast runs, holdfast why SKILL TIME, and runs/<run>/ in the state directory."
  ].join("\n")
}
