/** How many prompts a day may have: each is on record before it is handed over, and those beyond the budget are refused. */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Semaphore from "effect/Semaphore"
import type { AttemptEnd, AttemptFacts } from "../domain/Attempt.ts"
import type { StorageFailed } from "../domain/Errors.ts"
import { decideBudget } from "../domain/policies/budget.ts"
import { iso } from "../domain/Run.ts"
import type { Work } from "../domain/Skill.ts"
import { failed } from "./SkillProcess.ts"
import { StateStore } from "./StateStore.ts"

/** Puts on record that an attempt hands its text over now; gives the attempt's end where a budget is used up. */
export type BeginPrompt = (
  work: Extract<Work, { readonly _tag: "Prompt" }>,
  facts: AttemptFacts
) => Effect.Effect<AttemptEnd | undefined, StorageFailed, StateStore>

/** One for each runtime: between the count and its record nobody else may count. */
export const makeBudget: Effect.Effect<BeginPrompt> = Effect.map(
  Semaphore.make(1),
  (turn): BeginPrompt =>
    (work, facts) =>
      turn.withPermit(begin(work, facts))
)

const begin: BeginPrompt = Effect.fnUntraced(function* ({ perDay }, { run, skill, attempt }) {
  const { append, ledger } = yield* StateStore
  const nowMs = yield* Clock.currentTimeMillis
  const all = () => [...ledger.skills.values()].flatMap(({ promptsAtMs }) => promptsAtMs)
  const own = () => ledger.skills.get(skill)?.promptsAtMs ?? []
  const spent = [
    { limit: perDay.all, begunAtMs: all, key: "agent.perDay" },
    { limit: perDay.own, begunAtMs: own, key: `perDay of ${skill}` }
  ].flatMap(({ limit, begunAtMs, key }) => {
    const nextAtMs = limit === undefined ? undefined : decideBudget({ begunAtMs: begunAtMs(), perDay: limit, nowMs })
    return nextAtMs === undefined ? [] : [{ key, limit, nextAtMs }]
  })
  const [last] = spent.sort((a, b) => b.nextAtMs - a.nextAtMs)
  if (last !== undefined) {
    const { key, limit, nextAtMs } = last
    const reason = `${key} is ${limit}, and that many have begun within 24 hours; the next may begin at ${iso(nextAtMs)}`
    return failed("PROMPT_BUDGET", reason, false)
  }
  // Counted before the command starts: a crash in the middle must not earn a free prompt.
  yield* append({ type: "prompt.started", run, skill, attempt })
  return undefined
})
