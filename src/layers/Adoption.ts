/**
 * What a start does before anything may fire: ends what the last runtime left alive, and adopts the skills of now.
 *
 * Slots are owed only under the schedule that was adopted at their time. So a new skill owes nothing from before, and a
 * changed schedule first settles what the old one still owed, as `superseded`.
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import { join } from "node:path"
import { pid } from "node:process"
import type { StorageFailed } from "../domain/Errors.ts"
import type { RunRecord, SkillRecord } from "../domain/Ledger.ts"
import { skillIntensity } from "../domain/policies/intensity.ts"
import { deathsMax, nextProbe } from "../domain/policies/quarantine.ts"
import { slotsBetween } from "../domain/Schedule.ts"
import type { SkillDefinition } from "../domain/Skill.ts"
import { processIdentity } from "./platform.ts"
import { Process } from "./Process.ts"
import { type NewEvent, StateStore } from "./StateStore.ts"
import { behind, clockIsSet } from "./WallClock.ts"

export interface AdoptionInput {
  readonly version: string
  readonly skills: ReadonlyArray<SkillDefinition>
  /** Names whose files could not be read this time: they are neither removed nor run. */
  readonly unreadable: ReadonlySet<string>
}

export const adopt = Effect.fn("Adoption.adopt")(function* ({
  version,
  skills,
  unreadable
}: AdoptionInput): Effect.fn.Return<void, StorageFailed, StateStore | Process> {
  const store = yield* StateStore
  yield* clockIsSet
  const nowMs = yield* Clock.currentTimeMillis
  const identity = yield* processIdentity(pid)
  const deaths = new Map(skills.map(({ name }) => [name, store.ledger.skills.get(name)?.deaths ?? 0]))
  yield* store.append(
    { type: "runtime.started", epoch: store.epoch, pid, version, ...(identity === undefined ? {} : { bootId: identity.bootId }) },
    ...(yield* behind(store.lastAtMs, nowMs))
  )
  const alive = yield* endSurvivors(store, new Set(skills.filter(({ work }) => work._tag === "Function").map(({ name }) => name)))
  const names = new Set(skills.map(({ name }) => name))
  const gone = [...store.ledger.skills.values()].filter((skill) => !skill.removed && !names.has(skill.name) && !unreadable.has(skill.name))
  const events = [
    ...alive,
    ...skills.flatMap((skill) => suspicion(skill, deaths.get(skill.name) ?? 0, store.ledger.skills.get(skill.name), nowMs)),
    ...skills.flatMap((skill) => adoption(skill, store.ledger.skills.get(skill.name), nowMs)),
    ...gone.flatMap((skill) => removal(skill, store.ledger.unsettled(skill.name), nowMs))
  ]
  if (events.length > 0) yield* store.append(...events)
})

/** Nothing of an interrupted attempt may be alive when its run is tried again. What outlives KILL keeps its skill aside. */
const endSurvivors = Effect.fnUntraced(function* (
  store: StateStore["Service"],
  inProcess: ReadonlySet<string>
): Effect.fn.Return<ReadonlyArray<NewEvent>, never, Process> {
  const interrupted = store.ledger.unsettled().filter((run) => run.phase === "executing" && !inProcess.has(run.skill)) // Functions died with us.
  if (interrupted.length === 0) return []
  const processes = yield* Process
  const orphans = interrupted.map((run) => ({ directory: join(store.directory, "runs", run.run), process: run.process }))
  const { killed, alive } = yield* processes.survivors(orphans)
  if (killed > 0) yield* Effect.logWarning(`ended ${killed} processes that the last runtime left running`)
  if (alive.length === 0) return []
  return [...new Set(interrupted.map((run) => run.skill))].map((skill): NewEvent => ({
    type: "skill.quarantined",
    skill,
    why: `processes ${alive.join(", ")} of an earlier run cannot be ended`
  }))
})

/** Puts a skill aside that was alone at work at each of the last deaths of the runtime: it may be what kills it. */
const suspicion = (
  { name: skill, intensity = skillIntensity }: SkillDefinition,
  deathsBefore: number,
  record: SkillRecord | undefined,
  nowMs: number
): ReadonlyArray<NewEvent> => {
  if (record === undefined || record.deaths <= deathsBefore || record.deaths < deathsMax || intensity.failuresMax === 0) return []
  const { probeInMs, probes } = nextProbe(record.probe === undefined ? 0 : record.probe.failed + 1)
  const why = `the runtime died ${record.deaths} times while it alone was at work`
  return [{ type: "skill.quarantined", skill, why, probeAtMs: nowMs + probeInMs, probes }]
}

const adoption = (skill: SkillDefinition, known: SkillRecord | undefined, nowMs: number): ReadonlyArray<NewEvent> => {
  const sameSchedule = known !== undefined && !known.removed && JSON.stringify(known.schedule) === JSON.stringify(skill.schedule)
  if (sameSchedule && known.digest === skill.digest) return []
  const adopted = (from: number): NewEvent => ({
    type: "skill.adopted",
    skill: skill.name,
    digest: skill.digest,
    schedule: skill.schedule ?? null,
    from
  })
  if (sameSchedule) return [adopted(known.owedFromMs)]
  const fromMs = Math.max(nowMs, known?.settledThroughMs ?? 0) // With the clock set back: what is settled stays so, under whatever schedule.
  return [...(known === undefined || known.removed ? [] : superseded(known, nowMs, "the schedule was changed")), adopted(fromMs)]
}

const removal = (skill: SkillRecord, unsettled: ReadonlyArray<RunRecord>, nowMs: number): ReadonlyArray<NewEvent> => [
  ...superseded(skill, nowMs, "the skill was removed"),
  ...unsettled.map((run): NewEvent => ({
    type: "run.settled",
    run: run.run,
    outcome: "cancelled",
    reason: "the skill was removed",
    startedAtMs: run.startedAtMs ?? null,
    durationMs: run.startedAtMs === undefined ? 0 : nowMs - run.startedAtMs,
    fields: {},
    report: null
  })),
  { type: "skill.removed", skill: skill.name }
]

const superseded = ({ name, schedule, settledThroughMs }: SkillRecord, nowMs: number, reason: string): ReadonlyArray<NewEvent> => {
  if (schedule === undefined) return []
  const { count, firstMs, lastMs } = slotsBetween(schedule, settledThroughMs, nowMs)
  return firstMs === undefined || lastMs === undefined
    ? []
    : [{ type: "slot.settled", skill: name, slot: firstMs, through: lastMs, count, verdict: "superseded", reason }]
}
