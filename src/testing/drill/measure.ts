/** What a drill came to, worked out from the journal as text, the rows of the gateway and the book of the skills. */
import type { EventOf, JournalEvent } from "../../domain/JournalEvent.ts"
import type { Verdict } from "../../domain/Outcome.ts"
import { parseRunId } from "../../domain/Run.ts"
import type { Need } from "../../domain/Skill.ts"
import { guarantees, type Mode } from "../../machines/guarantees.ts"
import {
  checkRuns,
  checkSlots,
  checkSteps,
  checkTranscript,
  owedSlots,
  type Rule,
  type SkillEffect,
  type TranscriptRow,
  unfinishedRuns,
  type Violation
} from "../checkers/index.ts"

/** A slot whose work began within this time of it was on time, in milliseconds. */
export const onTimeMs = 250

/** What was seen. Instants in milliseconds since the Unix epoch. */
export interface Seen {
  readonly events: ReadonlyArray<JournalEvent>
  readonly effects: ReadonlyArray<SkillEffect>
  readonly rows: ReadonlyArray<TranscriptRow>
  readonly needs: ReadonlyMap<string, ReadonlyArray<Need>>
  /** The mode that the fault leads to; nothing where it ends the runtime. */
  readonly mode: Mode | undefined
  readonly faultAtMs: number
  readonly healedAtMs: number
  /** Slots through here are looked at, and reports of runs that settled by then are owed. */
  readonly endAtMs: number
}

export interface Measures {
  /** Whether the fault had the effect it is meant to have. */
  readonly faultSeen: boolean
  /** The modes from the fault to the end, in order. */
  readonly modes: ReadonlyArray<string>
  /** From the fault to the record of its mode. */
  readonly detectMs: number | null
  /** From the end of the fault to `connected`, and to the next start of work. */
  readonly connectedMs: number | null
  readonly firstStartMs: number | null
  /** Slots due from the fault to the end. Each is one of those that follow `due`; `lost` and `doubled` are of the whole history. */
  readonly slots: {
    readonly due: number
    readonly onTime: number
    readonly late: number
    readonly lateMaxMs: number
    readonly held: number
    readonly coalesced: number
    readonly skipped: number
    readonly missed: number
    readonly lost: number
    readonly doubled: number
    /** Slots of skills that had to be held, and were not. */
    readonly unheld: number
    /** Slots of skills that need nothing but this machine, for which no work had begun while the loss lasted. */
    readonly stalled: number
  }
  readonly runs: {
    readonly inFlight: number
    /** Of these: those that went on to their end in the attempt they were in, were tried again, or are on record as interrupted. */
    readonly undisturbed: number
    readonly triedAgain: number
    readonly interrupted: number
    readonly unfinished: number
    readonly doubled: number
  }
  /** Steps whose results a later attempt took over, and those that were done again all the same. */
  readonly steps: { readonly kept: number; readonly repeated: number }
  /**
   * Runs and steps whose work a skill did twice, in two attempts, because the runtime died before the first could be put on
   * record. No runtime can know of such work: the skill is told by its idempotency key, which is the same both times.
   */
  readonly redoneUnrecorded: number
  readonly results: {
    /** Reports that had been sent when the loss began, and of which nobody knew whether they had arrived. */
    readonly underWay: number
    readonly owed: number
    readonly delivered: number
    readonly missing: number
    readonly doubled: number
    readonly outOfOrder: number
    readonly parked: number
  }
  readonly violations: ReadonlyArray<Violation>
}

