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
import { happenedOf } from "../domain/Oddities.ts"
import { outboxPicture, parkedPicture, type Picture, pictureFormat, skillPicture } from "../domain/Picture.ts"
import { iso } from "../domain/Run.ts"
import type { gatewayMachine } from "../machines/gateway.ts"
import { guarantees } from "../machines/guarantees.ts"
import { modeOf, type runtimeMachine, type RuntimeSnapshot } from "../machines/runtime.ts"
import type { sessionMachine } from "../machines/session.ts"
import { Linked } from "./SkillLink.ts"
import { Session, type SessionOddities } from "./Session.ts"
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
): Effect.fn.Return<Picture, never, Session | StateStore | Supervisor> {
  const { epoch, ledger } = yield* StateStore
  const linked = yield* Linked
  const oddities = yield* Session.use((peer) => peer.oddities)
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
    ...partsOf(snapshot, oddities),
    regions: snapshot.value,
    pid,
    epoch,
    version: start.version,
    startedAt: iso(start.startedAtMs),
    updatedAt: iso(yield* Clock.currentTimeMillis),
    skills: skills.map((skill) => skillPicture(ledger, skill)),
    problems: [...start.problems(), ...linkProblems(snapshot, oddities)].map(plain),
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

const plain = ({ code, where, got, want, fix }: Problem): Problem => ({ code, where, got, want, fix })

type Children = {
  readonly session?: ActorRefFrom<typeof sessionMachine>
  readonly gateway?: ActorRefFrom<typeof gatewayMachine>
}

/** What each part of the link is doing, in one word. */
const partsOf = ({ children }: RuntimeSnapshot, { counted, misread }: SessionOddities): Pick<Picture, "session" | "gateway"> => {
  const { session, gateway } = children as Children
  return {
    ...(session === undefined
      ? {}
      : {
          session: { state: stateIn(session), counted: happenedOf(counted), ...(misread === undefined ? {} : { misread: plain(misread) }) }
        }),
    ...(gateway === undefined ? {} : { gateway: { state: stateIn(gateway) } })
  }
}

const stateIn = (actor: NonNullable<Children["session"] | Children["gateway"]>): string => {
  const { value } = actor.getSnapshot()
  const words = JSON.stringify(value)
  return linkStates.find((state) => words.includes(`"${state}"`)) ?? words
}
/** The first that stands in a state's value: a slow part is up as well. */
const linkStates = ["slow", "up", "steadying", "connecting", "rejected", "waiting", "down", "probing"]

/** What a person has to mend before the link can be whole, or would want to know of it. */
export const linkProblems = ({ context, children }: RuntimeSnapshot, { skew }: Pick<SessionOddities, "skew">): ReadonlyArray<Problem> => {
  const { session, gateway } = children as Children
  const ofSession = context.session && session?.getSnapshot().context.end
  const ofGateway = context.gateway && gateway?.getSnapshot().context.failing
  return [
    ofSession?.problem && linkProblem("session", ofSession.problem, ofSession.detail),
    ofGateway?.problem && linkProblem("gateway", ofGateway.problem, ofGateway.detail),
    skew
  ].filter((problem) => problem !== undefined)
}
