/**
 * Whether an attempt goes the way of the attempts before it, as far as that is on record.
 *
 * A step is known by its name alone. Where a skill was changed between two attempts, a step that was done may have got
 * another name, and would be done twice. So an attempt whose steps are not those on record goes no further: it is mismatched.
 */
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Latch from "effect/Latch"
import * as Option from "effect/Option"
import { Refused, shown } from "../domain/Errors.ts"
import type { RunRecord } from "../domain/Ledger.ts"

/**
 * How long, in milliseconds, a step that no attempt has begun before waits for the finished ones of earlier attempts to be asked
 * for. Parallel branches ask in any order, and replays take no time; a branch with this much of other work between two steps
 * is the one sound skill that can be parked, and is let go on by a release.
 */
export const historyPatienceMs = 5_000

export interface StepHistory {
  /** Returns when the step may begin; refuses with STEP_HISTORY_MISMATCH. */
  readonly admit: (step: string) => Effect.Effect<void, Refused>
  /** A step was finished: the attempt moves. */
  readonly moved: () => void
  /** Returns why the attempt does not fit, as soon as that is known. */
  readonly mismatch: Effect.Effect<string>
  /** Why an attempt that ends now does not fit; nothing when it does. One that did not succeed may yet come to the rest. */
  readonly verdict: (succeeded: boolean) => string | undefined
}

/**
 * The history that attempt `attempt` of this run has to follow: none for one that was parked and let go on by a person, and none
 * for one that was adopted, since what it has asked for under an earlier runtime is not on record.
 */
export const stepHistory = (run: RunRecord, attempt: number, adopted = false): StepHistory => {
  const binding = run.parked === undefined && !adopted ? [...run.steps] : []
  const known = new Set(binding.map(([step]) => step))
  const missing = new Set(binding.flatMap(([step, state]) => (state === "started" ? [] : [step])))
  const complete = Latch.makeUnsafe(missing.size === 0)
  const found = Deferred.makeUnsafe<string>()
  let reason: string | undefined
  let moves = 0

  /** Returns whether all of them are asked for, or the attempt has stood still for too long. */
  const rest = Effect.gen(function* () {
    for (;;) {
      const before = moves
      if (Option.isSome(yield* Effect.timeoutOption(complete.await, historyPatienceMs))) return true
      if (moves === before) return false
    }
  })

  const admit = Effect.fnUntraced(function* (step: string): Effect.fn.Return<void, Refused> {
    moves += 1
    if (missing.delete(step) && missing.size === 0) complete.openUnsafe()
    if (known.has(step) || (yield* rest)) return
    reason ??= `STEP_HISTORY_MISMATCH: attempt ${attempt} began ${step}, which is not on record, and not ${named(missing)}, which earlier attempts finished`
    yield* Deferred.succeed(found, reason)
    return yield* new Refused({
      code: "STEP_HISTORY_MISMATCH",
      where: `${run.run}/${step}`,
      got: "a step that is not on record",
      want: shown(`first ${named(missing)}, finished by earlier attempts`),
      fix: "give the steps their old names and release the run; or cancel it"
    })
  })

  return {
    admit,
    moved: () => {
      moves += 1
    },
    mismatch: Deferred.await(found),
    verdict: (succeeded) =>
      reason ??
      (succeeded && missing.size > 0
        ? `STEP_HISTORY_MISMATCH: attempt ${attempt} ended without ${named(missing)}, which earlier attempts finished`
        : undefined)
  }
}

/** The first three of them. */
const named = (steps: ReadonlySet<string>): string => {
  const names = [...steps]
  return names.length <= 3 ? names.join(", ") : `${names.slice(0, 3).join(", ")} and ${names.length - 3} more`
}
