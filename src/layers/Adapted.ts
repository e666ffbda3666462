/** A way to dial gateways of another kind: an adapter stands between the socket and the session, which does not know of it. */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Queue from "effect/Queue"
import type * as Scope from "effect/Scope"
import type { GatewayAdapter, Turn } from "../domain/GatewayAdapter.ts"
import type { Request } from "../domain/Wire.ts"
import { Dial, failed, type Line, type LineEnd } from "./Dial.ts"

/** Dials as the one below does, and speaks by the adapter. */
export const adapted = (adapter: GatewayAdapter): Layer.Layer<Dial, never, Dial> =>
  Layer.effect(
    Dial,
    Dial.useSync((dial) => ({ connect: (url) => Effect.flatMap(dial.connect(url), (line) => between(adapter, line)) }))
  )

/** Frames that may wait to be taken; then the line below is not read. */
const waitingMax = 256

const between = Effect.fnUntraced(function* (adapter: GatewayAdapter, line: Line): Effect.fn.Return<Line, LineEnd, Scope.Scope> {
  const frames = yield* Queue.bounded<string, LineEnd>(waitingMax)
  const own = yield* attempt(adapter, () => adapter.line())
  const follow = Effect.fnUntraced(function* (turn: () => Turn): Effect.fn.Return<void, LineEnd> {
    const { tell = [], frames: told = [] } = yield* attempt(adapter, turn)
    for (const text of tell) yield* line.send(text)
    for (const frame of told) yield* Queue.offer(frames, JSON.stringify(frame))
  })
  yield* follow(() => own.opened())
  yield* line.take.pipe(
    Effect.flatMap((text) => (text === undefined ? Effect.void : follow(() => own.heard(text)))), // Binary is of no interest.
    Effect.forever,
    Effect.catch((end) => Queue.fail(frames, end)),
    Effect.forkScoped
  )
  return {
    send: (frame) => follow(() => own.asked(JSON.parse(frame) as Request)),
    take: Queue.take(frames),
    ping: line.ping
  }
})

const attempt = <A>({ name }: GatewayAdapter, action: () => A): Effect.Effect<A, LineEnd> =>
  Effect.catch(Effect.try({ try: action, catch: String }), (cause) => failed("notAGateway", `the adapter ${name} failed: ${cause}`))
