/** Where actors can be looked at: every root actor hands its inspection events here, with its place in the tree. */
import * as Context from "effect/Context"
import type { AnyActorRef, InspectionEvent, Observer } from "xstate"

/** What an XState inspector is: a function or an observer of inspection events. */
export type Inspector = ((event: InspectionEvent) => void) | Observer<InspectionEvent>

/** The inspector that the embedder gave, if one was. */
export const Inspection = Context.Reference<Inspector | undefined>("holdfast/layers/Inspection", { defaultValue: () => undefined })

/**
 * The observer for a root actor that belongs under another one. XState knows parents within one system only, and every
 * skill is a system of its own, so the link is added to what the inspector sees. An inspector that throws harms nobody.
 */
export const under = (
  inspector: Inspector | undefined,
  parent: AnyActorRef | undefined
): ((event: InspectionEvent) => void) | undefined => {
  if (inspector === undefined) return undefined
  const tell = typeof inspector === "function" ? inspector : (event: InspectionEvent) => inspector.next?.(event)
  const shown = new WeakMap<AnyActorRef, AnyActorRef>()
  const adopted = (actor: AnyActorRef): AnyActorRef => {
    if (parent === undefined || actor._parent !== undefined) return actor
    above.set(actor, parent)
    const known = shown.get(actor) ?? (Object.create(actor, { _parent: { value: parent } }) as AnyActorRef)
    shown.set(actor, known)
    return known
  }
  return (event) => {
    try {
      tell(parent === undefined ? event : { ...event, rootId: topOf(parent).sessionId, actorRef: adopted(event.actorRef as AnyActorRef) })
    } catch {
      // Looking must not change what is looked at: XState would fail the actor.
    }
  }
}

/** The actors that root actors are shown under. */
const above = new WeakMap<AnyActorRef, AnyActorRef>()

const topOf = (actor: AnyActorRef): AnyActorRef => {
  const parent = actor._parent ?? above.get(actor)
  return parent === undefined ? actor : topOf(parent)
}
