/**
 * Gives the supervisor its hands: one root actor a skill, each in a scope of its own under the supervisor's.
 *
 * Close the supervisor's scope and every skill ends, its processes with it; nothing else owns one. What the link does
 * reaches a skill only as a gate: whether it may start new work.
 */
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Latch from "effect/Latch"
import * as Layer from "effect/Layer"
import * as Scope from "effect/Scope"
import * as Semaphore from "effect/Semaphore"
import type { Actor, AnyActorRef } from "xstate"
import { shown, type StorageFailed } from "../domain/Errors.ts"
import type { RunRecord } from "../domain/Ledger.ts"
import { atOnce } from "../domain/policies/overlap.ts"
import type { After } from "../domain/Schedule.ts"
import type { SkillDefinition } from "../domain/Skill.ts"
import { pausedReason } from "../domain/Wish.ts"
import type { Closed, Gate, skillMachine } from "../machines/skill.ts"
import { type Crash, supervisorMachine } from "../machines/supervisor.ts"
import { fromEffect, plug, runMachine } from "./actor.ts"
import { byHand, type ByHand } from "./ByHand.ts"
import type { Claims } from "./Claims.ts"
import { Inspection, under } from "./Inspection.ts"
import { Pools } from "./Pools.ts"
import type { Ramp } from "./Ramp.ts"
import { type Changeable, type NextSkills, type Reloaded, reloadSkills } from "./Reloading.ts"
import { resume, Run } from "./Run.ts"
import { Scheduler } from "./Scheduler.ts"
import * as Stream from "effect/Stream"
import { jumped } from "./WallClock.ts"
import { bind } from "./Skill.ts"
import { type SkillState, skillState } from "./SkillState.ts"
import { Entry, type SkillEntry } from "./SkillFunction.ts"
import { asideOf, Standing } from "./Standing.ts"
import { StateStore } from "./StateStore.ts"
import type { Disk } from "./Disk.ts"
import type { Process } from "./Process.ts"

/** Whether skills may start work now, and which. */
export type Gates = (definition: SkillDefinition) => Gate

/** Everything that a skill's actors work with. */
export type Hands = StateStore | Disk | Process | Run | Claims | Scheduler | Ramp | Pools

export class Supervisor extends Context.Service<
  Supervisor,
  {
    /** The body of the runtime's `supervisor` port: owns every skill actor until it is interrupted. `self` is where they are shown. */
    readonly work: (self: AnyActorRef) => Effect.Effect<void, unknown, Scope.Scope>
    /** Returns once every skill has its actor. */
    readonly started: Effect.Effect<void>
    /** Tells every skill whose gate has changed. */
    readonly setGates: (gates: Gates) => void
    /** Puts these skills in place of those it has. Once it is on record it is done, whether or not who asked still waits. */
    readonly reload: (next: NextSkills) => Effect.Effect<Reloaded, StorageFailed>
    readonly skills: Effect.Effect<ReadonlyArray<SkillState>>
    /** The actor of a skill, while it has one. */
    readonly actor: (skill: string) => Actor<typeof skillMachine> | undefined
  } & ByHand
>()("holdfast/layers/Supervisor") {
  static readonly layer = (entries: ReadonlyArray<SkillEntry>): Layer.Layer<Supervisor, never, Hands> =>
    Layer.effect(Supervisor, make(entries))
}

interface Child extends Changeable {
  gate: Gate
  /** Open while runs that are claimed may start. */
  readonly mayStart: Latch.Latch
  /** Why its slots do not become runs, whatever the mode. */
  paused: string | undefined
}

