/**
 * Runs for slots of the past that got none: who is refused and why, and the claims of those that are not.
 *
 * Such a run has the id that its slot names, so there is never a second one. What the slot was settled as stays as it is.
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import { join } from "node:path"
import { type Barrier, type PastSlot, pastSlots } from "../domain/Backfill.ts"
import { DiskError, Refused, StateUnusable, type StorageFailed } from "../domain/Errors.ts"
import type { JournalEvent } from "../domain/JournalEvent.ts"
import type { Ledger } from "../domain/Ledger.ts"
import { waitingMax } from "../domain/policies/overlap.ts"
import { iso, type RunId } from "../domain/Run.ts"
import { slotsBetween } from "../domain/Schedule.ts"
import type { Wish } from "../domain/Wish.ts"
import { Claims } from "./Claims.ts"
import { Disk } from "./Disk.ts"
import { eachEvent } from "./Events.ts"
import { whyMax } from "./Pausing.ts"
import { segmentsIn } from "./Recovery.ts"
import { fresh } from "./Run.ts"
import { StateStore } from "./StateStore.ts"
import { asideSkill, heldSkill, type Triggerable } from "./Trigger.ts"

/** Which slots: those at `fromMs`, at `toMs` and between, in milliseconds since the Unix epoch. */
export interface Past {
  readonly fromMs: number
  readonly toMs: number
  /** How many runs at most, the oldest slots first; as many as may wait unless given. */
  readonly limit?: number | undefined
}

export interface BackfillPlan {
  /** Every slot that is asked for, in order. */
  readonly slots: ReadonlyArray<PastSlot>
  /** Those of them that get a run. */
  readonly chosen: ReadonlyArray<PastSlot>
}

/** What was claimed, and how many slots were not: for a reason each, or since there are more than may be. */
export interface Backfilled {
  readonly runs: ReadonlyArray<RunId>
  readonly leftOut: Partial<Record<Barrier, number>>
  readonly more: number
}

/** Slots that may be asked for at a time: what is told of them has to be read and sent as one. */
export const pastSlotsMax = 10_000

/**
 * What a backfill would do, from the journal alone. Refused with SKILL_ASIDE, SCHEDULE_NONE, BACKFILL_RANGE, BACKFILL_FUTURE, BACKFILL_LIMIT
 * or BACKFILL_FULL (as many runs wait as may).
 */
export const planBackfill = Effect.fnUntraced(function* (
  directory: string,
  ledger: Ledger,
  skill: string,
  { fromMs, toMs, limit = waitingMax }: Past
): Effect.fn.Return<BackfillPlan, Refused | StateUnusable, Disk> {
  // Up to where slots are settled is asked before the journal: a claim that comes meanwhile is of a later slot.
  const { schedule, settledThroughMs = 0, quarantined } = ledger.skills.get(skill) ?? {}
  if (quarantined !== undefined) return yield* asideSkill(skill, quarantined)
  if (schedule === undefined) return yield* refused("SCHEDULE_NONE", skill, "no schedule", "a skill with slots", "holdfast trigger runs it")
  const span = [fromMs, toMs].map((ms) => (Math.abs(ms) <= lastDateMs ? iso(ms) : String(ms))).join(" to ")
  if (!(fromMs >= 0 && fromMs <= toMs))
    return yield* refused("BACKFILL_RANGE", skill, span, "a beginning since 1970, not after its end", "correct the two")
  if (toMs > (yield* Clock.currentTimeMillis))
    return yield* refused("BACKFILL_FUTURE", skill, span, "slots of the past", "end at the present or before")
  if (!(limit >= 1)) return yield* refused("BACKFILL_LIMIT", skill, String(limit), "1 or more", "correct the limit")
  const { count } = slotsBetween(schedule, fromMs - 1, toMs)
  if (count > pastSlotsMax)
    return yield* refused("BACKFILL_RANGE", skill, `${count} slots`, `at most ${pastSlotsMax}`, "ask for a part of them")
  const waiting = ledger.unsettled(skill).filter(({ phase }) => phase === "claimed").length
  if (waiting >= waitingMax)
    return yield* refused("BACKFILL_FULL", skill, `${waiting} runs wait`, `fewer than ${waitingMax}`, "ask again when some have run")
  const { events, goneThroughMs } = yield* history(directory, skill)
  const slots = pastSlots(events, { skill, schedule, fromMs, toMs, settledThroughMs, goneThroughMs })
  const open = slots.filter(({ barrier }) => barrier === undefined)
  return { slots, chosen: open.slice(0, Math.min(limit, waitingMax - waiting)) }
})

