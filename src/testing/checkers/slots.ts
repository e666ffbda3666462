/** Every due slot ends in exactly one record: worked out again from the schedules that were adopted, and from nothing else. */
import type { EventOf, JournalEvent } from "../../domain/JournalEvent.ts"
import { iso, parseRunId, runId } from "../../domain/Run.ts"
import { follows, next, type Schedule, slotAfter, slotsBetween } from "../../domain/Schedule.ts"
import type { Violation } from "./Violation.ts"

/** A stretch of time in which one schedule of a skill was in force. */
export interface Term {
  schedule: Schedule
  /** Slots after this instant are owed. */
  readonly fromMs: number
  /** The last instant at which one may be. */
  untilMs: number
}

/**
 * Slots owed through `throughMs` (milliseconds since the Unix epoch) without a record, and records that are double or of
 * nothing owed. Slots that wait have no record yet: choose an instant before which nothing was held any more. A skill that
 * is in quarantine or paused owes nothing beyond its last record until it is released or resumed, and in a pause no slot
 * becomes a run, but for those that somebody asks for: they leave the record of their slot as it is.
 */
export const checkSlots = (events: ReadonlyArray<JournalEvent>, throughMs: number): ReadonlyArray<Violation> => {
  const violations: Array<Violation> = []
  for (const [skill, { terms, records, backfilled, quarantined, paused, found }] of readSlots(events)) {
    violations.push(...found)
    const slot = (atMs: number) => runId({ skill, slotAtMs: atMs })
    const lastMs = quarantined || paused ? Math.min(throughMs, Math.max(0, ...records.keys())) : throughMs
    for (const atMs of terms.flatMap((term) => owedIn(term, 0, lastMs))) {
      if (!records.has(atMs)) violations.push({ rule: "slot.lost", subject: slot(atMs), detail: `due at ${iso(atMs)}, no record of it` })
    }
    for (const [atMs, ways] of records) {
      if (ways.length > 1) violations.push({ rule: "slot.doubled", subject: slot(atMs), detail: ways.join(" and ") })
    }
    for (const [atMs, times] of backfilled) {
      const runs = times + (records.get(atMs)?.filter((way) => way === "run").length ?? 0)
      if (runs > 1) violations.push({ rule: "slot.doubled", subject: slot(atMs), detail: `${runs} runs, ${times} of them asked for` })
    }
  }
  return violations
}

/** The slots of every skill after `afterMs` and not after `throughMs` that were owed, with the ways in which each is on record. */
export const owedSlots = (
  events: ReadonlyArray<JournalEvent>,
  afterMs: number,
  throughMs: number
): ReadonlyArray<{
  readonly skill: string
  readonly atMs: number
  readonly records: ReadonlyArray<string>
}> =>
  [...readSlots(events)].flatMap(([skill, { terms, records }]) =>
    terms.flatMap((term) => owedIn(term, afterMs, throughMs)).map((atMs) => ({ skill, atMs, records: records.get(atMs) ?? [] }))
  )

interface SkillSlots {
  readonly terms: Array<Term>
  /** By instant: `run`, or the verdict that settled it without one. */
  readonly records: Map<number, Array<string>>
  /** By instant: the runs that somebody asked for afterwards, beside whatever settled the slot. */
  readonly backfilled: Map<number, number>
  readonly found: Array<Violation>
  quarantined: boolean
  paused: boolean
}

const readSlots = (events: ReadonlyArray<JournalEvent>): ReadonlyMap<string, SkillSlots> => {
  const skills = new Map<string, SkillSlots>()
  const of = (skill: string): SkillSlots => {
    const known = skills.get(skill) ?? {
      terms: [],
      records: new Map(),
      backfilled: new Map(),
      found: [],
      quarantined: false,
      paused: false
    }
    skills.set(skill, known)
    return known
  }
  let startedAtMs = 0
  for (const event of events) {
    switch (event.type) {
      case "runtime.started":
        startedAtMs = event.atMs
        break
      case "skill.adopted":
        adopt(of(event.skill), event)
        break
      case "skill.removed": // Removed skills are noticed at a start, and owe nothing from there on.
        endTerm(of(event.skill), startedAtMs)
        break
      case "skill.quarantined":
        of(event.skill).quarantined = true
        break
      case "skill.released":
        of(event.skill).quarantined = false
        break
      case "skill.paused":
        of(event.skill).paused = true
        break
      case "skill.resumed":
        of(event.skill).paused = false
        break
      case "run.settled":
        for (const { terms } of skills.values()) follow(terms.at(-1), event)
        break
      case "run.claimed":
        if (event.run.includes("+manual-")) break
        if (event.by !== undefined) {
          backfill(of(event.skill), event)
          break
        }
        note(of(event.skill), event.skill, event.slot, event.slot, 1, "run")
        if (of(event.skill).paused) of(event.skill).found.push({ rule: "slot.paused", subject: event.run, detail: "claimed in a pause" })
        break
      case "slot.settled":
        note(of(event.skill), event.skill, event.slot, event.through, event.count, event.verdict)
        break
      default:
        break
    }
  }
  return skills
}