const make = Effect.fnUntraced(function* (entries: ReadonlyArray<SkillEntry>) {
  const hands = yield* Effect.context<Hands>()
  const store = yield* StateStore
  const scheduler = yield* Scheduler
  const pools = yield* Pools
  const runs = yield* Run
  const inspector = yield* Inspection
  const known = new Map(entries.map((entry) => [entry.definition.name, entry]))
  let followers = followersOf(entries)
  const changing = Semaphore.makeUnsafe(1) // No skill gets an actor while the set of them changes.
  const children = new Map<string, Child>()
  const started = yield* Latch.make()
  const working = yield* Latch.make() // All have their place, and that was told, before the first one works.
  let gates: Gates = () => ({ open: false, reason: "starting" })

  const work = Effect.fnUntraced(function* (self: AnyActorRef) {
    const watching = yield* Effect.scope
    yield* Effect.addFinalizer(() => Effect.sync(() => children.clear()))
    const skills = yield* Scope.fork(watching, "parallel") // They end side by side: each may take its grace.
    const machine = yield* Effect.provideContext(bind, hands)
    const record = (byMs: number) => Effect.ignore(Effect.flatMap(jumped(byMs), (event) => store.append(event)))
    yield* Effect.forkIn(Stream.runForEach(scheduler.jumps, record), watching)
    const start = (name: string, unsettled = store.ledger.unsettled(name)) =>
      startSkill(name, unsettled, machine, skills, watching, (crash) => supervisor.actor.send({ type: "skill.crashed", ...crash }))
    const startAll = Effect.suspend(() => {
      const unsettled = Map.groupBy(store.ledger.unsettled(), ({ skill }) => skill)
      return Effect.forEach(known.keys(), (name) => start(name, unsettled.get(name) ?? []), { discard: true })
    })
    const open = Effect.asVoid(Effect.all([started.open, Effect.yieldNow, working.open]))
    const supervisor = yield* runMachine(
      plug(supervisorMachine, {
        startAll: fromEffect(() => Effect.andThen(startAll, open)),
        restart: fromEffect(({ input }: { input: { readonly skill: string } }) => changing.withPermit(start(input.skill))),
        quarantine: fromEffect(({ input }: { input: Crash }) =>
          store.append({ type: "skill.quarantined", skill: input.skill, why: `its actor keeps crashing: ${input.reason}` })
        )
      }),
      { input: undefined, inspect: under(inspector, self) }
    )
    shownUnder = supervisor.actor
    released = (skill) => supervisor.actor.send({ type: "skill.released", skill })
    startNew = start
    yield* supervisor.awaitDone
  })
  let shownUnder: AnyActorRef | undefined
  let startNew = (_skill: string): Effect.Effect<void> => Effect.void // Nor is there anybody to start it.
  let released = (_skill: string): void => {} // Before the start of all there is nobody to be told: it starts whoever is not put aside.

  const startSkill = Effect.fnUntraced(function* (
    name: string,
    records: ReadonlyArray<RunRecord>,
    machine: Effect.Success<typeof bind>,
    skills: Scope.Scope,
    watching: Scope.Scope,
    crashed: (crash: Crash) => void
  ) {
    const entry = known.get(name)
    const record = store.ledger.skills.get(name)
    if (entry === undefined || (record?.quarantined !== undefined && record.probe === undefined)) return
    const { definition } = entry
    const own = { current: entry }
    const scope = yield* Scope.fork(skills)
    const nowMs = yield* Clock.currentTimeMillis
    const wish = record?.paused
    const aside = asideOf(record, nowMs)
    const paused = wish && pausedReason(wish)
    const gate = gateOf(definition, paused)
    const mayStart = Latch.makeUnsafe(startsClaimed(gate))
    const unsettled = records.flatMap((run) => (run.phase === "parked" ? [] : [resume(run, definition, nowMs, runs.survives(run.run))]))
    const running = yield* runMachine(machine, {
      id: name,
      input: { name, unsettled, gate, atOnce: atOnce(definition.overlap), aside },
      inspect: under(inspector, shownUnder),
      after: Effect.asVoid(working.await)
    }).pipe(
      Effect.provideService(Entry, own),
      Effect.provideService(Standing, {
        send: (event) => running.actor.send(event),
        setPaused: (reason) => children.get(name)?.setPaused(reason),
        settled: () => settled(name),
        mayStart: Effect.asVoid(mayStart.await)
      }),
      Scope.provide(scope),
      Effect.provideContext(hands)
    )
    const child: Child = {
      get definition() {
        return own.current.definition
      },
      actor: running.actor,
      wishes: Semaphore.makeUnsafe(1),
      gate,
      mayStart,
      paused,
      setPaused: (reason) => {
        child.paused = reason
        regate(child)
      },
      become: (next) => {
        own.current = next
        regate(child) // It may need something else.
        if (running.actor.getSnapshot().status === "active")
          running.actor.send({ type: "skill.changed", atOnce: atOnce(next.definition.overlap) })
      },
      end: Effect.suspend(() => {
        children.delete(name)
        return Effect.andThen(Fiber.interrupt(watcher), Scope.close(scope, Exit.void))
      })
    }
    children.set(name, child)
    const watch = Effect.gen(function* () {
      const exit = yield* Effect.exit(running.awaitDone)
      children.delete(name)
      // Before the crash is told: what its last attempt left must have ended when the next one begins.
      yield* Effect.uninterruptible(Scope.close(scope, Exit.void))
      for (const { run } of running.actor.getSnapshot().context.runs) pools.leave(run)
      const reason = Exit.isFailure(exit) ? shown(Cause.pretty(exit.cause)) : "its actor ended"
      crashed({ skill: name, reason, atMs: yield* Clock.currentTimeMillis })
    })
    const watcher = yield* Effect.forkIn(watch, watching) // Closed before the skills are: a stop is no crash.
  })

  /** Wakes the skills that are due now that a run of this one has ended. */
  const settled = (skill: string): void => {
    for (const { definition } of followers.get(skill) ?? []) {
      const owed = store.ledger.skills.get(definition.name)?.owedAtMs ?? []
      if (owed.length > 0) children.get(definition.name)?.actor.send({ type: "slot.due" })
    }
  }

  const reload = Effect.fn("Supervisor.reload")((next: NextSkills) =>
    changing
      .withPermit(
        reloadSkills(next, {
          known,
          children,
          start: (name) => startNew(name),
          replaced: () => {
            followers = followersOf(known.values())
          }
        })
      )
      .pipe(Effect.provideContext(hands), Effect.forkDetach, Effect.flatMap(Fiber.join))
  )

  const setGates = (changed: Gates): void => {
    gates = changed
    for (const child of children.values()) regate(child)
  }

  const gateOf = (definition: SkillDefinition, paused: string | undefined): Gate => {
    const gate = gates(definition)
    return paused === undefined || !gate.open ? gate : { open: false, reason: paused, claimed: "start" }
  }

  const regate = (child: Child): void => {
    const gate = gateOf(child.definition, child.paused)
    if (sameGate(gate, child.gate) || child.actor.getSnapshot().status !== "active") return
    child.gate = gate
    if (startsClaimed(gate)) child.mayStart.openUnsafe()
    else child.mayStart.closeUnsafe()
    const { open, ...closed } = gate
    child.actor.send(open ? { type: "gate.opened" } : { type: "gate.closed", ...(closed as Closed) })
  }

  const skills = Effect.sync(() => {
    const due = new Map(scheduler.upcoming(Infinity).map(({ skill, dueAtMs }) => [skill, dueAtMs]))
    return [...known.keys()].map((name): SkillState => {
      const child = children.get(name)
      return { name, ...skillState(store.ledger.skills.get(name), child?.paused, child?.actor.getSnapshot()), nextDueAtMs: due.get(name) }
    })
  })

  return Supervisor.of({
    work,
    started: Effect.asVoid(started.await),
    setGates,
    reload,
    ...(yield* byHand({ known, children, released: (skill) => released(skill), settled })),
    skills,
    actor: (skill) => children.get(skill)?.actor
  })
})

/** By the skill that they are due after. */
const followersOf = (entries: Iterable<SkillEntry>): ReadonlyMap<string, ReadonlyArray<SkillEntry>> =>
  Map.groupBy(
    [...entries].filter(({ definition: { schedule } }) => schedule?._tag === "After"),
    ({ definition: { schedule } }) => (schedule as After).skill
  )

const startsClaimed = (gate: Gate): boolean => gate.open || gate.claimed === "start"

const sameGate = (a: Gate, b: Gate): boolean => (a.open ? b.open : !b.open && a.reason === b.reason && a.claimed === b.claimed)