export const measure = (seen: Seen): Measures => {
  const { events, effects, rows, faultAtMs, healedAtMs, endAtMs } = seen
  const transcript = checkTranscript(events, rows, { throughMs: endAtMs })
  const violations = [...checkSlots(events, endAtMs), ...checkRuns(events), ...checkSteps(events, effects), ...transcript]
  const count = (...rules: ReadonlyArray<Rule>) => violations.filter(({ rule }) => rules.includes(rule)).length
  const modes = modesOf(events)
  const since = modes.filter(({ atMs }) => atMs >= faultAtMs)
  const within = (atMs: number | undefined, fromMs: number) => (atMs === undefined ? null : atMs - fromMs)
  const owed = ofType(events, "run.settled").filter(({ report, atMs }) => report !== null && atMs <= endAtMs)
  const unfinished = unfinishedRuns(events, endAtMs)
  const starts = ofType(events, "attempt.started")
  return {
    faultSeen:
      seen.mode === undefined ? wasKilled(events, faultAtMs) : since.some(({ to, atMs }) => to === seen.mode && atMs <= healedAtMs),
    modes: since.map(({ to }) => to),
    detectMs: seen.mode === undefined ? null : within(since.find(({ to }) => to === seen.mode)?.atMs, faultAtMs),
    connectedMs: within(modes.find(({ to, atMs }) => to === "connected" && atMs >= healedAtMs)?.atMs, healedAtMs),
    firstStartMs: within(starts.find(({ atMs }) => atMs >= healedAtMs)?.atMs, healedAtMs),
    slots: { ...slotsOf(seen, modes), lost: count("slot.lost"), doubled: count("slot.doubled"), stalled: stalledSlots(seen) },
    runs: {
      ...inFlightOf(events, faultAtMs),
      unfinished: unfinished.length,
      doubled: count("run.doubled", "run.afterEnd", "effect.doubled")
    },
    steps: { kept: stepsKept(events), repeated: count("step.doubled", "step.repeated") },
    redoneUnrecorded: workDoneAgain(effects) - count("step.repeated", "effect.doubled"),
    results: {
      underWay: reportsUnderWay(events, faultAtMs),
      owed: owed.length,
      delivered:
        owed.length - transcript.filter(({ rule, subject }) => rule === "report.missing" && owed.some(({ run }) => run === subject)).length,
      missing: count("report.missing"),
      doubled: count("report.doubled"),
      outOfOrder: count("report.order"),
      parked: ofType(events, "entry.parked").length
    },
    violations
  }
}

/** Reports sent by this instant without an answer by then. */
const reportsUnderWay = (events: ReadonlyArray<JournalEvent>, atMs: number): number => {
  const underWay = new Set<string>()
  for (const event of events.filter((one) => one.atMs <= atMs)) {
    if (event.type === "entry.sent") underWay.add(event.run)
    if (event.type === "entry.acknowledged" || event.type === "entry.parked") underWay.delete(event.run)
  }
  return underWay.size
}

/** A stretch of time in one mode. */
interface InMode {
  readonly to: string
  readonly atMs: number
}

const modesOf = (events: ReadonlyArray<JournalEvent>): ReadonlyArray<InMode> =>
  events.flatMap((event): ReadonlyArray<InMode> =>
    event.type === "mode.changed"
      ? [{ to: event.to, atMs: event.atMs }]
      : event.type === "runtime.stopped"
        ? [{ to: "stopped", atMs: event.atMs }]
        : []
  )

/** A second start with no goodbye before it. */
const wasKilled = (events: ReadonlyArray<JournalEvent>, faultAtMs: number): boolean => {
  const lives = events.filter(({ type }) => type === "runtime.started" || type === "runtime.stopped")
  return lives.some(({ type, atMs }, i) => type === "runtime.started" && atMs > faultAtMs && lives[i - 1]?.type === "runtime.started")
}