/** Claims the runs in one batch, in the order of their slots, and hands them to the skill's actor; one call at a time for a skill. */
export const claimPast = Effect.fnUntraced(function* (
  { definition, actor, gate }: Triggerable,
  past: Past,
  asked: Wish
): Effect.fn.Return<Backfilled, Refused | StateUnusable | StorageFailed, StateStore | Claims | Disk> {
  const { directory, ledger, append } = yield* StateStore
  const { name: skill, digest } = definition
  if (asked.why.length > whyMax)
    return yield* refused("BACKFILL_WHY", skill, `${asked.why.length} characters`, `at most ${whyMax}`, "say it in fewer words")
  if (!gate.open && gate.claimed !== "start") return yield* heldSkill(skill, gate.reason)
  const { slots, chosen } = yield* planBackfill(directory, ledger, skill, past)
  const claims = yield* Claims
  const claimed = yield* Effect.forEach(chosen, ({ run, slotMs }) =>
    claims.claim({ run, skill, slotAtMs: slotMs, digest, missed: 0, asked })
  )
  if (claimed.length > 0) yield* append(...claimed)
  // Whoever comes after an actor that has stopped meanwhile finds them on record.
  for (const { run } of actor.getSnapshot().status === "active" ? claimed : [])
    actor.send({ type: "run.claimed", run: fresh(run, definition) })
  return { runs: claimed.map(({ run }) => run), ...leftOutOf({ slots, chosen }) }
})

/** How many of the slots get no run, by what stands in the way. */
export const leftOutOf = ({ slots, chosen }: BackfillPlan): Omit<Backfilled, "runs"> => {
  const leftOut: Partial<Record<Barrier, number>> = {}
  for (const { barrier } of slots) if (barrier !== undefined) leftOut[barrier] = (leftOut[barrier] ?? 0) + 1
  return { leftOut, more: slots.filter(({ barrier }) => barrier === undefined).length - chosen.length }
}

/** What the journal has of a skill's slots, and up to which instant history has gone. */
const history = (directory: string, skill: string) =>
  Effect.gen(function* () {
    const disk = yield* Disk
    const [oldest = 1] = segmentsIn(yield* disk.list(join(directory, "journal")))
    const events: Array<JournalEvent> = []
    let goneThroughMs = oldest > 1 ? undefined : -Infinity
    const take = (event: JournalEvent) => {
      goneThroughMs ??= event.atMs
      if ((event.type === "slot.settled" || event.type === "run.claimed") && event.skill === skill) events.push(event)
    }
    const named = `"skill":${JSON.stringify(skill)}`
    yield* eachEvent(directory, take, (json) => goneThroughMs === undefined || json.includes(named)) // Slots fall due meanwhile.
    return { events, goneThroughMs: goneThroughMs ?? Infinity }
  }).pipe(
    Effect.retry({ times: 3, while: (error) => error instanceof DiskError && error.code === "ENOENT" }), // Compacted as we read.
    Effect.mapError((error) =>
      error instanceof DiskError
        ? new StateUnusable({
            code: "STATE_DIR_UNREADABLE",
            where: error.path,
            got: `${error.code} from ${error.operation}`,
            want: "a journal we may read",
            fix: "give this user the right to read it"
          })
        : error
    )
  )

/** The last instant that a date can name. */
const lastDateMs = 8.64e15

const refused = (code: string, where: string, got: string, want: string, fix: string) => new Refused({ code, where, got, want, fix })
