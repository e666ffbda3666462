/** What becomes of each slot of a skill, in a line: the journal read back, for whoever lists many slots at once. */
import { showDuration } from "./durations.ts"
import type { EventOf, JournalEvent } from "./JournalEvent.ts"
import type { RunId } from "./Run.ts"
import { missedAfterMs } from "./Skill.ts"

export interface SlotFate {
  readonly slotMs: number
  readonly fate: "onTime" | "late" | "coalesced" | "skipped" | "missed" | "superseded" | "waits"
  /** The run that does its work. */
  readonly run: RunId | undefined
  /** From the slot to the beginning of its own run. */
  readonly lateMs: number | undefined
  /** The reason on record, what it waited for, or what came of it but success. */
  readonly reason: string | undefined
}

/** Gives the fates of slots of a skill; work is meant to begin `delayMs` after its slot. */
export const slotFates = (
  events: ReadonlyArray<JournalEvent>,
  { skill, delayMs }: { readonly skill: string; readonly delayMs: number }
): ((slotMs: number) => SlotFate) => {
  const claims = new Map<number, EventOf<"run.claimed">>()
  const settled: Array<EventOf<"slot.settled">> = []
  const starts = new Map<RunId, Array<number>>()
  const ends = new Map<RunId, EventOf<"run.settled">>()
  const modes: Array<EventOf<"runtime.started"> | EventOf<"runtime.stopped"> | EventOf<"mode.changed">> = []
  for (const event of events) {
    if (event.type === "run.claimed" && event.skill === skill) claims.set(event.slot, event)
    else if (event.type === "slot.settled" && event.skill === skill) settled.push(event)
    else if (event.type === "attempt.started") starts.set(event.run, [...(starts.get(event.run) ?? []), event.atMs])
    else if (event.type === "run.settled") ends.set(event.run, event)
    else if (event.type === "runtime.started" || event.type === "runtime.stopped" || event.type === "mode.changed") modes.push(event)
  }
  /** Why a slot was not looked at when it was due. */
  const circumstance = (slotMs: number): string => {
    const mode = modes.findLast(({ atMs }) => atMs <= slotMs)
    return mode?.type === "mode.changed" ? `the runtime was ${mode.to} then (${mode.reason})` : "no runtime was at work"
  }
  return (slotMs) => {
    const claim = claims.get(slotMs)
    if (claim === undefined) {
      const record = settled.find(({ slot, through }) => slot <= slotMs && slotMs <= through)
      return record === undefined || record.verdict === "run"
        ? { slotMs, fate: "waits", run: undefined, lateMs: undefined, reason: undefined }
        : { slotMs, fate: record.verdict, run: record.run, lateMs: undefined, reason: record.reason }
    }
    const { run, atMs: claimedAtMs, missed } = claim
    const [startedAtMs, ...again] = starts.get(run) ?? []
    if (startedAtMs === undefined) return { slotMs, fate: "waits", run, lateMs: undefined, reason: behind }
    const lateMs = startedAtMs - slotMs
    const late = lateMs - delayMs > missedAfterMs
    const end = ends.get(run)
    const reasons = [
      ...(late ? [claimedAtMs - slotMs - delayMs > missedAfterMs ? circumstance(slotMs) : behind] : []),
      ...(missed > 0 ? [`it makes good ${missed} missed before it`] : []),
      ...again.map((atMs) => `it begins again ${showDuration(atMs - startedAtMs)} later`),
      ...(end === undefined || end.outcome === "success" ? [] : [`${end.outcome}: ${end.reason}`])
    ]
    return { slotMs, fate: late ? "late" : "onTime", run, lateMs, reason: reasons.length === 0 ? undefined : reasons.join("; ") }
  }
}

const behind = "a run of it was under way"
