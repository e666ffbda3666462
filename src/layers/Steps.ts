/** Steps of one attempt: done once in a run, their results replayed. The journal has the intent before, the result after. */
import * as Effect from "effect/Effect"
import type { RunId } from "../domain/Run.ts"
import { Refused, shown, type StorageFailed } from "../domain/Errors.ts"
import type { AttemptEnd } from "../domain/Attempt.ts"
import { stepResultProblem } from "../domain/StepResult.ts"
import { StateStore } from "./StateStore.ts"
import { type StepHistory, stepHistory } from "./StepHistory.ts"

/** What an attempt is to do about a step: take the recorded result, or do it under this key. */
export type StepStart = { readonly _tag: "Replay"; readonly result: unknown } | { readonly _tag: "Execute"; readonly key: string }

/**
 * The steps of one attempt, over whatever carries the questions (a function's context, a child host's channel, the control
 * socket). `by` names an asker that may have to ask twice, since an answer can get lost on a socket: the same question by the
 * same asker gets the same answer, and changes nothing.
 */
export interface Steps {
  /** Once this returns `Execute`, the intent is durable. A step that is not on record as finished is executed. */
  readonly begin: (step: string, by?: string) => Effect.Effect<StepStart, StorageFailed | Refused>
  /** `result` is JSON; what is not is refused with its path. Once this returns, the step is never executed again in its run. */
  readonly finish: (step: string, result: unknown, by?: string) => Effect.Effect<void, StorageFailed | Refused>
  /** Its work came to nothing that is to be kept: this attempt may begin it again. */
  readonly abandon: (step: string, by?: string) => Effect.Effect<void>
  /** How often any of these was asked so far: where it grows, the attempt is alive. */
  readonly asked: () => number
}

/**
 * Does an attempt's work with its steps. The work is interrupted as soon as its steps are not those on record; how it ended says
 * so. What is asked for afterwards is refused with STEP_NOT_EXECUTING. An attempt that was `adopted` may finish what it began elsewhere.
 */
export const withSteps = Effect.fnUntraced(function* <E, R>(
  run: RunId,
  attempt: number,
  work: (steps: Steps) => Effect.Effect<AttemptEnd, E, R>,
  adopted = false
): Effect.fn.Return<AttemptEnd, E, R | StateStore> {
  const { ledger } = yield* StateStore
  const record = ledger.runs.get(run)
  if (record === undefined) return yield* Effect.die(new Error(`${run} was never claimed`))
  const history = stepHistory(record, attempt, adopted)
  const steps = yield* stepsOf(run, attempt, history, adopted)
  const left = Effect.map(history.mismatch, (reason): AttemptEnd => ({ _tag: "Mismatched", reason }))
  const end = yield* Effect.ensuring(Effect.raceFirst(work(steps), left), steps.close)
  const reason = history.verdict(end._tag === "Succeeded")
  return reason === undefined ? end : { _tag: "Mismatched", reason }
})

/** The steps of one attempt, and their end. */
interface AttemptSteps extends Steps {
  readonly close: Effect.Effect<void>
}

const stepsOf = Effect.fnUntraced(function* (
  run: RunId,
  attempt: number,
  history: StepHistory,
  adopted: boolean
): Effect.fn.Return<AttemptSteps, never, StateStore> {
  const store = yield* StateStore
  const begun = new Map<string, Begun>()
  let open = true
  let asked = 0

  const start = Effect.fnUntraced(function* (step: string): Effect.fn.Return<StepStart, StorageFailed | Refused> {
    yield* history.admit(step)
    const known = store.ledger.runs.get(run)?.steps.get(step)
    if (known !== undefined && known !== "started") return { _tag: "Replay", result: known.result }
    yield* store.append({ type: "step.started", run, attempt, step })
    return { _tag: "Execute", key: `${run}/${step}` }
  })

  /** A step that the attempt began under an earlier runtime. Who began it is not on record: whoever finishes it did. */
  const inherited = (step: string, by: string | undefined): Begun | undefined => {
    const known = adopted ? store.ledger.runs.get(run)?.steps.get(step) : undefined
    if (known === undefined) return undefined
    const start: StepStart = known === "started" ? { _tag: "Execute", key: `${run}/${step}` } : { _tag: "Replay", result: known.result }
    const mine: Begun = { by, started: Effect.succeed(start), finished: undefined }
    begun.set(step, mine)
    return mine
  }

  const begin = Effect.fnUntraced(function* (step: string, by?: string): Effect.fn.Return<StepStart, StorageFailed | Refused> {
    asked++
    if (!open) return yield* notExecuting(run, attempt)
    if (!stepRule.test(step)) {
      return yield* refused("STEP_NAME", run, step, "1 to 128 letters, digits, dots, dashes or underscores", "rename the step")
    }
    const started = yield* Effect.cached(start(step))
    const mine = begun.get(step) // From here to `set` nothing else can come in between.
    if (mine !== undefined && !isBy(mine, by)) {
      return yield* refused("STEP_DUPLICATE", run, step, "each step once in an attempt", "number steps made in a loop: post-1, post-2")
    }
    if (mine === undefined) begun.set(step, { by, started, finished: undefined })
    return yield* mine?.started ?? started
  })

  const finish = Effect.fnUntraced(function* (step: string, result: unknown, by?: string): Effect.fn.Return<void, StorageFailed | Refused> {
    asked++
    if (!open) return yield* notExecuting(run, attempt)
    const problem = stepResultProblem(result)
    if (problem !== undefined) return yield* refused(problem.code, `${run}/${step}`, problem.got, problem.want, problem.fix)
    const finished = yield* Effect.cached(store.append({ type: "step.finished", run, attempt, step, result: result ?? null }))
    const mine = begun.get(step) ?? inherited(step, by)
    if (mine === undefined || mine.by !== by || (mine.finished !== undefined && by === undefined)) {
      return yield* refused(
        "STEP_NOT_BEGUN",
        `${run}/${step}`,
        "a result",
        "a step that is under way",
        "begin a step, then finish it, once"
      )
    }
    if ((yield* mine.started)._tag === "Execute") yield* (mine.finished ??= finished)
    history.moved()
  })

  return {
    begin,
    finish,
    abandon: (step, by) =>
      Effect.sync(() => {
        asked++
        const mine = begun.get(step)
        if (mine?.by === by && mine?.finished === undefined) begun.delete(step)
      }),
    asked: () => asked,
    close: Effect.sync(() => {
      open = false
    })
  }
})

/** The refusal of a step of an attempt that is over, or never was. */
export const notExecuting = (run: string, attempt: number): Refused =>
  refused(
    "STEP_NOT_EXECUTING",
    shown(run),
    `attempt ${attempt}`,
    "the attempt that is under way now",
    "do nothing more: what is left of the run is tried again by itself, or is over"
  )

/** A step that this attempt has asked for: what comes of its beginning, and of its end once there is one. */
interface Begun {
  readonly by: string | undefined
  readonly started: Effect.Effect<StepStart, StorageFailed | Refused>
  finished: Effect.Effect<void, StorageFailed> | undefined
}

const isBy = (mine: Begun, by: string | undefined) => by !== undefined && mine.by === by

const stepRule = /^[A-Za-z0-9._-]{1,128}$/

const refused = (code: string, where: string, got: string, want: string, fix: string) =>
  new Refused({ code, where, got: shown(got), want, fix })
