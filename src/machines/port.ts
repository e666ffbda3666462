/** Ports: the named actors a machine needs and a layer plugs in. One that nobody plugged fails as soon as it is started. */
import type { ActorLogic, EventObject, Snapshot } from "xstate"

/** What may be plugged into a port: an actor that takes `Input` and is done with `Output`. `fromEffect` makes them. */
export type Port<Output, Input = void> = ActorLogic<
  Snapshot<Output> & { readonly input: Input | undefined },
  { readonly type: "effect.interrupt" },
  Input,
  any,
  EventObject
>

/** A port that nobody has plugged yet. Its name is the one it has in the machine. */
export const port = <Output, Input = void>(name: string): Port<Output, Input> => ({
  getInitialSnapshot: (_, input) => ({ status: "active", output: undefined, error: undefined, input }),
  getPersistedSnapshot: (snapshot) => snapshot,
  transition: (snapshot) => snapshot,
  start: (_, { id }) => {
    throw new Error(`port "${name}" of actor "${id}" has nobody plugged in`)
  }
})
