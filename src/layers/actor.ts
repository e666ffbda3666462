/**
 * The bridge: XState actors whose work is an Effect or a Stream. With `clock.ts` the only place where the two meet.
 *
 * A machine stays a constant: its ports are logic made by `fromEffect`, which carries what it requires in its type.
 * `runMachine` is where requirements and a scope are paid. One fiber per actor: it is interrupted when the actor stops,
 * and closing the scope waits for every finalizer.
 */
import * as Cause from "effect/Cause"
import type * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import * as FiberSet from "effect/FiberSet"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import {
  type Actor,
  type ActorLogic,
  type ActorOptions,
  type ActorSystem,
  type AnyActorRef,
  type AnyEventObject,
  type AnyStateMachine,
  createActor,
  type EventObject,
  fromCallback,
  type InputFrom,
  type OutputFrom,
  type Snapshot
} from "xstate"
import { actorClock } from "./clock.ts"

type AnySystem = ActorSystem<any>

declare const requires: unique symbol
/** A phantom: the services that some logic needs. Never there at run time. */
export interface Needs<R> {
  readonly [requires]?: (_: R) => void
}

export type EffectSnapshot<A, I> = Snapshot<A> & { readonly input: I | undefined }
/** Stops the work and lets its finalizers end before the actor reports `xstate.error.actor.*` of kind `Interrupt`. */
export type EffectActorEvent = { readonly type: "effect.interrupt" }
/** Actor logic made of an Effect that needs `R` and may fail with `E`. */
export interface EffectLogic<A, E, I, R> extends ActorLogic<EffectSnapshot<A, I>, EffectActorEvent, I, AnySystem, EventObject>, Needs<R> {
  readonly _E?: E
}

/** What the body of an actor is given. */
export interface ActorArgs<I> {
  readonly input: I
  readonly id: string
  /** Tells the machine that invoked this actor; after the actor was stopped it tells nobody. */
  readonly sendBack: (event: AnyEventObject) => void
  /** Whether the machine still waits for this actor: not any more once it was stopped, still when it was asked to end (`effect.interrupt`). */
  readonly live: () => boolean
  /** The actor itself, for logic that other actors are to be shown under. */
  readonly self: AnyActorRef
}

/** How an Effect-backed actor ended other than well: an expected failure, a defect, or an interruption from outside. */
export class ActorFailure<E> extends Error {
  readonly _tag = "ActorFailure"
  readonly kind: "Fail" | "Die" | "Interrupt"
  readonly failure: E | undefined
  constructor(reported: Cause.Cause<E>) {
    super(Cause.pretty(reported))
    const expected = reported.reasons.find(Cause.isFailReason)
    this.name = "ActorFailure"
    this.failure = expected?.error
    this.kind = expected !== undefined ? "Fail" : Cause.hasInterruptsOnly(reported) ? "Interrupt" : "Die"
  }
  toJSON() {
    return { _tag: this._tag, kind: this.kind, failure: this.failure, message: this.message }
  }
}

/** Narrows the `unknown` of XState's `onError` to the failures of the logic it came from. */
export const failureOf = <E>(_logic: { readonly _E?: E }, error: unknown): ActorFailure<E> | undefined =>
  error instanceof ActorFailure ? (error as ActorFailure<E>) : undefined

/** An actor that does one piece of work: success is its output, failure and defect are its error, stop is interruption. */
export const fromEffect = <A, E, R, I = void>(
  work: (args: ActorArgs<I>) => Effect.Effect<A, E, R>
): EffectLogic<A, E, I, Exclude<R, Scope.Scope>> => ({
  getInitialSnapshot: (_, input) => ({ status: "active", output: undefined, error: undefined, input }),
  getPersistedSnapshot: (snapshot) => snapshot,
  restoreSnapshot: (snapshot) => snapshot as EffectSnapshot<A, I>,
  start: (snapshot, { self, system, id }) => {
    if (snapshot.status !== "active") return
    const host = hostOf(system, `actor "${id}"`)
    const parent = self._parent
    const body: Body = { fiber: undefined, live: true }
    bodies.set(self, body)
    const sendBack = (event: AnyEventObject) => {
      if (body.live && host.open) parent?.send(event)
    }
    body.fiber = fork(
      host,
      Effect.yieldNow.pipe(
        // Never completes inside the step of the parent that started it.
        Effect.andThen(host.after),
        Effect.andThen(Effect.suspend(() => work({ input: snapshot.input as I, id, sendBack, live: () => body.live, self }))),
        Effect.scoped
      )
    )
    body.fiber.addObserver((exit) => {
      body.fiber = undefined
      if (body.live && host.open) self.send({ type: "effect.exit", exit } as never)
    })
  },
  transition: (snapshot, event: AnyEventObject, { self }) => {
    if (snapshot.status !== "active") return snapshot
    const body = bodies.get(self)
    switch (event.type) {
      case "effect.exit": {
        const exit = event["exit"] as Exit.Exit<A, E>
        return Exit.isSuccess(exit)
          ? { status: "done", output: exit.value, error: undefined, input: undefined }
          : { status: "error", output: undefined, error: new ActorFailure(exit.cause), input: undefined }
      }
      case "effect.interrupt":
        body?.fiber?.interruptUnsafe()
        return snapshot
      case "xstate.stop":
        if (body !== undefined) {
          body.live = false // First: an interruption may run finalizers at once, inside this very transition.
          body.fiber?.interruptUnsafe()
        }
        return { status: "stopped", output: undefined, error: undefined, input: undefined }
      default:
        return snapshot
    }
  }
})

