/** Gives the map its hands: one machine over every layer, its modes on record, its gates handed to the skills. */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Queue from "effect/Queue"
import * as Semaphore from "effect/Semaphore"
import * as Stream from "effect/Stream"
import type { Actor } from "xstate"
import { type Problem, Refused, type StorageFailed } from "../domain/Errors.ts"
import { showDuration } from "../domain/durations.ts"
import type { Ledger } from "../domain/Ledger.ts"
import type { Picture } from "../domain/Picture.ts"
import { type Intensity, recent, stableAfterMs } from "../domain/policies/intensity.ts"
import type { RunId } from "../domain/Run.ts"
import { inWords } from "../domain/StorageTrouble.ts"
import { guarantees, type Mode } from "../machines/guarantees.ts"
import { modeOf, type Recovered, type RuntimeEnd, runtimeMachine, type RuntimeSnapshot } from "../machines/runtime.ts"
import { fromEffect, fromStream, plug, runMachine } from "./actor.ts"
import { adopt } from "./Adoption.ts"
import * as GatewayLayer from "./Gateway.ts"
import { Inspection, under } from "./Inspection.ts"
import * as OutboxLayer from "./Outbox.ts"
import { dropEntry, redriveEntries } from "./ParkedEntries.ts"
import type { Process } from "./Process.ts"
import type { NextSkills, Reloaded } from "./Reloading.ts"
import { Run } from "./Run.ts"
import * as SessionLayer from "./Session.ts"
import { Linked } from "./SkillLink.ts"
import { StateStore } from "./StateStore.ts"
import { keepShown, pictureOf } from "./StatusPicture.ts"
import type { Steps } from "./Steps.ts"
import { type Gates, Supervisor } from "./Supervisor.ts"

/** The skills that can run, and what is known of the others. */
export interface ReadSkills extends NextSkills {
  /** Why skills could not be loaded: shown, neither run nor removed. */
  readonly problems: ReadonlyArray<Problem>
}

export interface RuntimeOptions extends ReadSkills {
  /** Reads them again. */
  readonly reread: Effect.Effect<ReadSkills, Problem>
  /** Whether a gateway is configured; the link's layers are then the real ones. */
  readonly linked: boolean
  readonly hold: boolean
  /** How long running skills may take to finish once the runtime was asked to stop, in milliseconds. */
  readonly drainDeadlineMs: number
  /** A clock that shows an earlier instant is not set: nothing is done before it is. */
  readonly clockFromMs: number
  /** How many starts within how long are too many; none at all means that they are not counted. */
  readonly starts: Intensity
  readonly version: string
}

export class Runtime extends Context.Service<
  Runtime,
  {
    readonly actor: Actor<typeof runtimeMachine>
    readonly mode: Effect.Effect<Mode>
    /** The present mode, then each change of it. */
    readonly modes: Stream.Stream<Mode>
    /** Why it is in its mode, in a few words; the present reason, then each change, of which many leave the mode as it is. */
    readonly reasons: Stream.Stream<string>
    readonly picture: Effect.Effect<Picture>
    readonly trigger: (skill: string, key?: string) => Effect.Effect<RunId, Refused | StorageFailed>
    /** Claims runs for slots of the past that got none. */
    readonly backfill: Supervisor["Service"]["backfill"]
    /** The steps of the attempt that is under way, for who asks from outside of it. Refuses with STEP_NOT_EXECUTING. */
    readonly steps: (run: RunId, attempt: number) => Effect.Effect<Steps, Refused>
    /** Keeps a skill's slots from becoming runs, or ends that. */
    readonly pause: Supervisor["Service"]["pause"]
    readonly resume: Supervisor["Service"]["resume"]
    /** Lets a skill that was put aside work again. */
    readonly releaseSkill: Supervisor["Service"]["release"]
    /** Lets a parked run be tried again, or settles it as cancelled. */
    readonly releaseRun: Supervisor["Service"]["releaseRun"]
    readonly cancelRun: Supervisor["Service"]["cancelRun"]
    /** Has a parked report sent again, or all of them with no run; gives those that are. Refuses with ENTRY_NOT_PARKED or ENTRY_GONE. */
    readonly redriveEntries: (run: RunId | undefined, by: string) => Effect.Effect<ReadonlyArray<RunId>, Refused | StorageFailed>
    /** Gives a parked report up. Refuses with ENTRY_NOT_PARKED. */
    readonly dropEntry: (run: RunId, by: string) => Effect.Effect<void, Refused | StorageFailed>
    /** Puts on record that somebody has looked at these skills' files. The next start goes by it, and the next reload. */
    readonly approve: (
      skills: ReadonlyArray<{ readonly skill: string; readonly digest: string }>,
      by: string
    ) => Effect.Effect<void, StorageFailed>
    /**
     * Reads the skills again, as at the start, and takes over what has changed. Refused with RELOAD_REFUSED, and nothing is
     * changed, where something has a problem that it did not have before.
     */
    readonly reload: Effect.Effect<Reloaded, Refused | StorageFailed>
    /** Asks it to stop: nothing new starts, what runs may finish within the deadline. Returns once it has ended. */
    readonly drain: Effect.Effect<RuntimeEnd>
    /** Ends at once: what runs is interrupted, and tried again by the next start. */
    readonly stop: Effect.Effect<RuntimeEnd>
    /** Returns once every skill has its actor, or the runtime has ended instead. */
    readonly started: Effect.Effect<void>
    /** Returns once it has ended, however that came about. */
    readonly ended: Effect.Effect<RuntimeEnd>
  }
