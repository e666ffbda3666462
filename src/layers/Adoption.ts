/**
 * What a start does before anything may fire: ends or takes over what the last runtime left alive, and adopts the skills of now.
 *
 * Slots are owed only under the schedule that was adopted at their time. So a new skill owes nothing from before, and a
 * changed schedule first settles what the old one still owed, as `superseded`.
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import { join } from "node:path"
import { pid } from "node:process"
import type { StorageFailed } from "../domain/Errors.ts"
import { type Ledger, type RunRecord, type SkillRecord, withHistory } from "../domain/Ledger.ts"
import { skillIntensity } from "../domain/policies/intensity.ts"
import { deathsMax, nextProbe } from "../domain/policies/quarantine.ts"
import { slotsBetween } from "../domain/Schedule.ts"
import type { RunId } from "../domain/Run.ts"
import type { SkillDefinition } from "../domain/Skill.ts"
import { isAlive, processIdentity } from "./platform.ts"
import { Process } from "./Process.ts"
import { answerLeft } from "./SkillProcess.ts"
import { type NewEvent, StateStore } from "./StateStore.ts"
import { behind, clockIsSet } from "./WallClock.ts"

export interface AdoptionInput {
  readonly version: string
  readonly skills: ReadonlyArray<SkillDefinition>
  /** Names whose files could not be read this time: they are neither removed nor run. */
  readonly unreadable: ReadonlySet<string>
  /** A clock that shows an earlier instant is not set: nothing is done before it is. */
  readonly clockFromMs?: number
}

/** Gives the runs whose attempts go on as the last runtime left them. */
export const adopt = Effect.fn("Adoption.adopt")(function* ({
  version,
  skills,
  unreadable,
  clockFromMs = 0
}: AdoptionInput): Effect.fn.Return<ReadonlyArray<RunId>, StorageFailed, StateStore | Process> {
  const store = yield* StateStore
  yield* clockIsSet(clockFromMs)
  const nowMs = yield* Clock.currentTimeMillis
  const identity = yield* processIdentity(pid)
  const deaths = new Map(skills.map(({ name }) => [name, store.ledger.skills.get(name)?.deaths ?? 0]))
  yield* store.append(
    { type: "runtime.started", epoch: store.epoch, pid, version, ...(identity === undefined ? {} : { bootId: identity.bootId }) },
    ...(yield* behind(store.lastAtMs, nowMs))
  )
  const { adopted, aside } = yield* meetSurvivors(store, skills)
  const events = [
    ...adopted.map(({ run, attempts }): NewEvent => ({ type: "attempt.adopted", run, attempt: attempts })),
    ...aside,
    ...skills.flatMap((skill) => suspicion(skill, deaths.get(skill.name) ?? 0, store.ledger.skills.get(skill.name), nowMs)),
    ...adoptions(store.ledger, { skills, unreadable }, nowMs)
  ]
  if (events.length > 0) yield* store.append(...events)
  return adopted.map(({ run }) => run)
})

/** What makes these the skills of now: nothing for one that is as it was. */
export const adoptions = (
  ledger: Ledger,
  { skills, unreadable }: Pick<AdoptionInput, "skills" | "unreadable">,
  nowMs: number
): ReadonlyArray<NewEvent> => {
  const names = new Set(skills.map(({ name }) => name))
  const gone = [...ledger.skills.values()].filter((skill) => !skill.removed && !names.has(skill.name) && !unreadable.has(skill.name))
  return [
    ...skills.flatMap((skill) => adoption(skill, ledger.skills.get(skill.name), nowMs)),
    ...gone.flatMap((skill) => removal(skill, ledger.unsettled(skill.name), nowMs))
  ]
}

/**
 * Nothing of an interrupted attempt may be alive when its run is tried again, but what its skill says to adopt: that attempt goes on,
 * and its run is not tried again meanwhile. What outlives KILL keeps its skill aside.
 */
