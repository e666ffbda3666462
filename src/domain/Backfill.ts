/** Slots of the past that got no run and may have one after all, told from the records of their skill. */
import type { JournalEvent } from "./JournalEvent.ts"
import type { Verdict } from "./Outcome.ts"
import { type RunId, runId } from "./Run.ts"
import { type Schedule, slotsBetween } from "./Schedule.ts"

/** Why a slot gets no run, though one is asked for. */
export const barriers = {
  hasRun: "it has a run",
  notSettled: "it has no record yet: the runtime is to settle it",
  historyGone: "what became of it has gone with the history"
} as const
export type Barrier = keyof typeof barriers

export interface PastSlot {
  readonly slotMs: number
  /** The run that it has or would get. */
  readonly run: RunId
  /** Its present record; nothing where it has none, as from before the schedule was adopted. */
  readonly record: { readonly verdict: Verdict; readonly reason: string } | undefined
  readonly barrier: Barrier | undefined
}

/** Which slots are asked for, and what is known beside the events. Instants are milliseconds since the Unix epoch. */
export interface PastQuestion {
  readonly skill: string
  /** The present one: it names the slots, also those from before it was adopted. */
  readonly schedule: Schedule
  /** The first and the last instant at which one may be. */
  readonly fromMs: number
  readonly toMs: number
  /** Slots after this instant are still to be settled. */
  readonly settledThroughMs: number
  /** Of slots up to this instant records may be missing. */
  readonly goneThroughMs: number
}

/** The slots that are asked for, in their order. `events` are those of the journal, or of the skill alone. */
export const pastSlots = (
  events: Iterable<JournalEvent>,
  { skill, schedule, fromMs, toMs, settledThroughMs, goneThroughMs }: PastQuestion
): ReadonlyArray<PastSlot> => {
  const within = (firstMs: number, lastMs: number): ReadonlyArray<number> => {
    const { count, newest } = slotsBetween(schedule, Math.max(fromMs, firstMs) - 1, Math.min(toMs, lastMs))
    return newest(count)
  }
  const records = new Map<number, NonNullable<PastSlot["record"]>>()
  const runs = new Set<RunId>()
  for (const event of events) {
    if (event.type === "run.claimed" && event.skill === skill) {
      runs.add(event.run)
      if (event.by === undefined) records.set(event.slot, { verdict: "run", reason: "" })
    } else if (event.type === "slot.settled" && event.skill === skill) {
      for (const slotMs of within(event.slot, event.through)) records.set(slotMs, event)
    }
  }
  return within(fromMs, toMs).map((slotMs) => {
    const run = runId({ skill, slotAtMs: slotMs })
    const record = records.get(slotMs)
    const barrier = runs.has(run)
      ? "hasRun"
      : slotMs > settledThroughMs
        ? "notSettled"
        : record === undefined && slotMs <= goneThroughMs
          ? "historyGone"
          : undefined
    return { slotMs, run, record: record && { verdict: record.verdict, reason: record.reason }, barrier }
  })
}
