/** What people ask of skills: who answers, one wish after another, and what is put on record for them. */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Semaphore from "effect/Semaphore"
import type { Refused, StateUnusable, StorageFailed } from "../domain/Errors.ts"
import type { RunId } from "../domain/Run.ts"
import type { Wish } from "../domain/Wish.ts"
import { type Backfilled, claimPast, type Past } from "./Backfill.ts"
import type { Claims } from "./Claims.ts"
import type { Disk } from "./Disk.ts"
import { cancelParkedRun, cancelRun, parkedRun, releaseParked, unsettledRun } from "./Parking.ts"
import { type Pausable, pauseSkill, resumeSkill } from "./Pausing.ts"
import type { Process } from "./Process.ts"
import type { Run } from "./Run.ts"
import { StateStore } from "./StateStore.ts"
import { asideSkill, claimByHand, notAside, type Triggerable, unknownSkill } from "./Trigger.ts"

/** The wishes that are granted, or refused with SKILL_UNKNOWN, SKILL_ASIDE, or a reason of their own. Each returns once it is on record. */
export interface ByHand {
  /** Claims a run by hand. The same key names the same run, so asking twice runs it once. */
  readonly trigger: (skill: string, key?: string) => Effect.Effect<RunId, Refused | StorageFailed>
  /** Claims runs for slots of the past that got none. Asking twice makes no second run. */
  readonly backfill: (skill: string, past: Past, wish: Wish) => Effect.Effect<Backfilled, Refused | StateUnusable | StorageFailed>
  /** Keeps a skill's slots from becoming runs, or ends that. */
  readonly pause: (skill: string, wish: Wish) => Effect.Effect<void, Refused | StorageFailed>
  readonly resume: (skill: string, wish: Wish) => Effect.Effect<void, Refused | StorageFailed>
  /** Lets a skill that was put aside work again: it does what it owes by its catch-up policy. Refused with SKILL_NOT_ASIDE. */
  readonly release: (skill: string, by: string) => Effect.Effect<void, Refused | StorageFailed>
  /** Lets a parked run be tried again, also with steps that are not on record. */
  readonly releaseRun: (run: RunId, by: string) => Effect.Effect<void, Refused | StorageFailed>
  /** Ends a run, or keeps it from starting, and settles it as cancelled. */
  readonly cancelRun: (run: RunId, by: string) => Effect.Effect<void, Refused | StorageFailed>
}

/** A skill that has an actor. */
export interface Askable extends Triggerable, Pausable {
  /** Held while a wish is put on record. */
  readonly wishes: Semaphore.Semaphore
}

/** Every skill there is, with those that have an actor, and who starts one that was released. */
export interface Household {
  readonly known: { readonly has: (skill: string) => boolean; readonly keys: () => Iterable<string> }
  readonly children: ReadonlyMap<string, Askable>
  readonly released: (skill: string) => void
  /** Hears that a run of this skill was settled without its actor. */
  readonly settled: (skill: string) => void
}

type Hands = StateStore | Disk | Process | Run | Claims

export const byHand = Effect.fnUntraced(function* ({
  known,
  children,
  released,
  settled
}: Household): Effect.fn.Return<ByHand, never, Hands> {
  const hands = yield* Effect.context<Hands>()
  const { ledger, append } = Context.get(hands, StateStore)
  const releasing = Semaphore.makeUnsafe(1) // One after another: two starts would give a skill two actors.

  /**
   * One after another: the answer to one depends on what the one before has put on record. And in a fiber of its own: who
   * asked may stop waiting, and what is on record must still reach the actor.
   */
  const ask = Effect.fnUntraced(function* <A, E>(skill: string, work: (child: Askable) => Effect.Effect<A, E, Hands>) {
    const child = yield* childOf(skill)
    // Looked up again: a reload may have ended it while the wish waited.
    const done = child.wishes.withPermit(Effect.flatMap(childOf(skill), (now) => Effect.provideContext(work(now), hands)))
    return yield* Effect.flatMap(Effect.forkDetach(done), Fiber.join)
  })
  const childOf = Effect.fnUntraced(function* (skill: string) {
    if (!known.has(skill)) return yield* unknownSkill(skill, known.keys())
    return children.get(skill) ?? (yield* asideSkill(skill, ledger.skills.get(skill)?.quarantined))
  })
  const parked = (run: RunId) => Effect.provideContext(parkedRun(run), hands)
  const unsettled = (run: RunId) => Effect.provideContext(unsettledRun(run), hands)

  return {
    trigger: Effect.fn("Supervisor.trigger")((skill, key) => ask(skill, (child) => claimByHand(child, key))),
    backfill: Effect.fn("Supervisor.backfill")((skill, past, wish) => ask(skill, (child) => claimPast(child, past, wish))),
    pause: Effect.fn("Supervisor.pause")((skill, wish) => ask(skill, (child) => pauseSkill(child, wish))),
    resume: Effect.fn("Supervisor.resume")((skill, wish) => ask(skill, (child) => resumeSkill(child, wish))),
    release: Effect.fn("Supervisor.release")(
      function* (skill: string, by: string) {
        if (!known.has(skill)) return yield* unknownSkill(skill, known.keys())
        if (ledger.skills.get(skill)?.quarantined === undefined) return yield* notAside(skill)
        yield* append({ type: "skill.released", skill, by })
        const child = children.get(skill)
        if (child === undefined) released(skill)
        else child.actor.send({ type: "skill.released" })
      },
      (effect) => Effect.uninterruptible(releasing.withPermit(effect))
    ),
    releaseRun: Effect.fn("Supervisor.releaseRun")((run, by) =>
      Effect.flatMap(parked(run), ({ skill }) => ask(skill, (child) => releaseParked(child, run, by)))
    ),
    cancelRun: Effect.fn("Supervisor.cancelRun")(function* (run, by) {
      const { skill, phase } = yield* unsettled(run)
      if (phase === "parked") {
        yield* ask(skill, (child) => cancelParkedRun(child, run, by))
        return settled(skill)
      }
      const child = yield* childOf(skill) // No wish waits meanwhile: a grace may take an hour.
      return yield* Effect.provideContext(cancelRun(child, run, by), hands)
    })
  }
})
