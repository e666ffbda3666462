/**
 * What became of one slot, put together from the events of its skill: which schedule named it, what settled it, and how its
 * run went. It is told from the journal alone, so it is the same whether a runtime is there or not.
 */
import type { EventOf, JournalEvent } from "./JournalEvent.ts"
import type { SkillRecord } from "./Ledger.ts"
import type { Verdict } from "./Outcome.ts"
import type { RunId } from "./Run.ts"
import { next, type Schedule, slotsBetween } from "./Schedule.ts"

/** Why a slot has no record. Instants are milliseconds since the Unix epoch. */
export type Waiting =
  | { readonly _tag: "Due" }
  /** The skill is paused or put aside; the slot is settled when that ends. */
  | { readonly _tag: "Paused"; readonly by: string; readonly why: string }
  | { readonly _tag: "Quarantined"; readonly why: string; readonly probeAtMs: number | undefined }
  /** No runtime is at work: the next start settles it. */
  | { readonly _tag: "Down" }
  /** A runtime is at work, in a mode that holds it, or about to decide. */
  | { readonly _tag: "Held" }
  /** It was settled, and its record went with the history. */
  | { readonly _tag: "Gone" }

export interface SlotStory {
  readonly skill: string
  /** The schedule that named it, and since when it was in force. */
  readonly schedule: Schedule
  readonly adoptedFromMs: number
  readonly slotMs: number
  /** The next slot of the same schedule, if there is one. */
  readonly nextMs: number | undefined
  readonly verdict: Verdict | undefined
  /** What was said when it was settled without a run of its own. */
  readonly settled: EventOf<"slot.settled"> | undefined
  readonly claimed: EventOf<"run.claimed"> | undefined
  /** The run that somebody asked for afterwards, whatever the slot was settled as; it may be from before `adoptedFromMs`. */
  readonly backfilled: EventOf<"run.claimed"> | undefined
  /** The run that did its work: its own, or else the one that it was coalesced into. */
  readonly run: RunId | undefined
  readonly waiting: Waiting | undefined
  /** The mode of the runtime at that instant, with its reason; nothing where none was at work. */
  readonly mode: { readonly mode: string; readonly reason: string } | undefined
  /** The start that settled it, where that came after the slot: nobody was there at its instant. */
  readonly startedAtMs: number | undefined
}

/** Why there is no story. */
export type NoStory =
  /** No event speaks of the skill. */
  | { readonly _tag: "Unknown" }
  /** The skill had no schedule then, or not yet one that named a slot; `firstMs` is the first slot after that, if one is known. */
  | { readonly _tag: "NothingOwed"; readonly adoptedFromMs: number | undefined; readonly firstMs: number | undefined }

/** Which slot is asked for. */
export interface SlotQuestion {
  readonly skill: string
  /** The last slot at or before this instant. */
  readonly atMs: number
  readonly nowMs: number
  /** What the ledger has of the skill: events that said it may have gone with the history. */
  readonly record: SkillRecord | undefined
}

