/** What the skill's code is given, made from the environment and the pipe. */
import { readFile } from "node:fs/promises"
import { env } from "node:process"
import type { History, Injected, SessionMessage, SkillContext } from "../domain/SkillContext.ts"
import { stepResultProblem } from "../domain/StepResult.ts"
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
    let result: A
    try {
      result = await work({ key: start.key, attempt: context.attempt })
    } catch (error) {
      await ask({ type: "step.abandon", step })
      throw error
    }
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
  },
  session: {
    history: (options = {}) => asking<ReadonlyArray<SessionMessage>>({ type: "session.history", with: { ...options } }),
    inject: (text, options = {}) => asking<Injected>({ type: "session.inject", with: { ...options, text } })
  },
  gateway: { invoke: (tool, args = {}, options = {}) => asking<unknown>({ type: "gateway.invoke", with: { ...options, tool, args } }) }
}

/** Asked of the runtime: it has the connection and the token, and this process has neither. */
const asking = async <A>(question: object): Promise<A> => (await ask(question)) as A

type Start = { readonly _tag: "Replay"; readonly result: unknown } | { readonly _tag: "Execute"; readonly key: string }

/** Checked here, where the types are still known: the runtime sees only what came through the pipe. */
const checked = (step: string, result: unknown): unknown => {
  const problem = stepResultProblem(result)
  if (problem !== undefined) {
    const { code, got, want, fix } = problem
    throw new StepRefused(code, `${code} at ${context.run}/${step}: got ${got}, want ${want}; ${fix}`)
  }
  return result ?? null
}