const slotsOf = ({ events, needs, faultAtMs, endAtMs }: Seen, modes: ReadonlyArray<InMode>) => {
  const claims = new Map(ofType(events, "run.claimed").map((claim) => [`${claim.skill} ${claim.slot}`, claim]))
  const starts = new Map(
    ofType(events, "attempt.started")
      .toReversed()
      .map(({ run, atMs }) => [run, atMs])
  )
  const found = { due: 0, onTime: 0, late: 0, lateMaxMs: 0, held: 0, unheld: 0, run: 0, coalesced: 0, skipped: 0, missed: 0, superseded: 0 }
  for (const { skill, atMs, records } of owedSlots(events, faultAtMs, endAtMs)) {
    found.due += 1
    const claim = claims.get(`${skill} ${atMs}`)
    const releasedAtMs = heldUntil(modes, needs.get(skill) ?? [], atMs)
    if (releasedAtMs !== undefined) {
      found.held += 1
      if (claim !== undefined && claim.atMs < releasedAtMs - toleranceMs) found.unheld += 1
    } else if (claim !== undefined) {
      // One that has not started by now waits behind another run of its skill, and is late by what it has waited.
      const lateMs = (starts.get(claim.run) ?? endAtMs) - atMs
      found.lateMaxMs = Math.max(found.lateMaxMs, lateMs)
      if (lateMs <= onTimeMs) found.onTime += 1
      else found.late += 1
    } else if (records[0] !== undefined) found[records[0] as Verdict] += 1
  }
  const { run: _, superseded: __, ...slots } = found
  return slots
}

/** Where the runtime lives on, local skills go on: their work begins within this time of its slot, even on a busy machine. */
const begunWithinMs = 2_000

const stalledSlots = ({ events, needs, mode, faultAtMs, healedAtMs }: Seen): number => {
  if (mode === undefined) return 0
  const begun = ofType(events, "attempt.started")
    .filter(({ atMs }) => atMs >= faultAtMs && atMs <= healedAtMs)
    .flatMap(({ run }) => parseRunId(run) ?? [])
  return owedSlots(events, faultAtMs, healedAtMs - begunWithinMs).filter(
    ({ skill, atMs, records }) =>
      needs.get(skill)?.length === 0 && !records.includes("skipped") && !begun.some((run) => run.skill === skill && run.slotAtMs >= atMs)
  ).length
}

/** A mode's record is written a moment after the mode itself. */
const toleranceMs = 250

/** When the mode ended that held a slot of these needs, if one did at this instant. */
const heldUntil = (modes: ReadonlyArray<InMode>, needs: ReadonlyArray<Need>, slotAtMs: number): number | undefined => {
  const held = ({ to }: InMode) => needs.some((need) => guarantees[to as Mode]?.[need] === "held")
  const index = modes.findLastIndex(({ atMs }) => atMs <= slotAtMs)
  const present = modes[index]
  if (present === undefined || !held(present)) return undefined
  return modes.slice(index).find((mode) => !held(mode))?.atMs ?? Infinity
}

const inFlightOf = (events: ReadonlyArray<JournalEvent>, faultAtMs: number) => {
  const executing = new Map<string, number>()
  for (const event of events.filter(({ atMs }) => atMs <= faultAtMs)) {
    if (event.type === "attempt.started") executing.set(event.run, event.attempt)
    if (event.type === "run.settled") executing.delete(event.run)
  }
  const outcomes = new Map(ofType(events, "run.settled").map(({ run, outcome }) => [run, outcome]))
  const attempts = new Map(ofType(events, "attempt.started").map(({ run, attempt }) => [run, attempt]))
  const found = { inFlight: executing.size, undisturbed: 0, triedAgain: 0, interrupted: 0 }
  for (const [run, attempt] of executing) {
    if (attempts.get(run)! > attempt) found.triedAgain += 1
    else if (outcomes.get(run) === "interrupted") found.interrupted += 1
    else if (outcomes.has(run)) found.undisturbed += 1
  }
  return found
}

const stepsKept = (events: ReadonlyArray<JournalEvent>): number => {
  const attempts = new Map(ofType(events, "attempt.started").map(({ run, attempt }) => [run, attempt]))
  return ofType(events, "step.finished").filter(({ run, attempt }) => attempt < attempts.get(run)!).length
}

/** How many lines of the book are of work that already has one. */
const workDoneAgain = (effects: ReadonlyArray<SkillEffect>): number =>
  effects.length - new Set(effects.map(({ run, step = "" }) => `${run} ${step}`)).size

const ofType = <Type extends JournalEvent["type"]>(events: ReadonlyArray<JournalEvent>, type: Type): ReadonlyArray<EventOf<Type>> =>
  events.filter((event): event is EventOf<Type> => event.type === type)
