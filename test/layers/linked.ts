/** The whole link over a scripted peer and a store in memory, in the runtime's own machine. Skills are left out. */
import { type Context, Effect, Layer, Redacted, Result } from "effect"
import { TestClock } from "effect/testing"
import type { DigestTerms } from "../../src/domain/Backlog.ts"
import { type GatewayUrl, gatewayUrl } from "../../src/domain/GatewayUrl.ts"
import type { EventOf } from "../../src/domain/JournalEvent.ts"
import { fromEffect, runMachine } from "../../src/layers/actor.ts"
import type { Dial } from "../../src/layers/Dial.ts"
import { Gateway, bind as bindGateway } from "../../src/layers/Gateway.ts"
import { History } from "../../src/layers/History.ts"
import { Outbox, bind as bindOutbox } from "../../src/layers/Outbox.ts"
import { Session, bind as bindSession } from "../../src/layers/Session.ts"
import { StateStore } from "../../src/layers/StateStore.ts"
import type { Probe } from "../../src/machines/gateway.ts"
import { type Recovered, linkOf, runtimeMachine } from "../../src/machines/runtime.ts"
import { type Memory, memoryStore } from "./memoryStore.ts"
import type { Peer } from "../../src/testing/ScriptedPeer.ts"

export const mainSession = "agent:main:main"

/** What greetings ask for, and what takes reports by HTTP, where that is not what nobody said anything of gets. */
export interface LinkedWays {
  readonly scopes?: (kept: Memory) => ReadonlyArray<string>
  readonly hooks?: Layer.Layer<never>
}

/** Everything above the peer: one start of the runtime, gone with the scope. The gateway's HTTP is always ready. */
export const linked = (peer: Peer, kept: Memory, digest?: DigestTerms, ways?: LinkedWays) =>
  linkedOver(
    Layer.merge(peer.dial, Layer.succeed(Gateway, { probe: Effect.succeed<Probe>({ _tag: "Ready" }) })),
    kept,
    Result.getOrThrow(gatewayUrl("ws://localhost:3019")),
    Redacted.make("secret-token"),
    digest,
    ways
  )

/** The same over any way to dial and to ask. */
export const linkedOver = Effect.fnUntraced(function* (
  below: Layer.Layer<Dial | Gateway>,
  kept: Memory,
  url: GatewayUrl,
  token: Redacted.Redacted,
  digest?: DigestTerms,
  { scopes, hooks }: LinkedWays = {}
) {
  const services = yield* Layer.build(
    Outbox.layer(digest).pipe(
      Layer.provideMerge(History.layer({ session: mainSession })),
      Layer.provideMerge(Session.layer({ url, token, version: "0.0.0", ...(scopes && { scopes: Effect.sync(() => scopes(kept)) }) })),
      Layer.provideMerge(hooks ?? Layer.empty),
      Layer.provideMerge(Layer.merge(memoryStore(kept), below))
    )
  )
  const [session, gateway, outbox] = yield* Effect.provide(Effect.all([bindSession, bindGateway, bindOutbox]), services)
  const { actor } = yield* runMachine(
    runtimeMachine.provide({
      actors: {
        recover: fromEffect(() => Effect.succeed<Recovered>({ restarts: undefined })),
        supervisor: fromEffect((): Effect.Effect<void> => Effect.never),
        storage: fromEffect((): Effect.Effect<void> => Effect.never),
        drain: fromEffect(() => Effect.void),
        session,
        gateway,
        outbox
      }
    }),
    { input: { linked: true, hold: false, drainDeadlineMs: 1_000 } }
  )
  return {
    services,
    mode: () => linkOf(actor.getSnapshot()),
    status: () => actor.getSnapshot().status,
    child: (name: "session" | "gateway" | "outbox") =>
      actor.getSnapshot().children[name]!.getSnapshot() as { readonly value: unknown; readonly context: any }
  }
})

/** Puts reports on record as if their runs had just settled. */
export const settle = (services: Context.Context<StateStore>, ...runs: ReadonlyArray<string>) => settleWith(services, {}, ...runs)

type Settled = EventOf<"run.settled">
export const settleWith = (
  services: Context.Context<StateStore>,
  { outcome = "success", ...terms }: Partial<Pick<Settled, "outcome">> & Partial<NonNullable<Settled["report"]>>,
  ...runs: ReadonlyArray<string>
) =>
  Effect.provide(
    StateStore.use((store) =>
      Effect.forEach(
        runs,
        (run) =>
          store.append(
            { type: "run.claimed", run, skill: run.split("@")[0]!, slot: 0, fence: 1, digest: "d", missed: 0 },
            {
              type: "run.settled",
              run,
              outcome,
              reason: "",
              startedAtMs: 0,
              durationMs: 1,
              fields: {},
              report: { session: mainSession, text: `report of ${run}`, ...terms }
            }
          ),
        { discard: true }
      )
    ),
    services
  )

/** Passes time in small steps, so that what one step forks has begun before the next. */
export const pass = (ms: number) =>
  Effect.forEach(Array.from({ length: Math.ceil(ms / 50) }), () => TestClock.adjust(Math.min(50, ms)), { discard: true })
