/** What a checker found: a rule that some history broke. Data, so that a test, a table and a program can read it. */

/** The rules, each with what it means to break it. */
export const rules = {
  "journal.damaged": "a line of the journal is not whole where another one follows",
  "slot.lost": "a slot was owed and has no record",
  "slot.doubled": "a slot has two records",
  "slot.unowed": "a record names an instant that no adopted schedule names",
  "slot.miscounted": "a record of several slots counts more or fewer than its schedule has there",
  "slot.paused": "a slot became a run while its skill was paused",
  "run.doubled": "a run was claimed or settled twice",
  "run.unclaimed": "something happened to a run that nobody had claimed",
  "run.misnamed": "a run's id does not name its skill and slot",
  "run.afterEnd": "something happened to a run after it was settled",
  "run.unreleased": "a parked run was tried again before anybody released it",
  "run.fence": "a claim's fence is not greater than every earlier one",
  "attempt.order": "attempts are not counted 1, 2, 3",
  "attempt.overlap": "an attempt began while another one of the same run was under way",
  "step.doubled": "a step was finished twice",
  "step.repeated": "a step was done again after its result was durable",
  "effect.doubled": "one attempt did the same work twice",
  "effect.unrecorded": "a skill did work in an attempt that is not on record",
  "effect.missing": "the journal says that work was done, and the skill knows nothing of it",
  "report.missing": "a settled run was to be reported and is not in the transcript",
  "report.doubled": "a run was reported twice",
  "report.order": "reports do not stand in the order in which their runs settled",
  "report.unknown": "a report in the transcript is of no settled run that was to be reported"
} as const
export type Rule = keyof typeof rules

export interface Violation {
  readonly rule: Rule
  /** The slot, run or step it is about: `heartbeat@20261122T060000Z`. */
  readonly subject: string
  readonly detail: string
}
