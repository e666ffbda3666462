/** Ends a run that has to give way to another one of its skill. */
import * as Effect from "effect/Effect"
import { join } from "node:path"
import type { OverlapDecision } from "../domain/policies/overlap.ts"
import type { SkillEvent } from "../machines/skill.ts"
import { Process } from "./Process.ts"
import { StateStore } from "./StateStore.ts"

/**
 * Tells the skill's actor to cancel the run that the decision names, in favour of `successor`; nothing where it names none. What
 * it has started gets its grace, or is ended at once. Call it when the successor is on record.
 */
export const giveWay = Effect.fnUntraced(function* (
  decision: OverlapDecision,
  successor: string,
  send: (event: Extract<SkillEvent, { readonly type: "run.cancel" }>) => void
): Effect.fn.Return<void, never, StateStore | Process> {
  if (decision._tag !== "Replace") return
  const { run, grace } = decision
  send({ type: "run.cancel", run, by: `${successor} (overlap)` })
  if (grace) return
  const { directory, ledger } = yield* StateStore
  const processes = yield* Process
  yield* processes.terminate({ directory: join(directory, "runs", run), process: ledger.runs.get(run)?.process })
})
