/**
 * A whole runtime in virtual time: the real layers over a disk in memory, with the link scripted or left out.
 *
 * Run it under Effect's `TestClock`. Nothing in it waits for real time, so a day passes in the time that its events take.
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import * as TestClock from "effect/testing/TestClock"
import type * as Context from "effect/Context"
import type { LockHeld, Problem, ScheduleInvalid, SkillInvalid, StateUnusable, StorageFailed } from "../domain/Errors.ts"
import type { JournalEvent } from "../domain/JournalEvent.ts"
import type { Intensity } from "../domain/policies/intensity.ts"
import type { RampRate } from "../domain/policies/ramp.ts"
import { hopMs } from "../layers/clock.ts"
import { Disk } from "../layers/Disk.ts"
import { type DiskMemory, diskMemory } from "../layers/DiskMemory.ts"
import { assembled, entryOf, type Household, mainSession, type Services, type SkillGiven } from "../layers/Holdfast.ts"
import type { PoolSizes } from "../layers/Pools.ts"
import type { Link } from "../layers/Link.ts"
import type { Reloaded } from "../layers/Reloading.ts"
import { Runtime } from "../layers/Runtime.ts"
import type { SkillEntry } from "../layers/SkillFunction.ts"
import { StateStore } from "../layers/StateStore.ts"
import { Supervisor } from "../layers/Supervisor.ts"
import { readJournal } from "./checkers/journal.ts"

export interface WorldOptions extends PoolSizes {
  /** As they are given in code, or with their definitions made already. */
  readonly skills: ReadonlyArray<SkillGiven | SkillEntry>
  /** What reaches the gateway; without it the mode is `standalone`. */
  readonly link?: Link
  /** A disk from an earlier world, to start where that one was. */
  readonly disk?: DiskMemory
  readonly hold?: boolean
  /** How many starts are too many; without it they are not counted, since a world may start often. */
  readonly starts?: Intensity
  /** The rate at which late work begins after an outage. */
  readonly ramp?: RampRate | undefined
  /** How long running skills may take to finish once asked to stop, in milliseconds. */
  readonly drainDeadlineMs?: number | undefined
  /** How often the clocks are looked at; an hour, since virtual time does not jump by itself. */
  readonly lookEveryMs?: number
  /** Before this instant the clock counts as not set; at first a test clock shows 1970. */
  readonly clockFromMs?: number
}

export interface World {
  readonly runtime: Runtime["Service"]
  readonly supervisor: Supervisor["Service"]
  readonly store: StateStore["Service"]
  readonly disk: DiskMemory
  /** Reads these skills in place of the ones given so far, with the problems that the others have. */
  readonly reload: (skills: ReadonlyArray<SkillGiven>, problems?: Household["problems"]) => Effect.Effect<Reloaded, Problem>
  /** Everything that the layers offer, for what is not here. */
  readonly services: Context.Context<Services>
  /** Lets virtual time pass. */
  readonly pass: (milliseconds: number) => Effect.Effect<void>
  /** The journal so far, as its lines say it. */
  readonly events: () => ReadonlyArray<JournalEvent>
}

export const stateDirectory = "/state"

/** Starts a world; closing the scope ends it as a stop would. */
export const makeWorld = Effect.fn("World.make")(function* ({
  skills,
  link,
  disk = diskMemory(),
  hold = false,
  starts = { failuresMax: 0, windowMs: 0 },
  ramp,
  drainDeadlineMs,
  lookEveryMs = hopMs,
  clockFromMs = 0,
  ...sizes
}: WorldOptions): Effect.fn.Return<World, SkillInvalid | ScheduleInvalid | StateUnusable | LockHeld | StorageFailed, Scope.Scope> {
  const entriesOf = (given: WorldOptions["skills"]) =>
    Effect.forEach(given, (skill) => ("definition" in skill ? Effect.succeed(skill) : entryOf(skill, () => "UTC", link !== undefined)))
  const entries = yield* entriesOf(skills)
  let found: Effect.Effect<Household, Problem> = Effect.succeed({ entries, problems: [], unreadable: [] })
  const services = yield* Layer.build(
    assembled(
      { state: stateDirectory, hold, starts, ramp, drainDeadlineMs, lookEveryMs, clockFromMs, ...sizes },
      { entries, problems: [], unreadable: [] },
      Effect.suspend(() => found),
      link === undefined ? undefined : { layer: link, session: mainSession }
    ).pipe(Layer.provide(Layer.succeed(Disk, disk.disk)))
  )
  const [runtime, supervisor, store] = yield* Effect.all([Runtime, Supervisor, StateStore]).pipe(Effect.provideContext(services))
  const reload: World["reload"] = (skills, problems = []) =>
    Effect.suspend(() => {
      found = Effect.map(entriesOf(skills), (entries) => ({ entries, problems, unreadable: [] }))
      return runtime.reload
    })
  const pass = (milliseconds: number) => TestClock.adjust(milliseconds)
  yield* Effect.andThen(runtime.started, pass(0)) // What is ready has yet to begin its work; from here on it has.
  return { runtime, supervisor, store, disk, reload, services, pass, events: () => journalOf(disk) }
})

/** What a crash leaves: the disk as it is now, for another world. Nothing of the old one is told. */
export const afterCrash = ({ disk }: Pick<World, "disk">): DiskMemory => {
  const copy = diskMemory()
  for (const [path, content] of disk.files()) copy.put(path, content)
  return copy
}

/** The events on such a disk. */
export const journalOf = (disk: DiskMemory): ReadonlyArray<JournalEvent> => {
  const segments = [...disk.files()]
    .filter(([path]) => path.startsWith(`${stateDirectory}/journal/`) && path.endsWith(".log"))
    .sort(([a], [b]) => (a < b ? -1 : 1))
  return readJournal(segments.map(([, content]) => content)).events
}