>()("holdfast/layers/Runtime") {
  static readonly layer = (options: RuntimeOptions) => Layer.effect(Runtime, make(options))
}

/** How long the last record may take: an end must come, also with a slow disk. */
const goodbyeWithinMs = 5_000

const make = Effect.fnUntraced(function* (options: RuntimeOptions) {
  const store = yield* StateStore
  const supervisor = yield* Supervisor
  const run = yield* Run
  const session = yield* SessionLayer.Session
  const services = yield* Effect.context<StateStore | Process>()
  const startedAtMs = yield* Clock.currentTimeMillis

  const skills = options.entries.map((entry) => entry.definition)
  const machine = plug(runtimeMachine, {
    recover: fromEffect(() =>
      adopt({ version: options.version, skills, unreadable: options.unreadable, clockFromMs: options.clockFromMs }).pipe(
        Effect.map(run.expect),
        Effect.andThen(
          Effect.map(Clock.currentTimeMillis, (nowMs): Recovered => ({ restarts: loopOf(store.ledger, nowMs, options.starts) }))
        ),
        Effect.provideContext(services)
      )
    ),
    supervisor: fromEffect(({ self }) => supervisor.work(self)),
    drain: fromEffect(() => run.awaitIdle),
    storage: fromStream(() =>
      Stream.map(store.condition, (condition) => {
        switch (condition._tag) {
          case "Writable":
            return { type: "storage.writable" } as const
          case "Blocked":
            return { type: "storage.blocked", reason: inWords(condition.reason) } as const
          case "Failed":
            return { type: "storage.failed", reason: condition.reason } as const
        }
      })
    ),
    session: yield* SessionLayer.bind,
    gateway: yield* GatewayLayer.bind,
    outbox: yield* OutboxLayer.bind
  })
  // Acquired before the machine, so released after it: by then every skill has ended and the last word is true.
  yield* Effect.addFinalizer(() => Effect.andThen(show, goodbye))
  const { actor, awaitDone } = yield* runMachine(machine, {
    id: "runtime",
    input: { linked: options.linked, hold: options.hold, drainDeadlineMs: options.drainDeadlineMs },
    inspect: under(yield* Inspection, undefined)
  })
  yield* Effect.addFinalizer(() =>
    Effect.sync(() => {
      if (actor.getSnapshot().status === "active") actor.send({ type: "runtime.stop" })
    })
  )
  const follow = (snapshot: RuntimeSnapshot) => supervisor.setGates(gatesOf(snapshot))
  follow(actor.getSnapshot())
  actor.subscribe({ next: follow, error: () => {} }) // In the same step as the change: no slot starts in a mode that does not fire.
  const modes = Stream.map(snapshotsOf(actor), modeOf).pipe(Stream.changes)
  const reasons = Stream.map(snapshotsOf(actor), reasonOf).pipe(Stream.changes)
  yield* Effect.forkScoped(record(store, actor, modes))

  const { version } = options
  let problems = options.problems
  const picture = pictureOf(actor, { startedAtMs, version, problems: () => problems }).pipe(
    Effect.provideService(StateStore, store),
    Effect.provideService(Linked, yield* Linked),
    Effect.provideService(Supervisor, supervisor),
    Effect.provideService(SessionLayer.Session, session)
  )
  // A disk that refuses must not hold up the end: the next start then sees a crash, and recovers as from one.
  const goodbye = Effect.suspend(() => {
    const snapshot = actor.getSnapshot()
    return snapshot.context.storage !== undefined
      ? Effect.void
      : Effect.ignore(Effect.timeout(store.append({ type: "runtime.stopped", reason: reasonOf(snapshot) }), goodbyeWithinMs))
  })
  const show = Effect.flatMap(picture, (shown) => store.view("status.json", `${JSON.stringify(shown, undefined, 2)}\n`))
  const reloads = yield* Queue.sliding<void>(1)
  yield* Effect.forkScoped(
    keepShown(
      show,
      Stream.merge(
        Stream.fromQueue(reloads),
        Stream.merge(
          Stream.merge(modes, reasons),
          Stream.map(store.events, () => undefined)
        )
      )
    )
  )
  const reloading = Semaphore.makeUnsafe(1)
  const reload = reloading.withPermit(
    Effect.gen(function* () {
      const next = yield* Effect.mapError(options.reread, (problem) => reloadRefused([problem]))
      const before = new Set(problems.map(words))
      const wrong = next.problems.filter((problem) => !before.has(words(problem)))
      if (wrong.length > 0) return yield* reloadRefused(wrong)
      const taken = Effect.tap(supervisor.reload(next), () => {
        problems = next.problems
        return Queue.offer(reloads, undefined) // What is no problem any more is no event.
      })
      return yield* Effect.uninterruptible(taken)
    })
  )

  const ended = Effect.orDie(awaitDone)
  const started = Effect.raceFirst(supervisor.started, Effect.asVoid(ended))
  return Runtime.of({
    actor,
    mode: Effect.sync(() => modeOf(actor.getSnapshot())),
    modes,
    reasons,
    picture,
    trigger: (skill, key) => Effect.andThen(started, supervisor.trigger(skill, key)), // Whoever has the layer may ask at once.
    backfill: (skill, past, wish) => Effect.andThen(started, supervisor.backfill(skill, past, wish)),
    steps: (id, attempt) => Effect.andThen(started, run.steps(id, attempt)), // An attempt that is adopted may ask at once.
    pause: (skill, wish) => Effect.andThen(started, supervisor.pause(skill, wish)),
    resume: (skill, wish) => Effect.andThen(started, supervisor.resume(skill, wish)),
    releaseSkill: (skill, by) => Effect.andThen(started, supervisor.release(skill, by)),
    releaseRun: (id, by) => Effect.andThen(started, supervisor.releaseRun(id, by)),
    cancelRun: (id, by) => Effect.andThen(started, supervisor.cancelRun(id, by)),
    redriveEntries: (id, by) => Effect.provideContext(redriveEntries(id, by), services),
    dropEntry: (id, by) => Effect.provideContext(dropEntry(id, by), services),
    approve: (skills, by) => store.append(...skills.map((one) => ({ type: "skill.approved", ...one, by }) as const)),
    reload: Effect.andThen(started, reload),
    drain: Effect.suspend(() => {
      actor.send({ type: "runtime.drain" })
      return ended
    }),
    stop: Effect.suspend(() => {
      actor.send({ type: "runtime.stop" })
      return ended
    }),
    started,
    ended
  })
})

