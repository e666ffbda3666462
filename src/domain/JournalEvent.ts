/**
 * What the journal says happened. Everything else on disk is derived from these and can be deleted.
 *
 * `v` is the version of an event's fields; a reader upcasts older ones. Instants end in `AtMs` or are named for what
 * happened then, in milliseconds since the Unix epoch.
 */
import * as Schema from "effect/Schema"
import { Outcome, Verdict } from "./Outcome.ts"

const text = Schema.String
const instant = Schema.Finite
const count = Schema.Int
const json = Schema.Unknown

const ScheduleFields = Schema.Union([
  Schema.Struct({ _tag: Schema.Literal("Cron"), expression: text, zone: text }),
  Schema.Struct({ _tag: Schema.Literal("Every"), everyMs: count, anchorMs: instant }),
  Schema.Struct({ _tag: Schema.Literal("At"), atMs: instant }),
  Schema.Struct({ _tag: Schema.Literal("Paced"), times: count, fromMinute: count, toMinute: count, apartMs: count, zone: text }),
  Schema.Struct({ _tag: Schema.Literal("After"), skill: text, on: Schema.Literals(["success", "failure", "end"]) })
])

const event = <const Type extends string, const Fields extends Schema.Struct.Fields>(type: Type, fields: Fields) =>
  Schema.Struct({ type: Schema.Literal(type), v: Schema.Literal(1), atMs: instant, ...fields })

/** Ways by which an acknowledgement says only that the gateway took the text. */
export const LossyWay = Schema.Literals(["wake", "hooks"])

/** What a report is sent by and until when, beside what it says; nothing of it by default. */
export const reportTerms = {
  via: Schema.optionalKey(LossyWay),
  expiresAtMs: Schema.optionalKey(instant),
  collapse: Schema.optionalKey(Schema.Literal(true))
}

/** Every event there is, each with its fields. */
export const JournalEvent = Schema.Union([
  event("runtime.started", { epoch: count, pid: count, version: text, bootId: Schema.optionalKey(text) }),
  event("runtime.stopped", { reason: text }),
  /** The event loop stood still for so long, until a moment before this. */
  event("runtime.stalled", { forMs: instant }),

  /** From this instant on the skill owes the slots of this schedule, and no earlier ones. */
  event("skill.adopted", { skill: text, digest: text, schedule: Schema.NullOr(ScheduleFields), from: instant }),
  event("skill.removed", { skill: text }),
  event("skill.paused", { skill: text, by: text, why: text }),
  event("skill.resumed", { skill: text, by: text, why: text }),
  /** Put aside. With `probeAtMs` it is tried again from then on; `probes` such tries have failed. Without, a person has to release it. */
  event("skill.quarantined", { skill: text, why: text, probeAtMs: Schema.optionalKey(instant), probes: Schema.optionalKey(count) }),
  event("skill.released", { skill: text, by: text }),
  /** Somebody has looked at the skill's files of this digest. It may be a skill that was never adopted. */
  event("skill.approved", { skill: text, digest: text, by: text }),

  /** `count` slots from `slot` through `through` that get no run of their own. `run` is the one that did their work. */
  event("slot.settled", {
    skill: text,
    slot: instant,
    through: instant,
    count,
    verdict: Verdict,
    reason: text,
    run: Schema.optionalKey(text)
  }),
  /**
   * Settles its slot as `run`. `fence` grows with every claim: what a skill acts on can refuse an older one. With `by`, somebody asked
   * for a run of a slot that had none: what the slot was settled as stays as it is.
   */
  event("run.claimed", {
    run: text,
    skill: text,
    slot: instant,
    fence: count,
    digest: text,
    missed: count,
    by: Schema.optionalKey(text),
    why: Schema.optionalKey(text)
  }),
  event("attempt.started", { run: text, attempt: count }),
  event("attempt.spawned", { run: text, attempt: count, pid: count, startTime: text, bootId: text }),
  /** A later runtime goes on with the attempt: its process lives, or has left its answer. */
  event("attempt.adopted", { run: text, attempt: count }),
  /** An attempt is about to hand its text to the agent's command: from here on it counts against the day's budget. */
  event("prompt.started", { run: text, skill: text, attempt: count }),
  event("step.started", { run: text, attempt: count, step: text }),
  event("step.finished", { run: text, attempt: count, step: text, result: json }),
  event("attempt.failed", { run: text, attempt: count, reason: text, retryAtMs: Schema.NullOr(instant) }),
  /** Its steps are not those on record: it waits for a person, and its skill goes on without it. */
  event("run.parked", { run: text, reason: text }),
  /** A parked run is tried again, and may do what is not on record. */
  event("run.released", { run: text, by: text }),
  /**
   * The commit point of a run. `report` says whether the session is to be told, in which session, by which way where it is not
   * `inject`, until when, and whether a later report of the skill may stand in for it.
   */
  event("run.settled", {
    run: text,
    outcome: Outcome,
    reason: text,
    startedAtMs: Schema.NullOr(instant),
    durationMs: instant,
    /** Of a run that failed: the code of its last attempt, and the class of it. */
    failure: Schema.optionalKey(Schema.Struct({ code: text, class: Schema.Literals(["retryable", "terminal", "config", "link"]) })),
    fields: Schema.Record(text, Schema.Union([text, Schema.Finite, Schema.Boolean])),
    report: Schema.NullOr(Schema.Struct({ session: text, text, ...reportTerms }))
  }),

  /** The first frame of a report left us: from here on it may stand in the transcript. */
  event("entry.sent", { run: text, gatewayBootId: text }),
  /** With `via`, nothing can be looked up: the gateway only said that it took it. */
  event("entry.acknowledged", { run: text, how: Schema.Literals(["reply", "history"]), via: Schema.optionalKey(LossyWay) }),
  event("entry.parked", { run: text, reason: text }),
  /** A later report of the same skill, that of run `into`, stands in for this one. */
  event("entry.collapsed", { run: text, into: text }),
  /** The reports of these runs become one row: `digest` is an entry like any other from here on, and they are none any more. */
  event("entries.digested", { digest: text, session: text, text, runs: Schema.Array(text), via: Schema.optionalKey(LossyWay) }),
  /** Somebody asked for a parked entry to be sent again, or gave it up. */
  event("entry.redriven", { run: text, by: text }),
  event("entry.dropped", { run: text, by: text }),

  event("mode.changed", { from: text, to: text, reason: text }),
  event("clock.jumped", { byMs: instant })
])
export type JournalEvent = typeof JournalEvent.Type

/** One of the events, by its type. */
export type EventOf<Type extends JournalEvent["type"]> = Extract<JournalEvent, { readonly type: Type }>
