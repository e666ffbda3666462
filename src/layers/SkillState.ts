/** How a skill is doing, in a word and a reason: for the status, from what its actor and its record say. */
import type { ActorRefFrom, SnapshotFrom } from "xstate"
import type { SkillRecord } from "../domain/Ledger.ts"
import type { RunId } from "../domain/Run.ts"
import { asideReason } from "../domain/Wish.ts"
import type { runMachine } from "../machines/run.ts"
import { runUnderWay, type skillMachine } from "../machines/skill.ts"

export interface SkillState {
  readonly name: string
  /**
   * `held`: a slot, or every run, waits for the mode. `postponed`: it waits for hours, a pace or its turn of the skill's own. `queued`: every
   * run waits for a place in a pool.
   */
  readonly state: "waiting" | "held" | "postponed" | "paused" | "queued" | "executing" | "quarantined"
  /** Why it is held, postponed, paused or quarantined. */
  readonly reason: string | undefined
  readonly run: RunId | undefined
  readonly nextDueAtMs: number | undefined
}

type Snapshot = SnapshotFrom<typeof skillMachine>

/** Its state; the first that holds. `paused` is the reason of a pause, `snapshot` nothing while it has no actor. */
export const skillState = (
  record: SkillRecord | undefined,
  paused: string | undefined,
  snapshot: Snapshot | undefined
): Pick<SkillState, "state" | "reason" | "run"> => {
  const run = snapshot && runUnderWay(snapshot.context)
  const inState = (state: SkillState["state"], reason?: string) => ({ state, reason, run })
  if (record?.quarantined !== undefined) return inState("quarantined", asideReason(record.quarantined, record.probe?.atMs))
  if (snapshot?.matches({ work: "executing" }) === true) {
    const { gate } = snapshot.context
    if (all(snapshot, "linking") && !gate.open) return inState("held", gate.reason)
    return inState(all(snapshot, "queued") ? "queued" : "executing", paused)
  }
  if (paused !== undefined) return inState("paused", paused)
  if (snapshot?.matches({ slots: "postponed" }) === true) return inState("postponed", snapshot.context.heldFor)
  if (snapshot?.matches({ slots: "held" }) === true && !snapshot.context.gate.open) return inState("held", snapshot.context.gate.reason)
  return inState("waiting")
}

/** Whether each run that has started waits in this state. */
const all = ({ context: { started }, children }: Snapshot, state: "queued" | "linking"): boolean =>
  started.every((run) => (children[run] as ActorRefFrom<typeof runMachine> | undefined)?.getSnapshot().matches(state) === true)
