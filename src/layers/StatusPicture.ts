/** `status.json`: the whole picture, looked at when something has changed and written anew. */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Queue from "effect/Queue"
import * as Stream from "effect/Stream"
import { pid } from "node:process"
import type { Actor, ActorRefFrom } from "xstate"
import type { Problem } from "../domain/Errors.ts"
import { linkProblem } from "../domain/LinkProblem.ts"
import { outboxPicture, parkedPicture, type Picture, pictureFormat, skillPicture } from "../domain/Picture.ts"
import { iso } from "../domain/Run.ts"
import type { gatewayMachine } from "../machines/gateway.ts"
import { guarantees } from "../machines/guarantees.ts"
import { modeOf, type runtimeMachine, type RuntimeSnapshot } from "../machines/runtime.ts"
import type { sessionMachine } from "../machines/session.ts"
import { Linked } from "./SkillLink.ts"
import { StateStore } from "./StateStore.ts"
import { Supervisor } from "./Supervisor.ts"

/**
 * How often it is shown, in milliseconds: after a change no sooner than `everyMs` after the last time, which is often enough for people
 * and scripts, and cheap; and without one each `atLeastEveryMs`. A file older than that, and then some, was left by a runtime that is
 * no more. Override it where time is virtual and nobody looks.
 */
export const PicturePace = Context.Reference<{ readonly everyMs: number; readonly atLeastEveryMs: number }>("holdfast/layers/PicturePace", {
  defaultValue: () => ({ everyMs: 250, atLeastEveryMs: 30_000 })
})

/** How everything stands at this moment. */
export const pictureOf = Effect.fnUntraced(function* (
  actor: Actor<typeof runtimeMachine>,
  start: { readonly startedAtMs: number; readonly version: string; readonly problems: () => ReadonlyArray<Problem> }
): Effect.fn.Return<Picture, never, StateStore | Supervisor> {
  const { epoch, ledger } = yield* StateStore
  const linked = yield* Linked
  const skills = yield* Supervisor.use((supervisor) => supervisor.skills)
  const snapshot = actor.getSnapshot()
  const mode = modeOf(snapshot)
  const { means, ...guarantee } = guarantees[mode]
  const { session, gateway, storage, restarts } = snapshot.context
  return {
    format: pictureFormat,
    mode,
    means,
    guarantee,
    reasons: {
      ...(session === undefined ? {} : { session }),
      ...(gateway === undefined ? {} : { gateway }),
      ...(storage === undefined ? {} : { storage }),
      ...(restarts === undefined ? {} : { starts: restarts })
    },
    ...(linked === undefined ? {} : { circuit: yield* linked.circuit }),
    regions: snapshot.value,
    pid,
    epoch,
    version: start.version,
    startedAt: iso(start.startedAtMs),
    updatedAt: iso(yield* Clock.currentTimeMillis),
    skills: skills.map((skill) => skillPicture(ledger, skill)),
    problems: [...start.problems(), ...linkProblems(snapshot)].map(({ code, where, got, want, fix }) => ({ code, where, got, want, fix })),
    parkedRuns: parkedPicture(ledger),
    slots: ledger.slots,
    outbox: outboxPicture(ledger)
  }
})

/** Shows the picture at the start, after changes, and now and then; of many changes at once it shows what they came to. */
export const keepShown = Effect.fnUntraced(function* (show: Effect.Effect<void>, changes: Stream.Stream<unknown>) {
  const { everyMs, atLeastEveryMs } = yield* PicturePace
  const changed = yield* Queue.sliding<void>(1)
  yield* Effect.forkChild(Stream.runForEach(changes, () => Queue.offer(changed, undefined)))
  for (;;) {
    yield* show
    yield* Effect.sleep(everyMs)
    yield* Effect.timeoutOption(Queue.take(changed), atLeastEveryMs)
  }
})

/** What a person has to mend before the link can be whole. */
export const linkProblems = ({ context, children }: RuntimeSnapshot): ReadonlyArray<Problem> => {
  const session = (children.session as ActorRefFrom<typeof sessionMachine> | undefined)?.getSnapshot().context.end
  const gateway = (children.gateway as ActorRefFrom<typeof gatewayMachine> | undefined)?.getSnapshot().context.failing
  return [
    context.session && linkProblem("session", context.session, session?.detail ?? ""),
    context.gateway && linkProblem("gateway", context.gateway, gateway?.detail ?? "")
  ].filter((problem) => problem !== undefined)
}
