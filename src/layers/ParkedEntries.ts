/** Parked reports, which wait for a person: sent again or given up, with who asked on record. */
import * as Effect from "effect/Effect"
import { nearest, Refused, shown, type StorageFailed } from "../domain/Errors.ts"
import type { RunId } from "../domain/Run.ts"
import { StateStore } from "./StateStore.ts"

/**
 * Puts a parked report back at the end of the outbox, or all of them with no `run`; gives those that were. One that had been
 * sent is looked up before it is sent again. Refused with ENTRY_NOT_PARKED, or ENTRY_GONE where only its reason is still known.
 */
export const redriveEntries = Effect.fn("ParkedEntries.redrive")(function* (
  run: RunId | undefined,
  by: string
): Effect.fn.Return<ReadonlyArray<RunId>, Refused | StorageFailed, StateStore> {
  const { ledger, append } = yield* StateStore
  if (run !== undefined) yield* parked(run)
  const found = (run === undefined ? [...ledger.parked.keys()] : [run]).filter((one) => ledger.parkedEntry(one) !== undefined)
  if (run !== undefined && found.length === 0) return yield* gone(run)
  if (found.length > 0) yield* append(...found.map((one) => ({ type: "entry.redriven", run: one, by }) as const))
  return found
})

/** Gives a parked report up. Refused with ENTRY_NOT_PARKED. */
export const dropEntry = Effect.fn("ParkedEntries.drop")(function* (
  run: RunId,
  by: string
): Effect.fn.Return<void, Refused | StorageFailed, StateStore> {
  const { append } = yield* StateStore
  yield* parked(run)
  yield* append({ type: "entry.dropped", run, by })
})

const parked = Effect.fnUntraced(function* (run: RunId): Effect.fn.Return<void, Refused, StateStore> {
  const { ledger } = yield* StateStore
  if (ledger.parked.has(run)) return
  const near = nearest(run, ledger.parked.keys())
  return yield* new Refused({
    code: "ENTRY_NOT_PARKED",
    where: "outbox",
    got: `${shown(run)}${ledger.outbox.has(run) ? ", which waits to be sent" : ""}`,
    want: "the run of a report that is parked",
    fix: near === undefined ? "holdfast outbox lists them" : `did you mean ${near}?`
  })
})

const gone = (run: RunId) =>
  new Refused({
    code: "ENTRY_GONE",
    where: "outbox",
    got: `${run}, parked by an older version; what it said is not known any more`,
    want: "a report whose text is on record",
    fix: `read runs/${run}/ in the state directory, then holdfast outbox drop ${run}`
  })
