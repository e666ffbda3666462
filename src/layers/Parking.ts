/** Runs that a person lets go on or ends: who is refused and why. */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Stream from "effect/Stream"
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

/** The record of a run that has no outcome. Refused with RUN_UNKNOWN or RUN_SETTLED. */
export const unsettledRun = Effect.fnUntraced(function* (run: RunId): Effect.fn.Return<RunRecord, Refused, StateStore> {
  const { ledger } = yield* StateStore
  const record = ledger.runs.get(run)
  if (record !== undefined && record.phase !== "settled") return record
  const near = nearest(
    run,
    ledger.unsettled().map((one) => one.run)
  )
  return yield* new Refused({
    code: record === undefined ? "RUN_UNKNOWN" : "RUN_SETTLED",
    where: "run",
    got: record === undefined ? shown(run) : `${run} has ended: ${record.settled?.outcome}`,
    want: "a run that has no outcome yet",
    fix: near !== undefined ? `did you mean ${near}?` : "nothing is to be done; `holdfast runs` lists them"
  })
})

/** Settles a parked run as cancelled; the session is told as of any other end. */
export const cancelParkedRun = Effect.fnUntraced(function* (
  { definition }: Triggerable,
  run: RunId,
  by: string
): Effect.fn.Return<void, Refused | StorageFailed, StateStore | Run> {
  yield* parkedRun(run)
  yield* Run.use((runs) => runs.cancelParked(definition, run, by))
})

/**
 * Has any other run settled as cancelled. What an attempt under way has started gets its grace; the answer comes when that is gone.
 * Refused with RUN_SETTLED where its own end was quicker, and with RUN_NOT_ENDED where it takes longer than the grace.
 */
export const cancelRun = Effect.fnUntraced(function* (
  { actor, definition }: Triggerable,
  run: RunId,
  by: string
): Effect.fn.Return<void, Refused, StateStore> {
  const { events, ledger } = yield* StateStore
  const end = events.pipe(
    Stream.filter((event) => event.type === "run.settled" && event.run === run),
    Stream.runHead
  )
  yield* Effect.scoped(
    Effect.gen(function* () {
      const waiting = yield* Effect.forkScoped(end, { startImmediately: true })
      actor.send({ type: "run.cancel", run, by })
      yield* Effect.timeoutOption(Fiber.join(waiting), definition.graceMs + endedWithinMs)
    })
  )
  if (ledger.runs.get(run)?.settled?.outcome === "cancelled") return
  yield* unsettledRun(run)
  const want = `its end within ${(definition.graceMs + endedWithinMs) / 1_000} s`
  return yield* new Refused({
    code: "RUN_NOT_ENDED",
    where: "run",
    got: `${run} is being cancelled`,
    want,
    fix: "look again: holdfast runs"
  })
})

/** How long the end of a run may take beyond its grace: KILL has five seconds, and the disk the rest. */
const endedWithinMs = 10_000
