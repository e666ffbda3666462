/** What a settled run means for the standing of its skill: put aside, trusted again, or paused; in one batch with the outcome. */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type { FailureClass } from "../domain/Ending.ts"
import type { SkillRecord } from "../domain/Ledger.ts"
import type { Outcome } from "../domain/Outcome.ts"
import { recent, skillIntensity } from "../domain/policies/intensity.ts"
import { decideStanding } from "../domain/policies/quarantine.ts"
import type { SkillDefinition } from "../domain/Skill.ts"
import { asideReason, pausedReason } from "../domain/Wish.ts"
import type { Aside, SkillEvent } from "../machines/skill.ts"
import { type NewEvent, StateStore } from "./StateStore.ts"

/** Hears of a change once it is on record; whose skill it is knows the one who provides it. */
export class Standing extends Context.Reference<{
  readonly send: (event: Extract<SkillEvent, { readonly type: "skill.quarantined" | "skill.released" }>) => void
  readonly setPaused: (reason: string) => void
  /** A run of the skill has its outcome on record: others may be due for it. */
  readonly settled: () => void
  /** Returns as soon as work that was claimed may start: what the skill needs is there. */
  readonly mayStart: Effect.Effect<void>
}>("holdfast/layers/Standing", {
  defaultValue: () => ({ send: () => {}, setPaused: () => {}, settled: () => {}, mayStart: Effect.void })
}) {}

/** How a skill is put aside, as its record says it; nothing where it is not, or where only a person can release it. */
export const asideOf = (record: SkillRecord | undefined, nowMs: number): Aside | undefined =>
  record?.probe && {
    reason: `put aside: ${asideReason(record.quarantined ?? "", record.probe.atMs)}`,
    probeInMs: Math.max(0, record.probe.atMs - nowMs)
  }

/** The events that go with this outcome, and what tells the skill's actor of them afterwards. */
export const consequences = Effect.fnUntraced(function* (
  { name: skill, intensity = skillIntensity, pauseAfter }: SkillDefinition,
  outcome: Outcome,
  failure: FailureClass | undefined
): Effect.fn.Return<{ readonly events: ReadonlyArray<NewEvent>; readonly tell: Effect.Effect<void> }, never, StateStore> {
  const record = (yield* StateStore).ledger.skills.get(skill)
  const { send, setPaused, settled } = yield* Standing
  const tell = Effect.sync(settled)
  if (record === undefined) return { events: [], tell }
  if (failure === "link") return { events: [], tell }
  const nowMs = yield* Clock.currentTimeMillis
  const inARow = Math.min(record.failures, record.failedAtMs.length) + 1
  if (outcome === "failed" && pauseAfter !== undefined && inARow >= pauseAfter && record.paused === undefined) {
    const wish = { by: "holdfast", why: `${pauseAfter} runs in a row failed` }
    return {
      events: [{ type: "skill.paused", skill, ...wish }],
      tell: Effect.andThen(
        Effect.sync(() => setPaused(pausedReason(wish))),
        tell
      )
    }
  }
  const standing = decideStanding({
    outcome,
    failures: recent(record.failedAtMs, nowMs, intensity).length + 1,
    failuresMax: intensity.failuresMax,
    probes: record.probe?.failed
  })
  switch (standing._tag) {
    case "Unchanged":
      return { events: [], tell }
    case "Trusted":
      return {
        events: [{ type: "skill.released", skill, by: "its probe, which succeeded" }],
        tell: Effect.andThen(
          Effect.sync(() => send({ type: "skill.released" })),
          tell
        )
      }
    case "Aside": {
      const { probeInMs, probes } = standing
      const why = probes === 0 ? `its runs keep failing` : `its probe failed, the ${probes}. time`
      const probeAtMs = nowMs + probeInMs
      return {
        events: [{ type: "skill.quarantined", skill, why, probeAtMs, probes }],
        tell: Effect.andThen(
          Effect.sync(() => send({ type: "skill.quarantined", reason: `put aside: ${asideReason(why, probeAtMs)}`, probeInMs })),
          tell
        )
      }
    }
  }
})
