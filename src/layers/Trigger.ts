/** Runs asked for by hand: who is refused and why, and the claim of who is not. */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import type { Actor } from "xstate"
import { nearest, Refused, shown, type StorageFailed } from "../domain/Errors.ts"
import { decideOverlap } from "../domain/policies/overlap.ts"
import { nameRule, type RunId, runId } from "../domain/Run.ts"
import type { SkillDefinition } from "../domain/Skill.ts"
import type { Gate, skillMachine } from "../machines/skill.ts"
import { Claims } from "./Claims.ts"
import { giveWay } from "./Overlap.ts"
import type { Process } from "./Process.ts"
import { fresh } from "./Run.ts"
import { StateStore } from "./StateStore.ts"

/** A skill that can be asked. */
export interface Triggerable {
  readonly definition: SkillDefinition
  readonly actor: Actor<typeof skillMachine>
  readonly gate: Gate
}

/**
 * Claims a run and hands it to the skill's actor; one call at a time for a skill. A key that was used before names the run it
 * made then. Refused with TRIGGER_KEY, SKILL_HELD (the mode does not let it fire) or RUN_OVERLAP.
 */
export const claimByHand = Effect.fnUntraced(function* (
  { definition, actor, gate }: Triggerable,
  key: string | undefined
): Effect.fn.Return<RunId, Refused | StorageFailed, StateStore | Claims | Process> {
  const store = yield* StateStore
  const skill = definition.name
  if (key !== undefined && !nameRule.test(key)) {
    const want = "lower case letters, digits and inner dashes, at most 64"
    return yield* refused("TRIGGER_KEY", "trigger key", shown(key), want, "choose another key")
  }
  const quarantined = store.ledger.skills.get(skill)?.quarantined
  if (quarantined !== undefined) return yield* asideSkill(skill, quarantined)
  const earlier = key === undefined ? undefined : madeBy(key, skill, store.ledger.runs.keys())
  if (earlier !== undefined) return earlier
  if (!gate.open && gate.claimed !== "start") return yield* heldSkill(skill, gate.reason)
  const overlap = decideOverlap(
    definition.overlap,
    actor.getSnapshot().context.runs.map(({ run }) => run)
  )
  if (overlap._tag === "Skip") {
    const want = `room for a run (overlap: ${definition.overlap})`
    return yield* refused("RUN_OVERLAP", skill, overlap.reason, want, "wait until it has settled")
  }
  const slotAtMs = yield* Clock.currentTimeMillis
  const run = runId({ skill, slotAtMs, manual: key ?? String(store.ledger.fence + 1) })
  const claim = yield* Claims.use((claims) => claims.claim({ run, skill, slotAtMs, digest: definition.digest, missed: 0 }))
  yield* store.append(claim)
  actor.send({ type: "run.claimed", run: fresh(run, definition) })
  yield* giveWay(overlap, run, (event) => actor.send(event))
  return run
})

/** Nobody is called that. */
export const unknownSkill = (given: string, known: Iterable<string>): Refused => {
  const near = nearest(given, known)
  const fix = near === undefined ? "`holdfast status` lists them" : `did you mean ${near}?`
  return refused("SKILL_UNKNOWN", "skill", shown(given), "the name of a loaded skill", fix)
}

/** It is known and has no actor: it was put aside, or is about to be started again. */
export const asideSkill = (skill: string, quarantined: string | undefined): Refused =>
  refused(
    "SKILL_ASIDE",
    skill,
    quarantined ?? "no actor at the moment",
    "a skill at work",
    "`holdfast skills release` lets it work again; `holdfast status` says how it stands"
  )

/** The mode does not let it fire. */
export const heldSkill = (skill: string, reason: string): Refused =>
  refused("SKILL_HELD", skill, reason, "a mode in which it fires", "wait until what it needs is back; `holdfast status` says")

/** It was not put aside, or is at work again. */
export const notAside = (skill: string): Refused =>
  refused(
    "SKILL_NOT_ASIDE",
    skill,
    "not put aside",
    "a skill that was put aside",
    "nothing is to be done; `holdfast status` says how it stands"
  )

const madeBy = (key: string, skill: string, runs: Iterable<RunId>): RunId | undefined => {
  for (const run of runs) if (run.startsWith(`${skill}@`) && run.endsWith(`+manual-${key}`)) return run
  return undefined
}

const refused = (code: string, where: string, got: string, want: string, fix: string) => new Refused({ code, where, got, want, fix })
