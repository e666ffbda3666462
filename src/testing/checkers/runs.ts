/** Every run is claimed once, tried in order, and settled once; and nothing happens to it after that. */
import type { JournalEvent } from "../../domain/JournalEvent.ts"
import { parseRunId } from "../../domain/Run.ts"
import type { Rule, Violation } from "./Violation.ts"

interface Known {
  attempts: number
  /** An attempt is under way; a death of the runtime ends it. */
  executing: boolean
  /** It waits for a person. */
  parked: boolean
  settled: boolean
}

/** What is wrong with the runs of a journal. Runs that have no outcome yet are not wrong: see `unfinishedRuns`. */
export const checkRuns = (events: ReadonlyArray<JournalEvent>): ReadonlyArray<Violation> => {
  const violations: Array<Violation> = []
  const broken = (rule: Rule, subject: string, detail: string) => violations.push({ rule, subject, detail })
  const runs = new Map<string, Known>()
  let fence = 0

  const onClaim = (event: Extract<JournalEvent, { readonly type: "run.claimed" }>) => {
    const named = parseRunId(event.run)
    if (named?.skill !== event.skill || named.slotAtMs !== event.slot)
      broken("run.misnamed", event.run, `claimed for ${event.skill} at ${event.slot}`)
    if (event.fence <= fence) broken("run.fence", event.run, `fence ${event.fence} after ${fence}`)
    fence = Math.max(fence, event.fence)
    if (runs.has(event.run)) return broken("run.doubled", event.run, "claimed twice")
    return runs.set(event.run, { attempts: 0, executing: false, parked: false, settled: false })
  }

  for (const event of events) {
    if (event.type === "runtime.started") for (const run of runs.values()) run.executing = false
    if (event.type === "run.claimed") onClaim(event)
    if (!isOfRun(event)) continue
    const run = runs.get(event.run)
    if (run === undefined) {
      broken("run.unclaimed", event.run, event.type)
      continue
    }
    if (run.settled) {
      const again = event.type === "run.settled"
      broken(again ? "run.doubled" : "run.afterEnd", event.run, again ? "settled twice" : event.type)
      continue
    }
    switch (event.type) {
      case "attempt.started":
        if (event.attempt !== run.attempts + 1) broken("attempt.order", event.run, `attempt ${event.attempt} after ${run.attempts}`)
        if (run.parked) broken("run.unreleased", event.run, `attempt ${event.attempt}`)
        if (run.executing) broken("attempt.overlap", event.run, `attempt ${event.attempt} began during attempt ${run.attempts}`)
        run.attempts = event.attempt
        run.executing = true
        break
      case "attempt.adopted":
        if (event.attempt !== run.attempts) broken("attempt.order", event.run, `attempt ${event.attempt} adopted after ${run.attempts}`)
        if (run.executing) broken("attempt.overlap", event.run, `attempt ${event.attempt} adopted while it was under way`)
        run.executing = true
        break
      case "attempt.failed":
      case "run.parked":
        run.executing = false
        run.parked = event.type === "run.parked"
        break
      case "run.released":
        run.parked = false
        break
      case "run.settled":
        run.settled = true
        break
      default:
        break
    }
  }
  return violations
}

/** Runs that were claimed for slots not after `throughMs` and have no outcome. */
export const unfinishedRuns = (events: ReadonlyArray<JournalEvent>, throughMs: number): ReadonlyArray<string> => {
  const open = new Set<string>()
  for (const event of events) {
    if (event.type === "run.claimed" && event.slot <= throughMs) open.add(event.run)
    if (event.type === "run.settled") open.delete(event.run)
  }
  return [...open]
}

const ofRun = new Set([
  "attempt.started",
  "attempt.spawned",
  "attempt.adopted",
  "prompt.started",
  "step.started",
  "step.finished",
  "attempt.failed",
  "run.parked",
  "run.released",
  "run.settled"
] as const)
type OfRun = Extract<JournalEvent, { readonly type: typeof ofRun extends Set<infer Type> ? Type : never }>
const isOfRun = (event: JournalEvent): event is OfRun => (ofRun as ReadonlySet<string>).has(event.type)
