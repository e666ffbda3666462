/** Steps of one run: done once, their results replayed. The journal has the result before the next step can begin. */
import * as Effect from "effect/Effect"
import type { RunId } from "../domain/Run.ts"
import { Refused, shown, type StorageFailed } from "../domain/Errors.ts"
import { StateStore } from "./StateStore.ts"

/** What an attempt is to do about a step: take the recorded result, or do it under this key. */
export type StepStart = { readonly _tag: "Replay"; readonly result: unknown } | { readonly _tag: "Execute"; readonly key: string }

/** The steps of one attempt, over whatever carries the questions (a function's context, a child host's channel). */
export interface Steps {
  readonly begin: (step: string) => Effect.Effect<StepStart, StorageFailed | Refused>
  /** `result` is JSON; what is not is refused with its path. */
  readonly finish: (step: string, result: unknown) => Effect.Effect<void, StorageFailed | Refused>
}

/** The longest result of a step, in bytes of JSON. */
export const stepResultMax = 1_048_576

export const stepsOf = Effect.fnUntraced(function* (run: RunId, attempt: number): Effect.fn.Return<Steps, never, StateStore> {
  const store = yield* StateStore
  const begun = new Set<string>()

  const begin = Effect.fnUntraced(function* (step: string): Effect.fn.Return<StepStart, StorageFailed | Refused> {
    if (!stepRule.test(step)) {
      return yield* refused("STEP_NAME", run, step, "1 to 128 letters, digits, dots, dashes or underscores", "rename the step")
    }
    if (begun.has(step)) {
      return yield* refused("STEP_DUPLICATE", run, step, "each step once in an attempt", "number steps made in a loop: post-1, post-2")
    }
    begun.add(step)
    const known = store.ledger.runs.get(run)?.steps.get(step)
    if (known !== undefined && known !== "started") return { _tag: "Replay", result: known.result }
    yield* store.append({ type: "step.started", run, attempt, step })
    return { _tag: "Execute", key: `${run}/${step}` }
  })

  const finish = Effect.fnUntraced(function* (step: string, result: unknown): Effect.fn.Return<void, StorageFailed | Refused> {
    const strange = notJson(result, step)
    if (strange !== undefined) {
      return yield* refused("STEP_RESULT", `${run}/${step}`, strange, "a JSON value", "return plain data from the step")
    }
    if (Buffer.byteLength(JSON.stringify(result ?? null)) > stepResultMax) {
      return yield* refused(
        "STEP_RESULT_TOO_LARGE",
        `${run}/${step}`,
        "more",
        `at most ${stepResultMax} bytes`,
        "write a file and return its path"
      )
    }
    yield* store.append({ type: "step.finished", run, attempt, step, result: result ?? null })
  })

  return { begin, finish }
})

const stepRule = /^[A-Za-z0-9._-]{1,128}$/

const refused = (code: string, where: string, got: string, want: string, fix: string) =>
  new Refused({ code, where, got: shown(got), want, fix })

/** The path and kind of the first part that JSON would drop or change; nothing when the value survives as it is. */
const notJson = (value: unknown, path: string): string | undefined => {
  if (value === null || value === undefined || typeof value === "string" || typeof value === "boolean") return undefined
  if (typeof value === "number") return Number.isFinite(value) ? undefined : `${path}: ${value}`
  if (typeof value !== "object") return `${path}: a ${typeof value}`
  if (Array.isArray(value)) {
    return value
      .map((item, i) => (item === undefined ? `${path}[${i}]: undefined` : notJson(item, `${path}[${i}]`)))
      .find((found) => found !== undefined)
  }
  const prototype: unknown = Object.getPrototypeOf(value)
  if (prototype !== Object.prototype && prototype !== null) return `${path}: a ${value.constructor?.name ?? "class instance"}`
  return Object.entries(value)
    .map(([key, item]) => notJson(item, `${path}.${key}`))
    .find((found) => found !== undefined)
}
