/**
 * Skills that a person has paused: who is refused and why, and what a pause does to slots.
 *
 * A pause is about the schedule. Slots that are owed and not yet claimed when it begins, and those that fall due in it, are
 * skipped with who paused and why; none is made good later. A run under way goes on, and runs can be asked for by hand.
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import type { Actor } from "xstate"
import { Refused, type StorageFailed } from "../domain/Errors.ts"
import { withHistory } from "../domain/Ledger.ts"
import { slotsBetween } from "../domain/Schedule.ts"
import type { SkillDefinition } from "../domain/Skill.ts"
import { pausedReason, type Wish } from "../domain/Wish.ts"
import type { skillMachine } from "../machines/skill.ts"
import { type NewEvent, StateStore } from "./StateStore.ts"
import { asideSkill } from "./Trigger.ts"

/** A skill that can be paused. */
export interface Pausable {
  readonly definition: SkillDefinition
  readonly actor: Actor<typeof skillMachine>
  /** Closes the gate for slots, with this reason, or leaves it to the mode. */
  readonly setPaused: (reason: string | undefined) => void
}

/** Pauses it; one that is paused gets the new words. Refused with PAUSE_WHY, or SKILL_ASIDE where its actor has just crashed. */
export const pauseSkill = Effect.fnUntraced(function* (
  { definition, actor, setPaused }: Pausable,
  { by, why }: Wish
): Effect.fn.Return<void, Refused | StorageFailed, StateStore> {
  const store = yield* StateStore
  const skill = definition.name
  if (why.length > whyMax) {
    const got = `${why.length} characters`
    return yield* new Refused({ code: "PAUSE_WHY", where: skill, got, want: `at most ${whyMax}`, fix: "say it in fewer words" })
  }
  const before = store.ledger.skills.get(skill)?.paused
  setPaused(pausedReason({ by, why }))
  yield* decided(actor) // With the gate closed no decision begins, and one that has begun may claim what we would skip.
  yield* appendWith(definition, before ?? { by, why }, { type: "skill.paused", skill, by, why })
})

/** Ends the pause: the next slot is the first one again. Refused with SKILL_NOT_PAUSED. */
export const resumeSkill = Effect.fnUntraced(function* (
  { definition, setPaused }: Pausable,
  { by, why }: Wish
): Effect.fn.Return<void, Refused | StorageFailed, StateStore> {
  const store = yield* StateStore
  const skill = definition.name
  const paused = store.ledger.skills.get(skill)?.paused
  if (paused === undefined) {
    const fix = "nothing is to be done"
    return yield* new Refused({ code: "SKILL_NOT_PAUSED", where: skill, got: "not paused", want: "a skill that is paused", fix })
  }
  yield* appendWith(definition, paused, { type: "skill.resumed", skill, by, why })
  setPaused(undefined)
})

/** The longest reason, in characters. */
export const whyMax = 500

/** The event, and before it in the same batch the slots that the pause has cost until now. */
const appendWith = Effect.fnUntraced(function* (
  { name: skill, schedule }: SkillDefinition,
  paused: Wish,
  event: NewEvent
): Effect.fn.Return<void, StorageFailed, StateStore> {
  const store = yield* StateStore
  const record = store.ledger.skills.get(skill)
  const { count, firstMs, lastMs } =
    schedule === undefined || record === undefined
      ? { count: 0, firstMs: undefined, lastMs: undefined }
      : slotsBetween(withHistory(schedule, record), record.settledThroughMs, yield* Clock.currentTimeMillis)
  const skipped: ReadonlyArray<NewEvent> =
    firstMs === undefined || lastMs === undefined
      ? []
      : [{ type: "slot.settled", skill, slot: firstMs, through: lastMs, count, verdict: "skipped", reason: pausedReason(paused) }]
  yield* store.append(...skipped, event)
})

/** Returns once the skill decides over no slots. */
const decided = (actor: Actor<typeof skillMachine>): Effect.Effect<void, Refused> =>
  Effect.callback((resume) => {
    const look = () => {
      const { status, value, context } = actor.getSnapshot()
      if (status !== "active") resume(Effect.fail(asideSkill(context.name, undefined)))
      else if (value.slots !== "deciding") resume(Effect.void)
    }
    const watching = actor.subscribe({ next: look, error: look, complete: look })
    look()
    return Effect.sync(() => watching.unsubscribe())
  })
