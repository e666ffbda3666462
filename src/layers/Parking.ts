/** Runs that wait for a person: who is refused and why, and how one goes on or ends. */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import { nearest, Refused, shown, type StorageFailed } from "../domain/Errors.ts"
import type { RunRecord } from "../domain/Ledger.ts"
import type { RunId } from "../domain/Run.ts"
import { resume, Run } from "./Run.ts"
import { StateStore } from "./StateStore.ts"
import type { Triggerable } from "./Trigger.ts"

/** The record of a parked run. Refused with RUN_UNKNOWN or RUN_NOT_PARKED. */
export const parkedRun = Effect.fnUntraced(function* (run: RunId): Effect.fn.Return<RunRecord, Refused, StateStore> {
  const { ledger } = yield* StateStore
  const record = ledger.runs.get(run)
  if (record?.phase === "parked") return record
  const parked = ledger.unsettled().flatMap(({ phase, run }) => (phase === "parked" ? [run] : []))
  const near = nearest(run, parked)
  return yield* new Refused({
    code: record === undefined ? "RUN_UNKNOWN" : "RUN_NOT_PARKED",
    where: "run",
    got: record === undefined ? shown(run) : `${run} is ${record.phase}`,
    want: "a run that is parked",
    fix:
      near !== undefined
        ? `did you mean ${near}?`
        : parked.length === 0
          ? "no run is parked: there is nothing to do"
          : `parked: ${parked.join(", ")}`
  })
})

/** Hands the run back to its skill's actor, behind whatever that has to do; once this returns the release is on record. */
export const releaseParked = Effect.fnUntraced(function* (
  { actor, definition }: Triggerable,
  run: RunId,
  by: string
): Effect.fn.Return<void, Refused | StorageFailed, StateStore> {
  const record = yield* parkedRun(run)
  yield* StateStore.use((store) => store.append({ type: "run.released", run, by }))
  actor.send({ type: "run.claimed", run: resume(record, definition, yield* Clock.currentTimeMillis) })
})

/** Settles the run as cancelled; the session is told as of any other end. */
export const cancelParked = Effect.fnUntraced(function* (
  { definition }: Triggerable,
  run: RunId,
  by: string
): Effect.fn.Return<void, Refused | StorageFailed, StateStore | Run> {
  yield* parkedRun(run)
  yield* Run.use((runs) => runs.cancelParked(definition, run, by))
})