const meetSurvivors = Effect.fnUntraced(function* (
  store: StateStore["Service"],
  skills: ReadonlyArray<SkillDefinition>
): Effect.fn.Return<{ readonly adopted: ReadonlyArray<RunRecord>; readonly aside: ReadonlyArray<NewEvent> }, never, Process> {
  const known = new Map(skills.map((skill) => [skill.name, skill]))
  const underWay = store.ledger.unsettled().filter((run) => run.phase === "executing" && known.get(run.skill)?.work._tag !== "Function") // Functions died with us.
  if (underWay.length === 0) return { adopted: [], aside: [] }
  const survive = new Set(yield* Effect.filter(underWay, (run) => mayGoOn(store, run, known.get(run.skill))))
  const end = Effect.fnUntraced(function* (runs: ReadonlyArray<RunRecord>) {
    const processes = yield* Process
    const orphans = runs.map((run) => ({ directory: directoryOf(store, run), process: run.process }))
    const { killed, alive } = yield* processes.survivors(orphans)
    if (killed > 0) yield* Effect.logWarning(`ended ${killed} processes that the last runtime left running`)
    return alive
  })
  const interrupted = underWay.filter((run) => !survive.has(run))
  const alive = interrupted.length === 0 ? [] : yield* end(interrupted)
  const names = new Set(alive.length === 0 ? [] : interrupted.map((run) => run.skill))
  // A skill that is put aside has no actor, so nobody would watch over what it has running.
  const unwatched = [...survive].filter(({ skill }) => names.has(skill))
  if (unwatched.length > 0) yield* end(unwatched)
  return {
    adopted: [...survive].filter((run) => !unwatched.includes(run)),
    aside: [...names].map((skill) => ({
      type: "skill.quarantined",
      skill,
      why: `processes ${alive.join(", ")} of an earlier run cannot be ended`
    }))
  }
})

/** Whether the skill wants this attempt back, there is somebody to watch over it, and it lives or has left its whole answer. */
const mayGoOn = (store: StateStore["Service"], run: RunRecord, skill: SkillDefinition | undefined): Effect.Effect<boolean> => {
  const record = store.ledger.skills.get(run.skill)
  const watched = record?.quarantined === undefined || record.probe !== undefined
  return skill?.onRuntimeDeath !== "adopt" || !watched || run.process === undefined
    ? Effect.succeed(false)
    : Effect.map(isAlive(run.process), (alive) => alive || typeof answerLeft(directoryOf(store, run)) === "object")
}

const directoryOf = ({ directory }: StateStore["Service"], { run }: RunRecord): string => join(directory, "runs", run)

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
  if (sameSchedule) return [adopted(known.owedFromMs), ...probed(known, nowMs)]
  const fromMs = Math.max(nowMs, known?.settledThroughMs ?? 0) // With the clock set back: what is settled stays so, under whatever schedule.
  return [
    ...(known === undefined || known.removed ? [] : superseded(known, nowMs, "the schedule was changed")),
    adopted(fromMs),
    ...probed(known, nowMs)
  ]
}

/** One that is put aside may have been changed to cure it: it may show that at once. */
const probed = (known: SkillRecord | undefined, nowMs: number): ReadonlyArray<NewEvent> =>
  known?.probe === undefined
    ? []
    : [{ type: "skill.quarantined", skill: known.name, why: known.quarantined ?? "", probeAtMs: nowMs, probes: known.probe.failed }]

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

const superseded = (
  { name, schedule, settledThroughMs, owedAtMs }: SkillRecord,
  nowMs: number,
  reason: string
): ReadonlyArray<NewEvent> => {
  if (schedule === undefined) return []
  const { count, firstMs, lastMs } = slotsBetween(withHistory(schedule, { owedAtMs }), settledThroughMs, nowMs)
  return firstMs === undefined || lastMs === undefined
    ? []
    : [{ type: "slot.settled", skill: name, slot: firstMs, through: lastMs, count, verdict: "superseded", reason }]
}
