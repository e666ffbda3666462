/**
 * What skills did, by their own account, against what the journal says of it.
 *
 * A death in the middle of a step may do it again: the journal promises that a step is not done again once its result is
 * durable, and nothing more can be promised of work outside of us.
 */
import type { EventOf, JournalEvent } from "../../domain/JournalEvent.ts"
import { parseRunId } from "../../domain/Run.ts"
import type { Rule, Violation } from "./Violation.ts"

/** One line that a skill itself wrote at the moment at which it did something. */
export interface SkillEffect {
  readonly run: string
  /** ISO 8601. */
  readonly slot: string
  readonly attempt: number
  readonly startedAtMs: number
  /** The step it belongs to; nothing for the whole work of an attempt. */
  readonly step: string | undefined
}

/** Reads a file of effects, `run,slot,attempt,startedAtMs[,step]` a line. Lines that are not of this form are left out. */
export const readEffects = (text: string): ReadonlyArray<SkillEffect> =>
  text.split("\n").flatMap((line) => {
    const [run, slot, attempt, startedAtMs, step] = line.split(",")
    return run === undefined || slot === undefined || !isCount(attempt) || !isCount(startedAtMs)
      ? []
      : [{ run, slot, attempt: Number(attempt), startedAtMs: Number(startedAtMs), step: step === "" ? undefined : step }]
  })

/** What is wrong with the steps of a journal, and where the effects of skills and the journal do not agree. */
export const checkSteps = (events: ReadonlyArray<JournalEvent>, effects: ReadonlyArray<SkillEffect>): ReadonlyArray<Violation> => {
  const violations: Array<Violation> = []
  const broken = (rule: Rule, subject: string, detail: string) => violations.push({ rule, subject, detail })
  const attempts = new Set<string>()
  const finished = new Map<string, EventOf<"step.finished">>()
  const succeeded = new Set<string>()
  for (const event of events) {
    if (event.type === "attempt.started") attempts.add(`${event.run} ${event.attempt}`)
    if (event.type === "run.settled" && event.outcome === "success") succeeded.add(event.run)
    if (event.type !== "step.started" && event.type !== "step.finished") continue
    const key = keyOf(event)
    if (finished.has(key))
      broken(event.type === "step.started" ? "step.repeated" : "step.doubled", key, `${event.type} in attempt ${event.attempt}`)
    else if (event.type === "step.finished") finished.set(key, event)
  }

  const done = new Map<string, ReadonlyArray<number>>()
  const kinds = new Set<string>()
  for (const effect of effects) {
    const { run, attempt } = effect
    const key = keyOf(effect)
    const durable = finished.get(key)
    const earlier = done.get(key) ?? []
    done.set(key, [...earlier, attempt])
    kinds.add(kindOf(effect))
    if (!attempts.has(`${run} ${attempt}`)) broken("effect.unrecorded", key, `done in attempt ${attempt}`)
    if (earlier.includes(attempt)) broken("effect.doubled", key, `done twice in attempt ${attempt}`)
    if (durable !== undefined && attempt > durable.attempt) {
      broken("step.repeated", key, `done in attempt ${attempt}, durable since attempt ${durable.attempt}`)
    }
  }

  // Only where a skill writes such lines at all does the lack of one mean anything.
  for (const [key, step] of finished) {
    if (kinds.has(kindOf(step)) && !done.has(key)) broken("effect.missing", key, "its result is in the journal")
  }
  for (const run of succeeded) {
    if (kinds.has(kindOf({ run })) && !done.has(run)) broken("effect.missing", run, "its success is in the journal")
  }
  return violations
}

const keyOf = ({ run, step }: { readonly run: string; readonly step?: string | undefined }): string =>
  step === undefined ? run : `${run} ${step}`

const kindOf = ({ run, step }: { readonly run: string; readonly step?: string | undefined }): string =>
  `${parseRunId(run)?.skill} ${step ?? ""}`

const isCount = (text: string | undefined): text is string => text !== undefined && /^\d+$/.test(text)