const words = ({ code, where, got, want, fix }: Problem): string => JSON.stringify([code, where, got, want, fix])

const reloadRefused = (problems: ReadonlyArray<Problem>): Refused => {
  const { code, where, got, want, fix } = problems[0]!
  const count = problems.length === 1 ? "1 new problem" : `${problems.length} new problems, first`
  return new Refused({ code: "RELOAD_REFUSED", where, got: `${count}: ${code}, ${got}`, want, fix: `${fix}; nothing was changed` })
}

/** Which skills may start work in this mode, and what the others wait for. */
export const gatesOf = (snapshot: RuntimeSnapshot): Gates => {
  const mode = modeOf(snapshot)
  const guarantee = guarantees[mode]
  return ({ needs }) => {
    if (guarantee.local !== "fires")
      return {
        open: false,
        reason: `${mode}: ${snapshot.context.storage ?? snapshot.context.restarts ?? (mode === "held" ? "started with --hold" : guarantee.means)}`
      }
    const missing = needs.find((need) => guarantee[need] !== "fires")
    return missing === undefined
      ? { open: true }
      : { open: false, reason: `needs ${missing}, which is down: ${snapshot.context[missing] ?? mode}` }
  }
}

/** Why the runtime is in its mode, in a few words. */
export const reasonOf = ({ context, status }: RuntimeSnapshot): string => {
  if (status === "done") return context.end.reason
  const parts = [
    ["starts", context.restarts],
    ["storage", context.storage],
    ["session", context.session],
    ["gateway", context.gateway]
  ]
  return parts
    .filter(([, reason]) => reason !== undefined && reason !== "notConfigured")
    .map(([part, reason]) => `${part} ${reason}`)
    .join(", ")
}

/** Why nothing fires for a while: the runtime does not stay up. */
const loopOf = ({ startsAtMs }: Ledger, nowMs: number, starts: Intensity): string | undefined => {
  const count = recent(startsAtMs, nowMs, starts).length
  return starts.failuresMax === 0 || count < starts.failuresMax
    ? undefined
    : `${count} within ${showDuration(starts.windowMs)}, none of which lasted ${showDuration(stableAfterMs)}`
}

/** Puts each change of mode on record. The first mode is the start itself, the last one the stop, and both have events of their own. */
const record = (store: StateStore["Service"], actor: Actor<typeof runtimeMachine>, modes: Stream.Stream<Mode>) =>
  Stream.runForEach(modes, (to) =>
    to === "starting" || to === "stopped" || to === "failed"
      ? Effect.void
      : Effect.ignore(store.append({ type: "mode.changed", from: store.ledger.mode, to, reason: reasonOf(actor.getSnapshot()) }))
  )

const snapshotsOf = (actor: Actor<typeof runtimeMachine>): Stream.Stream<RuntimeSnapshot> =>
  Stream.callback((queue) =>
    Effect.acquireRelease(
      Effect.sync(() => {
        Queue.offerUnsafe(queue, actor.getSnapshot())
        const end = () => {
          Queue.endUnsafe(queue)
        }
        return actor.subscribe({
          next: (snapshot) => {
            Queue.offerUnsafe(queue, snapshot)
          },
          complete: end,
          error: end
        })
      }),
      (subscription) => Effect.sync(() => subscription.unsubscribe())
    )
  )
