/** Steps as a journal would keep them, in memory: what is finished is replayed in every later attempt. */
import * as Effect from "effect/Effect"
import { Refused } from "../../src/domain/Errors.ts"
import type { Steps } from "../../src/layers/Steps.ts"

export const remembered = (run = "probe@20261122T060000Z") => {
  const results = new Map<string, unknown>()
  return {
    results,
    attempt: (): Steps => {
      const begun = new Set<string>()
      return {
        begin: (step) => {
          if (begun.has(step))
            return Effect.fail(new Refused({ code: "STEP_DUPLICATE", where: run, got: step, want: "each once", fix: "number them" }))
          begun.add(step)
          return Effect.succeed(
            results.has(step) ? { _tag: "Replay", result: results.get(step) } : { _tag: "Execute", key: `${run}/${step}` }
          )
        },
        finish: (step, result) =>
          Effect.sync(() => {
            results.set(step, result)
          }),
        abandon: (step) =>
          Effect.sync(() => {
            begun.delete(step)
          }),
        asked: () => begun.size
      }
    }
  }
}
