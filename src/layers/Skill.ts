/** Gives the skill machine its hands: every slot owed is decided in one batch, and the next one is armed. */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type { StorageFailed } from "../domain/Errors.ts"
import { runId } from "../domain/Run.ts"
import { next, slotsBetween } from "../domain/Schedule.ts"
import { catchUpMax, missedAfterMs } from "../domain/Skill.ts"
import { decideCatchUp, type SlotRange } from "../domain/policies/catchUp.ts"
import { decideOverlap } from "../domain/policies/overlap.ts"
import type { Verdict } from "../domain/Outcome.ts"
import { type Cause, type RunInput, type SkillEvent, skillMachine } from "../machines/skill.ts"
import { type ActorArgs, fromEffect, fromListener, plug } from "./actor.ts"
import { Claims } from "./Claims.ts"
import { giveWay } from "./Overlap.ts"
import type { Process } from "./Process.ts"
import { fresh, Run } from "./Run.ts"
import { Scheduler } from "./Scheduler.ts"
import { Entry, type SkillEntry } from "./SkillFunction.ts"
import { type NewEvent, StateStore } from "./StateStore.ts"

/** The machine of a skill, every port plugged; which skill's it is says `Entry`. */
export const bind = Effect.gen(function* () {
  const { machine } = yield* Run
  const scheduler = yield* Scheduler
  const { ledger } = yield* StateStore
  return plug(skillMachine, {
    run: machine,
    nextSlot: fromListener<void, Entry>(({ sendBack, services }) => {
      const { name, schedule } = Context.get(services, Entry).definition
      const settledThroughMs = ledger.skills.get(name)?.settledThroughMs
      const dueAtMs = schedule === undefined || settledThroughMs === undefined ? undefined : next(schedule, settledThroughMs)
      if (dueAtMs !== undefined) scheduler.arm({ skill: name, dueAtMs }, () => sendBack({ type: "slot.due" }))
      return () => scheduler.disarm(name)
    }),
    decide: fromEffect(({ input, sendBack }: Pick<ActorArgs<Question>, "input" | "sendBack">) =>
      Effect.flatMap(Entry, (entry) => decide(entry, input, sendBack))
    )
  })
})

interface Question {
  readonly cause: Cause
  readonly heldFor: string | undefined
  readonly runs: ReadonlyArray<string>
}

/** Settles or claims every slot from the last settled one until now, all of them in one batch, and gives the new runs. */
const decide = Effect.fnUntraced(function* (
  { definition }: SkillEntry,
  { cause, heldFor, runs }: Question,
  sendBack: (event: SkillEvent) => void
): Effect.fn.Return<ReadonlyArray<RunInput>, StorageFailed, StateStore | Claims | Process> {
  const store = yield* StateStore
  const record = store.ledger.skills.get(definition.name)
  if (definition.schedule === undefined || record === undefined) return []
  const nowMs = yield* Clock.currentTimeMillis
  const slots = slotsBetween(definition.schedule, record.settledThroughMs, nowMs)
  if (slots.firstMs === undefined || slots.lastMs === undefined) return []
  const owed = { count: slots.count, firstMs: slots.firstMs, lastMs: slots.lastMs, newest: slots.newest(catchUpMax + 1) }

  const skill = definition.name
  const settled = (verdict: Verdict, { slot, through, count }: Omit<SlotRange, "reason">, reason: string, into?: number): NewEvent => ({
    type: "slot.settled",
    skill,
    slot,
    through,
    count,
    verdict,
    reason: heldFor === undefined ? reason : `${reason}; held: ${heldFor}`,
    ...(into === undefined ? {} : { run: runId({ skill, slotAtMs: into }) })
  })

  // Slots that were missed wait behind a run under way; only one that falls due during it overlaps.
  const overlap = cause === "due" ? decideOverlap(definition.overlap, runs) : { _tag: "Run" as const }
  if (overlap._tag === "Skip") {
    yield* store.append(settled("skipped", { slot: owed.firstMs, through: owed.lastMs, count: owed.count }, overlap.reason))
    return []
  }

  const { run, coalesced, missed, missedCountFor } = decideCatchUp({ owed, nowMs, catchUp: definition.catchUp, missedAfterMs, catchUpMax })
  const claims = yield* Claims
  const claimed = yield* Effect.forEach(run, (slotAtMs) =>
    claims.claim({ run: runId({ skill, slotAtMs }), skill, slotAtMs, digest: definition.digest, missed: missedCountFor(slotAtMs) })
  )
  yield* store.append(
    ...missed.map((range) => settled("missed", range, range.reason)),
    ...coalesced.map((range) => settled("coalesced", range, range.reason, range.into)),
    ...claimed
  )
  if (claimed[0] !== undefined) yield* giveWay(overlap, claimed[0].run, sendBack)
  return claimed.map((claim): RunInput => fresh(claim.run, definition))
})
