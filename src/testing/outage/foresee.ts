/**
 * What becomes of slots through outages that have not happened: the real supervisor, skills, scheduler and journal over a disk in
 * memory, on virtual time. Nothing of the machine is read or written, and no skill's own work is done.
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as Scope from "effect/Scope"
import * as TestClock from "effect/testing/TestClock"
import type { JournalEvent } from "../../domain/JournalEvent.ts"
import type { SkillRecord } from "../../domain/Ledger.ts"
import type { RampRate } from "../../domain/policies/ramp.ts"
import type { SkillDefinition } from "../../domain/Skill.ts"
import { hopMs } from "../../layers/clock.ts"
import { Disk } from "../../layers/Disk.ts"
import { type DiskMemory, diskMemory } from "../../layers/DiskMemory.ts"
import { OutboxLookEveryMs } from "../../layers/Outbox.ts"
import { effectWork, type SkillEntry } from "../../layers/SkillFunction.ts"
import { type NewEvent, StateStore } from "../../layers/StateStore.ts"
import type { SkillState } from "../../layers/SkillState.ts"
import { youngestMs } from "../../layers/WallClock.ts"
import { journalOf, makeWorld, stateDirectory } from "../World.ts"
import { type Outage, nextWhen } from "./Outage.ts"
import { outageLink } from "./outageLink.ts"

export interface ForesightOptions {
  /** Each as it is loaded and as it stands on record; the schedule on record counts. */
  readonly skills: ReadonlyArray<{ readonly definition: SkillDefinition; readonly record: SkillRecord }>
  readonly outages: ReadonlyArray<Outage>
  /** Instants in milliseconds since the Unix epoch. No slot through `fromMs` is owed. */
  readonly fromMs: number
  readonly toMs: number
  /** As a runtime is given them. */
  readonly ramp?: RampRate | undefined
  readonly drainDeadlineMs?: number | undefined
  /** Told of how far virtual time has come. */
  readonly tell?: (atMs: number) => void
}

export interface Foresight {
  readonly events: ReadonlyArray<JournalEvent>
  /** How each skill is doing at the end; nothing where no runtime is at work then. */
  readonly states: ReadonlyMap<string, SkillState> | undefined
}

/** Lives through that time; only defects can go wrong. */
export const foresee = (options: ForesightOptions): Effect.Effect<Foresight> =>
  live(options).pipe(
    Effect.orDie,
    Effect.scoped,
    Effect.provideService(OutboxLookEveryMs, hopMs), // It stays empty, and nothing else happens once a second.
    Effect.provide([TestClock.layer({ warningDelay: "1 minute" }), Logger.layer([])]) // What this world logs is no news of the real one.
  )

const live = Effect.fnUntraced(function* ({ skills, outages, fromMs, toMs, tell = () => {}, ...options }: ForesightOptions) {
  const disk = diskMemory()
  yield* TestClock.setTime(Math.max(fromMs - warmUpMs, youngestMs)) // Before that a start waits for somebody to set the clock.
  yield* putOnRecord(
    disk,
    skills.flatMap(({ definition, record }) => standing(definition, record, fromMs))
  )
  const entries = skills.map(entryOf)
  for (;;) {
    const nowMs = yield* Clock.currentTimeMillis
    const startMs = nextWhen(outages, "runtime", false, nowMs)
    if (startMs === undefined || startMs > toMs) return { events: journalOf(disk), states: undefined }
    yield* passTo(startMs, tell)
    const scope = yield* Scope.make()
    const world = yield* Scope.provide(makeWorld({ skills: entries, link: outageLink(outages), disk, ...options }), scope)
    const stopMs = nextWhen(outages, "runtime", true, startMs) ?? Infinity
    yield* passTo(Math.min(stopMs, toMs), tell)
    const states = new Map((yield* world.supervisor.skills).map((state) => [state.name, state]))
    if (stopMs > toMs) {
      const events = world.events()
      yield* Scope.close(scope, Exit.void)
      return { events, states }
    }
    const stopping = yield* Effect.forkChild(Effect.andThen(world.runtime.drain, Scope.close(scope, Exit.void)))
    while (stopping.pollUnsafe() === undefined) yield* TestClock.adjust(1_000) // What runs may finish within the deadline, as in a real stop.
    yield* Fiber.join(stopping)
  }
})

/** Long enough for the link to be there before the first slot. */
const warmUpMs = 60_000

const passTo = Effect.fnUntraced(function* (untilMs: number, tell: (atMs: number) => void) {
  for (let nowMs = yield* Clock.currentTimeMillis; nowMs < untilMs; nowMs = yield* Clock.currentTimeMillis) {
    yield* TestClock.adjust(Math.min(toldEveryMs, untilMs - nowMs))
    tell(nowMs)
  }
})
const toldEveryMs = 600_000

const putOnRecord = (disk: DiskMemory, events: ReadonlyArray<NewEvent>) =>
  StateStore.use((store) => store.append(...events)).pipe(
    Effect.provide(StateStore.layer(stateDirectory).pipe(Layer.provide(Layer.succeed(Disk, disk.disk))))
  )

/** What the journal of that world begins with: the skill, and whether somebody or its failures keep it from working. */
const standing = (
  { name: skill, digest }: SkillDefinition,
  { schedule, settledThroughMs, paused, quarantined, probe }: SkillRecord,
  fromMs: number
): ReadonlyArray<NewEvent> => [
  { type: "skill.adopted", skill, digest, schedule: schedule ?? null, from: Math.max(settledThroughMs, fromMs) },
  ...(paused === undefined ? [] : [{ type: "skill.paused", skill, ...paused } as const]),
  ...(quarantined === undefined
    ? []
    : [
        {
          type: "skill.quarantined",
          skill,
          why: quarantined,
          ...(probe === undefined ? {} : { probeAtMs: probe.atMs, probes: probe.failed })
        } as const
      ])
]

/** The skill with its policies, as a function that succeeds after as long as its last run took. */
const entryOf = ({ definition, record }: ForesightOptions["skills"][number]): SkillEntry => {
  const { evidence: _evidence, pinned: _pinned, ...policies } = definition
  const takesMs = Math.min(record.last?.settled?.durationMs ?? usualMs, definition.timeoutMs - 1)
  return {
    definition: { ...policies, schedule: record.schedule, work: { _tag: "Function" }, report: { when: "never", session: undefined } },
    work: effectWork(() => Effect.as(Effect.sleep(takesMs), {}))
  }
}

/** How long a run takes of which none is on record. */
const usualMs = 3_000
