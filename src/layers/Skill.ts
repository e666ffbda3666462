/** Gives the skill machine its hands: every slot owed is decided in one batch, and the next one is armed. */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type { StorageFailed } from "../domain/Errors.ts"
import { runId } from "../domain/Run.ts"
import { type Ledger, type SkillRecord, withHistory } from "../domain/Ledger.ts"
import { next } from "../domain/Schedule.ts"
import { decideSlots } from "../domain/SlotDecision.ts"
import { anyTime } from "../domain/Timing.ts"
import { decideOverlap } from "../domain/policies/overlap.ts"
import { type Cause, type Decision, type RunInput, type SkillContext, type SkillEvent, skillMachine } from "../machines/skill.ts"
import { type ActorArgs, fromEffect, fromListener, plug } from "./actor.ts"
import { Claims } from "./Claims.ts"
import { giveWay } from "./Overlap.ts"
import type { Process } from "./Process.ts"
import { Ramp } from "./Ramp.ts"
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
    nextSlot: fromListener<Pick<SkillContext, "waitUntilMs">, Entry>(({ input, sendBack, services }) => {
      const { name, schedule, timing = anyTime } = Context.get(services, Entry).current.definition
      const record = ledger.skills.get(name)
      if (schedule === undefined || record === undefined) return () => {}
      const owedAtMs = input.waitUntilMs ?? next(withHistory(schedule, record), record.settledThroughMs)
      const dueAtMs = owedAtMs === undefined || input.waitUntilMs !== undefined ? owedAtMs : owedAtMs + timing.delayMs
      if (dueAtMs !== undefined) scheduler.arm({ skill: name, dueAtMs }, () => sendBack({ type: "slot.due" }))
      return () => scheduler.disarm(name)
    }),
    decide: fromEffect(({ input, sendBack }: Pick<ActorArgs<Question>, "input" | "sendBack">) =>
      Effect.flatMap(Entry, ({ current }) => decide(current, input, sendBack))
    )
  })
})

interface Question {
  readonly cause: Cause
  readonly heldFor: string | undefined
  readonly runs: ReadonlyArray<string>
  readonly probe: boolean
}

/** Decides over every slot from the last settled one until now, puts that on record in one batch, and gives the new runs. */
const decide = Effect.fnUntraced(function* (
  { definition }: SkillEntry,
  { cause, heldFor, runs, probe }: Question,
  sendBack: (event: SkillEvent) => void
): Effect.fn.Return<Decision, StorageFailed, StateStore | Claims | Process | Ramp> {
  const { ledger, append } = yield* StateStore
  const { name: skill, timing = anyTime, digest, cost } = definition
  const record = ledger.skills.get(skill)
  if (definition.schedule === undefined || record === undefined) return { runs: [] }
  const schedule = withHistory(definition.schedule, record)
  const nowMs = yield* Clock.currentTimeMillis
  const ramp = yield* Ramp
  // Slots that were missed wait behind a run under way; only one that falls due during it overlaps.
  const overlap = cause === "due" ? decideOverlap(definition.overlap, runs) : { _tag: "Run" as const }
  const catchUp = probe && definition.catchUp === "all" ? "latest" : definition.catchUp
  const decision = decideSlots({ ...definition, catchUp }, schedule, {
    nowMs,
    settledThroughMs: record.settledThroughMs,
    lastClaimedAtMs: schedule._tag === "Paced" ? lastClaimedAtMs(ledger, record) : undefined,
    overlap: overlap._tag === "Skip" ? overlap.reason : undefined,
    turn: () => ramp.turn(skill, cost ?? 1, nowMs)
  })
  if (decision._tag === "Wait") {
    const nextMs = (next(schedule, nowMs - timing.delayMs) ?? Infinity) + timing.delayMs
    return { runs: [], wait: { untilMs: Math.min(decision.untilMs, nextMs), reason: decision.reason } }
  }
  const settled = decision.settled.map(({ into, reason, ...range }): NewEvent => ({
    type: "slot.settled",
    skill,
    ...range,
    reason: heldFor === undefined ? reason : `${reason}; held: ${heldFor}`,
    ...(into === undefined ? {} : { run: runId({ skill, slotAtMs: into }) })
  }))
  const claims = yield* Claims
  const claimed = yield* Effect.forEach(decision.runs, ({ slotAtMs, missed }) =>
    claims.claim({ run: runId({ skill, slotAtMs }), skill, slotAtMs, digest, missed })
  )
  if (settled.length + claimed.length > 0) yield* append(...settled, ...claimed)
  if (claimed[0] !== undefined && decision.onTime) yield* giveWay(overlap, claimed[0].run, sendBack)
  return { runs: claimed.map(({ run }): RunInput => fresh(run, definition)) }
})

const lastClaimedAtMs = (ledger: Ledger, { name, last }: SkillRecord): number | undefined =>
  [last, ...ledger.unsettled(name)].reduce<number | undefined>(
    (latest, run) => (run === undefined ? latest : Math.max(latest ?? run.claimedAtMs, run.claimedAtMs)),
    undefined
  )
