/** Whether this machine has come into another network: no system tells of that in one way, so it is looked at. */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import { networkInterfaces } from "node:os"
import type { ConnectionEnd } from "../machines/session.ts"

/** The addresses of this machine, as one text. A look takes some 50 us. */
export const NetworkNow = Context.Reference<() => string>("holdfast/layers/NetworkNow", {
  defaultValue: () => () => JSON.stringify(Object.entries(networkInterfaces()).map(([name, all]) => [name, all?.map(({ cidr }) => cidr)]))
})

/** How often it is looked, in milliseconds. */
const lookEveryMs = 2_000

/** Done once the network is another one, and worth a try at once: not at a peer on this machine, nor at one that has asked for time. */
export const networkChanged = Effect.fnUntraced(function* ({
  distance,
  retryAfterMs
}: Pick<ConnectionEnd, "distance" | "retryAfterMs">): Effect.fn.Return<void> {
  if (distance === "loopback" || retryAfterMs !== undefined) return yield* Effect.never
  const now = yield* NetworkNow
  const before = now()
  yield* Effect.repeat(Effect.delay(Effect.sync(now), lookEveryMs), { while: (seen) => seen === before })
})