const adopt = (skill: SkillSlots, { schedule, from }: EventOf<"skill.adopted">): void => {
  const present = skill.terms.at(-1)
  const inForce = present?.untilMs === Infinity
  if (inForce && sameSchedule(present.schedule, schedule)) return // Only what it does has changed.
  endTerm(skill, from)
  if (schedule !== null)
    skill.terms.push({ schedule: schedule._tag === "After" ? { ...schedule, knownMs: [] } : schedule, fromMs: from, untilMs: Infinity })
}

/** A run of another skill has ended: the slot that its end makes, where the schedule is one that follows it. */
const follow = (term: Term | undefined, { run, outcome, atMs }: EventOf<"run.settled">): void => {
  if (term?.untilMs !== Infinity || term.schedule._tag !== "After") return
  const { schedule } = term
  if (parseRunId(run)?.skill !== schedule.skill || !follows(schedule, outcome)) return
  const known = schedule.knownMs ?? []
  term.schedule = { ...schedule, knownMs: [...known, slotAfter(known.at(-1) ?? term.fromMs, atMs)] }
}

const sameSchedule = (present: Schedule, adopted: Schedule | null): boolean => {
  const { knownMs: _, ...asAdopted } = present as Extract<Schedule, { readonly _tag: "After" }>
  return JSON.stringify(asAdopted) === JSON.stringify(adopted)
}

const endTerm = ({ terms }: SkillSlots, atMs: number): void => {
  const present = terms.at(-1)
  if (present?.untilMs === Infinity) present.untilMs = atMs
}

/** A record speaks of the schedule that is in force where it stands. */
const note = ({ terms, records, found }: SkillSlots, skill: string, slot: number, through: number, count: number, way: string): void => {
  const term = terms.at(-1)
  const subject = runId({ skill, slotAtMs: slot })
  const named = (atMs: number) => term !== undefined && atMs >= term.fromMs && next(term.schedule, atMs - 1) === atMs
  if (term === undefined || !named(slot) || !named(through)) {
    found.push({ rule: "slot.unowed", subject, detail: `${way} for ${iso(slot)}${through === slot ? "" : ` through ${iso(through)}`}` })
    return
  }
  const slots = slotsBetween(term.schedule, slot - 1, through)
  if (slots.count !== count)
    found.push({ rule: "slot.miscounted", subject, detail: `${way} says ${count}, the schedule has ${slots.count}` })
  for (const atMs of slots.newest(slots.count)) {
    const ways = records.get(atMs)
    if (ways === undefined) records.set(atMs, [way])
    else ways.push(way)
  }
}

/** A slot of the schedule that is in force when it is asked for; it may be from before that. */
const backfill = ({ terms, backfilled, found }: SkillSlots, { run, slot, by = "" }: EventOf<"run.claimed">): void => {
  const term = terms.at(-1)
  if (term === undefined || next(term.schedule, slot - 1) !== slot)
    found.push({ rule: "slot.unowed", subject: run, detail: `asked for by ${by}` })
  backfilled.set(slot, (backfilled.get(slot) ?? 0) + 1)
}

const owedIn = ({ schedule, fromMs, untilMs }: Term, afterMs: number, throughMs: number): ReadonlyArray<number> => {
  const slots = slotsBetween(schedule, Math.max(fromMs, afterMs), Math.min(untilMs, throughMs))
  return slots.newest(slots.count)
}