/** The story of a slot. `events` are those of the journal in their order, all of them or those of the skill and of the runtime. */
export const slotStory = (events: Iterable<JournalEvent>, { skill, atMs, nowMs, record: kept }: SlotQuestion): SlotStory | NoStory => {
  const terms: Array<Term> = []
  const settled: Array<EventOf<"slot.settled">> = []
  const claims: Array<EventOf<"run.claimed">> = []
  const askedFor: Array<{ readonly claim: EventOf<"run.claimed">; readonly term: Term | undefined }> = []
  const runtime: Array<EventOf<"runtime.started"> | EventOf<"runtime.stopped"> | EventOf<"mode.changed">> = []
  let paused: EventOf<"skill.paused"> | undefined
  let quarantined: EventOf<"skill.quarantined"> | undefined
  let known = kept !== undefined
  for (const event of events) {
    if (event.type === "runtime.started" || event.type === "runtime.stopped" || event.type === "mode.changed") runtime.push(event)
    if (!("skill" in event) || event.skill !== skill) continue
    known = true
    if (event.type === "skill.adopted") adopt(terms, event)
    else if (event.type === "skill.removed") end(terms, event.atMs)
    else if (event.type === "skill.paused") paused = event
    else if (event.type === "skill.resumed") paused = undefined
    else if (event.type === "skill.quarantined") quarantined = event
    else if (event.type === "skill.released") quarantined = undefined
    else if (event.type === "slot.settled") settled.push(event)
    else if (event.type === "run.claimed" && event.by !== undefined) askedFor.push({ claim: event, term: terms.at(-1) })
    else if (event.type === "run.claimed" && !event.run.includes("+manual-")) claims.push(event)
  }
  if (!known) return { _tag: "Unknown" }
  if (terms.length === 0 && kept?.schedule !== undefined)
    terms.push({ schedule: kept.schedule, fromMs: kept.owedFromMs, untilMs: kept.removed ? kept.owedFromMs : Infinity })
  // Slots that another skill's runs have made are known from what became of them.
  const knownMs = [...claims.map(({ slot }) => slot), ...settled.flatMap(({ slot, through }) => [slot, through]), ...(kept?.owedAtMs ?? [])]
  for (const one of terms) if (one.schedule._tag === "After") one.schedule = { ...one.schedule, knownMs: knownMs.toSorted((a, b) => a - b) }
  const slotOf = (term: Term) => slotsBetween(term.schedule, term.fromMs, Math.min(atMs, term.untilMs)).lastMs
  const owing = terms.findLast((one) => one.fromMs < atMs && slotOf(one) !== undefined)
  const owedMs = owing && slotOf(owing)
  // A slot that nobody owed, as from before the first adoption, is one since a run of it was asked for.
  const unowed = askedFor
    .filter(({ claim: { slot } }) => slot <= atMs && slot > (owedMs ?? -Infinity))
    .toSorted((a, b) => a.claim.slot - b.claim.slot)
    .at(-1)
  const term = unowed === undefined ? owing : (unowed.term ?? terms.at(-1))
  const slotMs = unowed?.claim.slot ?? owedMs
  if (term === undefined || slotMs === undefined) {
    const later = terms.find((one) => one.untilMs > atMs)
    const firstMs = later && next(later.schedule, Math.max(later.fromMs, atMs))
    return { _tag: "NothingOwed", adoptedFromMs: terms.findLast((one) => one.fromMs < atMs)?.fromMs, firstMs }
  }
  const record = settled.find(({ slot, through }) => slot <= slotMs && slotMs <= through)
  const claimed = record === undefined ? claims.find(({ slot }) => slot === slotMs) : undefined
  const backfilled = askedFor.find(({ claim }) => claim.slot === slotMs)?.claim
  const settledAtMs = (record ?? claimed)?.atMs
  const before = runtime.filter((event) => event.atMs <= slotMs)
  const last = before.findLast(({ type }) => type !== "mode.changed")
  const mode = before.findLast((event) => event.type === "mode.changed")
  return {
    skill,
    schedule: term.schedule,
    adoptedFromMs: term.fromMs,
    slotMs,
    nextMs: next(term.schedule, slotMs),
    verdict: record?.verdict ?? (claimed === undefined ? undefined : "run"),
    settled: record,
    claimed,
    backfilled,
    run: (claimed ?? backfilled ?? record)?.run,
    waiting:
      settledAtMs !== undefined || unowed !== undefined
        ? undefined
        : slotMs > nowMs
          ? { _tag: "Due" }
          : slotMs <= (kept?.settledThroughMs ?? 0)
            ? { _tag: "Gone" }
            : quarantined !== undefined
              ? { _tag: "Quarantined", why: quarantined.why, probeAtMs: quarantined.probeAtMs }
              : paused !== undefined
                ? { _tag: "Paused", by: paused.by, why: paused.why }
                : runtime.findLast(({ type }) => type !== "mode.changed")?.type === "runtime.stopped"
                  ? { _tag: "Down" }
                  : { _tag: "Held" },
    mode: last?.type === "runtime.started" && mode !== undefined ? { mode: mode.to, reason: mode.reason } : undefined,
    startedAtMs:
      settledAtMs === undefined
        ? undefined
        : runtime.find((event) => event.type === "runtime.started" && event.atMs > slotMs && event.atMs <= settledAtMs)?.atMs
  }
}

/** A stretch of time in which one schedule was in force: slots after `fromMs` and through `untilMs` are its. */
interface Term {
  schedule: Schedule
  readonly fromMs: number
  untilMs: number
}

const adopt = (terms: Array<Term>, { schedule, from }: EventOf<"skill.adopted">): void => {
  const present = terms.at(-1)
  if (present?.untilMs === Infinity && JSON.stringify(present.schedule) === JSON.stringify(schedule)) return // Only what it does has changed.
  end(terms, from)
  if (schedule !== null) terms.push({ schedule, fromMs: from, untilMs: Infinity })
}

const end = (terms: Array<Term>, atMs: number): void => {
  const present = terms.at(-1)
  if (present?.untilMs === Infinity) present.untilMs = atMs
}
