/**
 * The words for endings: one table, the same in files, command, viewer and docs.
 *
 * A slot is settled by a verdict. A run passes through phases and ends in an outcome. Late is a number
 * (`late_ms`, from the slot to the start of work), not an outcome.
 */
import * as Schema from "effect/Schema"

/** What became of a slot. */
export const verdicts = {
  run: "it became a run of its own",
  coalesced: "a later slot's run did its work too",
  skipped: "a policy said not to run it",
  missed: "nothing could run it in time, and the policy says not to catch up",
  superseded: "the schedule that named it was replaced before it ran"
} as const
export type Verdict = keyof typeof verdicts
export const Verdict = Schema.Literals(["run", "coalesced", "skipped", "missed", "superseded"])

/** Where a run is on its way. */
export const phases = {
  claimed: "the right to run it is ours and journaled; nothing has started",
  executing: "an attempt is under way",
  retryable: "an attempt failed and another one is due",
  parked: "its steps are not those on record; it waits for a person to release or cancel it",
  settled: "it has an outcome; this never changes again"
} as const
export type Phase = keyof typeof phases

/** What a run came to. */
export const outcomes = {
  success: "the work ended well",
  failed: "the last permitted attempt failed",
  cancelled: "somebody asked it to stop",
  interrupted: "the runtime died in the middle and the skill says not to run it again",
  unproven: "it ended well but the evidence it declares is missing"
} as const
export type Outcome = keyof typeof outcomes
export const Outcome = Schema.Literals(["success", "failed", "cancelled", "interrupted", "unproven"])
