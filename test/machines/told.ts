/** A parent that does nothing but remember what its child tells it. */
import { Clock, Effect } from "effect"
import { type AnyEventObject, type AnyStateMachine, assign, fromCallback, setup } from "xstate"
import { runMachine } from "../../src/layers/actor.ts"

export interface Told extends AnyEventObject {
  readonly atMs: number
}

/** Runs a machine whose ports are plugged, under a parent, on Effect's clock. `send` and `value` are the child's. */
export const tellingParent = Effect.fnUntraced(function* (child: AnyStateMachine, input?: unknown) {
  const clock = yield* Clock.Clock
  const told: Array<Told> = []
  const { actor } = yield* runMachine(
    setup({ actors: { child, nothing: fromCallback(() => {}) }, actions: { note: () => {} } }).createMachine({
      id: "parent",
      invoke: { id: "child", src: "child", input: () => input },
      on: {
        "*": {
          actions: assign(({ event }) => {
            told.push({ ...event, atMs: clock.currentTimeMillisUnsafe() })
            return {}
          })
        }
      }
    }),
    { input: undefined }
  )
  const ref = () => (actor.getSnapshot() as { children: Record<string, any> }).children["child"]
  return {
    told,
    status: (): string => actor.getSnapshot().status,
    send: (event: AnyEventObject): void => ref().send(event),
    snapshot: (): any => ref().getSnapshot(),
    value: (): unknown => ref().getSnapshot().value
  }
})
