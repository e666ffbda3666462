/** A visit: one connection to the gateway for the few questions of a command. Nothing is dialed again. */
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Context from "effect/Context"
import type * as Scope from "effect/Scope"
import type { ConnectionEnd } from "../machines/session.ts"
import { Dial } from "./Dial.ts"
import type { Peer } from "./Greeting.ts"
import { Session } from "./Session.ts"

/** A session on which calls can be made until the scope closes, or why there is none. */
export const visit = Effect.fn("Visit.visit")(function* (peer: Peer): Effect.fn.Return<Session["Service"], ConnectionEnd, Scope.Scope> {
  const session = Context.get(yield* Layer.build(Session.layer(peer).pipe(Layer.provide(Dial.layer))), Session)
  const opened = yield* Deferred.make<void, ConnectionEnd>()
  yield* session
    .connection(() => Deferred.doneUnsafe(opened, Effect.void))
    .pipe(
      Effect.flatMap((end) => Deferred.fail(opened, end)),
      Effect.forkScoped
    )
  yield* Deferred.await(opened)
  return session
})