/** An actor that tells its parent each element of a stream, one at a time; the end of the stream is its output. */
export const fromStream = <A extends EventObject, E, R, I = void>(
  stream: (args: ActorArgs<I>) => Stream.Stream<A, E, R>
): EffectLogic<void, E, I, Exclude<R, Scope.Scope>> =>
  fromEffect<void, E, R, I>((args) => Stream.runForEach(stream(args), (event) => Effect.sync(() => args.sendBack(event))))

/** An actor that only listens, without a fiber: for what may be there in thousands. `listen` returns how to stop. */
export const fromListener = <I = void, R = never>(
  listen: (args: Pick<ActorArgs<I>, "input" | "sendBack"> & { readonly services: Context.Context<R> }) => () => void
): EffectLogic<void, never, I, R> =>
  fromCallback<EventObject, I & {}>(({ input, sendBack, system }) =>
    listen({ input, sendBack, services: hostOf(system, "a listener").services as Context.Context<R> })
  ) as never

/** A machine with its ports plugged, and what they need. */
export type Plugged<M extends AnyStateMachine, R> = M & Needs<R>

/** Plugs logic into the ports of a machine; what the logic needs, the machine then needs, nested machines included. */
export const plug = <M extends AnyStateMachine, const P extends Parameters<M["provide"]>[0]["actors"]>(
  machine: M,
  ports: P
): Plugged<M, RequirementsOf<NonNullable<P>[keyof NonNullable<P>]>> => machine.provide({ actors: ports as {} }) as never

/** The services that some logic, or a plugged machine, needs. */
export type RequirementsOf<L> = L extends Needs<infer R> ? (unknown extends R ? never : R) : never

/** A started root actor. */
export interface Running<L extends AnyStateMachine> {
  readonly actor: Actor<L>
  /** Its output; fails with what it failed with. */
  readonly awaitDone: Effect.Effect<OutputFrom<L>, unknown>
}

/**
 * Starts a machine in the current scope with the services at hand. Closing the scope stops the actor, then waits until
 * each of its fibers has ended.
 */
export const runMachine = <L extends AnyStateMachine>(
  machine: L,
  {
    after = Effect.void,
    ...options
  }: {
    readonly input: InputFrom<L>
    readonly id?: string
    readonly inspect?: ActorOptions<L>["inspect"]
    /** What its actors wait for before they work; their states are taken at once. */
    readonly after?: Effect.Effect<void>
  }
): Effect.Effect<Running<L>, never, RequirementsOf<L> | Scope.Scope> =>
  Effect.gen(function* () {
    const services = yield* Effect.context<never>() // All that are at hand: the type says which must be.
    const host: Host = { services, fibers: yield* FiberSet.make<unknown, unknown>(), after, open: true }
    const done = Deferred.makeUnsafe<OutputFrom<L>, unknown>()
    const actor = yield* Effect.acquireRelease(
      Effect.sync(() => {
        const clock = actorClock((timer) => fork(host, timer))
        const root = createActor(machine as AnyStateMachine, { ...options, clock } as ActorOptions<AnyStateMachine>)
        hosts.set(root.system, host)
        root.subscribe({
          // Without an error observer XState throws into the void.
          error: (error) => {
            Deferred.doneUnsafe(done, Exit.fail(error))
          },
          complete: () => {
            Deferred.doneUnsafe(done, Exit.succeed(root.getSnapshot().output))
          }
        })
        return root.start() as unknown as Actor<L>
      }),
      (root) =>
        Effect.sync(() => {
          root.stop()
          host.open = false
        }) // The FiberSet was acquired before, so it is closed, and its fibers awaited, after this.
    )
    return { actor, awaitDone: Deferred.await(done) }
  })

interface Host {
  readonly services: Context.Context<never>
  readonly fibers: FiberSet.FiberSet<unknown, unknown>
  readonly after: Effect.Effect<void>
  open: boolean
}
const hosts = new WeakMap<AnySystem, Host>()

const hostOf = (system: AnySystem, who: string): Host => {
  const host = hosts.get(system)
  if (host === undefined) throw new Error(`${who} works by an Effect and was started outside runMachine`)
  return host
}

interface Body {
  fiber: Fiber.Fiber<unknown, unknown> | undefined
  live: boolean
}
const bodies = new WeakMap<AnyActorRef, Body>()

const fork = <A, E>(host: Host, effect: Effect.Effect<A, E, any>): Fiber.Fiber<A, E> => {
  const fiber = Effect.runForkWith(host.services)(effect as Effect.Effect<A, E>)
  FiberSet.addUnsafe(host.fibers, fiber as Fiber.Fiber<unknown, unknown>)
  return fiber
}
