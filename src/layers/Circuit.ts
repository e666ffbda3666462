/** The circuit's hands: lets calls through or keeps them, and tells the machine what came of each. */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Scope from "effect/Scope"
import { admits, circuitMachine, circuitState, type CircuitEvent, type CircuitState } from "../machines/circuit.ts"
import { runMachine } from "./actor.ts"
import { Inspection, under } from "./Inspection.ts"

export interface Circuit {
  readonly state: Effect.Effect<{ readonly state: CircuitState; readonly failures: number }>
  /** Makes the call, or `kept` where none may leave. Failures that are `broken` count; any other is an answer. */
  readonly through: <A, E, R>(call: Effect.Effect<A, E, R>, broken: (error: E) => boolean, kept: () => E) => Effect.Effect<A, E, R>
}

/** A circuit of its own, shown beside the runtime. */
export const makeCircuit: Effect.Effect<Circuit, never, Scope.Scope> = Effect.gen(function* () {
  const inspect = under(yield* Inspection, undefined)
  const { actor } = yield* runMachine(circuitMachine, { id: "circuit", input: undefined, ...(inspect === undefined ? {} : { inspect }) })
  let calls = 0
  return {
    state: Effect.sync(() => {
      const snapshot = actor.getSnapshot()
      return { state: circuitState(snapshot), failures: snapshot.context.failures }
    }),
    through: (call, broken, kept) =>
      Effect.suspend(() => {
        if (!admits(actor.getSnapshot())) return Effect.fail(kept())
        const id = ++calls
        actor.send({ type: "call.begun", call: id })
        return Effect.onExit(call, (exit) => Effect.sync(() => actor.send({ type: endOf(exit, broken), call: id })))
      })
  }
})

const endOf = <A, E>(exit: Exit.Exit<A, E>, broken: (error: E) => boolean): CircuitEvent["type"] => {
  if (Exit.isSuccess(exit)) return "call.answered"
  const failure = exit.cause.reasons.find(Cause.isFailReason)
  return failure === undefined ? "call.abandoned" : broken(failure.error) ? "call.failed" : "call.answered"
}
