/**
 * A link whose layers are there or not, as outages on the clock say.
 *
 * It tells changes and is silent between them: a question about the present state is answered once that state has changed.
 * So a day of virtual time costs what happens in it, not what a real link asks every two seconds.
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Stream from "effect/Stream"
import { noOddities } from "../../domain/Oddities.ts"
import { sleepLong } from "../../layers/clock.ts"
import { Gateway } from "../../layers/Gateway.ts"
import { History } from "../../layers/History.ts"
import type { Link } from "../../layers/Link.ts"
import { CallFailed, Session, type SessionState } from "../../layers/Session.ts"
import type { Probe } from "../../machines/gateway.ts"
import type { ConnectionEnd } from "../../machines/session.ts"
import { isLost, nextWhen, type Outage, type Part } from "./Outage.ts"

/** A link for one start of a runtime. Nothing is ever delivered over it: skills in such a world report nothing. */
export const outageLink = (outages: ReadonlyArray<Outage>): Link =>
  Layer.mergeAll(
    sessionOf(outages),
    gatewayOf(outages),
    Layer.succeed(History, { has: () => Effect.succeed(false), newest: () => Effect.succeed([]) })
  )

const sessionOf = (outages: ReadonlyArray<Outage>) => {
  const until = waiting(outages, "session")
  let state: SessionState = { _tag: "NotConnected" }
  let told = false
  return Layer.succeed(Session, {
    call: (method) => Effect.fail(new CallFailed({ reason: "notConnected", method, sent: false })),
    state: Effect.sync(() => state),
    changes: Stream.concat(Stream.succeed(state), Stream.never),
    events: Stream.never,
    renew: Effect.void,
    connection: Effect.fnUntraced(function* (opened) {
      const nowMs = yield* Clock.currentTimeMillis
      if (!told && isLost(outages, "session", nowMs)) {
        told = true
        return ended(nowMs, false)
      }
      const sinceMs = yield* until(false)
      state = { _tag: "Connected", bootId: "planned", sinceMs, scopes: [] }
      opened(state.bootId, sinceMs)
      const lostAtMs = yield* until(true)
      state = { _tag: "NotConnected" }
      told = true
      return ended(lostAtMs, true)
    }),
    oddities: Effect.succeed({ counted: noOddities })
  })
}

const gatewayOf = (outages: ReadonlyArray<Outage>) => {
  const until = waiting(outages, "gateway")
  let told: "up" | "down" | undefined
  return Layer.succeed(Gateway, {
    probe: Effect.gen(function* () {
      if (told !== undefined) yield* until(told === "up")
      told = isLost(outages, "gateway", yield* Clock.currentTimeMillis) ? "down" : "up"
      return told === "up" ? ({ _tag: "Ready" } as const) : failing
    })
  })
}

/** Waits until the part is lost, or there again; gives the instant. */
const waiting = (outages: ReadonlyArray<Outage>, part: Part) => (lost: boolean) =>
  Effect.gen(function* () {
    const nowMs = yield* Clock.currentTimeMillis
    const atMs = nextWhen(outages, part, lost, nowMs)
    if (atMs === undefined) return yield* Effect.never
    yield* sleepLong(atMs - nowMs)
    return atMs
  })

const ended = (atMs: number, opened: boolean): ConnectionEnd => ({
  reason: "refused",
  detail: "planned",
  atMs,
  opened,
  chance: 0,
  distance: "loopback"
})

const failing: Probe = { _tag: "Failing", reason: "refused", detail: "planned", chance: 0, distance: "loopback" }
