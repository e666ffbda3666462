/** What the skill's code is given, made from the environment and the pipe. */
import { readFile } from "node:fs/promises"
import { env } from "node:process"
import type { History, SkillContext } from "../domain/SkillContext.ts"
import { ask, StepRefused } from "./pipe.ts"

/** Asks the skill to stop. `heard` is whether its code ever looked at the signal. */
class Stopping extends AbortController {
  heard = false
}
export const stopping = new Stopping()

export const context: SkillContext = {
  run: env["HOLDFAST_RUN_ID"]!,
  skill: env["HOLDFAST_SKILL"]!,
  slot: new Date(env["HOLDFAST_SLOT"]!),
  attempt: Number(env["HOLDFAST_ATTEMPT"]),
  missed: Number(env["HOLDFAST_MISSED"]),
  fence: Number(env["HOLDFAST_FENCE"]),
  idempotencyKey: env["HOLDFAST_IDEMPOTENCY_KEY"]!,
  directory: env["HOLDFAST_RUN_DIRECTORY"]!,
  /** Code that never looks at the signal is stopped by TERM itself: nobody there would listen. */
  get signal() {
    if (!stopping.heard) {
      stopping.heard = true
      process.once("SIGTERM", () => stopping.abort(new Error("asked to stop")))
    }
    return stopping.signal
  },
  step: async <A>(step: string, work: (step: { readonly key: string; readonly attempt: number }) => A | Promise<A>): Promise<A> => {
    stopping.signal.throwIfAborted()
    const start = (await ask({ type: "step.begin", step })) as Start
    if (start._tag === "Replay") return start.result as A
    const result = await work({ key: start.key, attempt: context.attempt })
    await ask({ type: "step.finish", step, result: checked(step, result) })
    return result
  },
  history: async () => {
    try {
      const { session, readAt, messages } = JSON.parse(await readFile(env["HOLDFAST_HISTORY"]!, "utf8")) as Omit<History, "ageMs">
      return { session, readAt, ageMs: Math.max(0, Date.now() - Date.parse(readAt)), messages: [...messages] }
    } catch {
      return undefined // None was ever read, or the file is not ours: both mean no history.
    }
  }
}

type Start = { readonly _tag: "Replay"; readonly result: unknown } | { readonly _tag: "Execute"; readonly key: string }

/** What JSON would drop or change is refused here, where its type is still known: the runtime sees only what came through. */
const checked = (step: string, result: unknown): unknown => {
  const strange = notJson(result, "result")
  if (strange !== undefined) throw new StepRefused("STEP_RESULT", `STEP_RESULT at ${step}: got ${strange}, want a JSON value`)
  const bytes = Buffer.byteLength(JSON.stringify(result ?? null))
  if (bytes > resultBytesMax)
    throw new StepRefused("STEP_RESULT_TOO_LARGE", `STEP_RESULT_TOO_LARGE at ${step}: got ${bytes} bytes, want at most ${resultBytesMax}`)
  return result ?? null
}
const resultBytesMax = 1_048_576

const notJson = (value: unknown, path: string): string | undefined => {
  if (value === null || value === undefined || typeof value === "string" || typeof value === "boolean") return undefined
  if (typeof value === "number") return Number.isFinite(value) ? undefined : `${path}: ${value}`
  if (typeof value !== "object") return `${path}: a ${typeof value}`
  if (!Array.isArray(value) && ![Object.prototype, null].includes(Object.getPrototypeOf(value)))
    return `${path}: a ${value.constructor?.name}`
  for (const [key, item] of Object.entries(value)) {
    const found = notJson(item, `${path}.${key}`)
    if (found !== undefined) return found
  }
  return undefined
}
