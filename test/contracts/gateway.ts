/** What any gateway has to allow, whatever it speaks: the whole link is held against it, over real sockets. */
import { randomUUID } from "node:crypto"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Redacted, Result, type Scope } from "effect"
import type { GatewayAdapter } from "../../src/domain/GatewayAdapter.ts"
import { gatewayUrl } from "../../src/domain/GatewayUrl.ts"
import { adapted } from "../../src/layers/Adapted.ts"
import { Dial } from "../../src/layers/Dial.ts"
import { Gateway } from "../../src/layers/Gateway.ts"
import { linkedOver, settle } from "../layers/linked.ts"
import { memory } from "../layers/memoryStore.ts"

/** A gateway that runs, whose token is `secret-token`, and how it fails. */
export interface Stand {
  readonly url: string
  readonly adapter: GatewayAdapter | undefined
  /** The runs whose reports the main session holds, in their order. */
  readonly rows: Effect.Effect<ReadonlyArray<string>>
  /** Cuts every connection and takes none. */
  readonly leave: Effect.Effect<void>
  readonly comeBack: Effect.Effect<void>
  /** Keeps the next report, and cuts its connection instead of an answer. */
  readonly loseReply: Effect.Effect<void>
  /** Its HTTP is not ready any more; its sockets are. Nothing where it cannot be brought to that. */
  readonly failHttp: Effect.Effect<void> | undefined
}

export const gatewayContract = (name: string, make: Effect.Effect<Stand, unknown, Scope.Scope>) =>
  describe(`a gateway: ${name}`, () => {
    it.live("is connected, and holds each report once, in the order of the runs' ends", () =>
      Effect.gen(function* () {
        const { world, rows, runs } = yield* linkTo(make)
        yield* becomes(world, "connected")
        yield* settle(world.services, ...runs(0, 10))
        yield* delivered(world)
        assert.deepStrictEqual(yield* rows, runs(0, 10))
      })
    )

    it.live("gets what settled while it was away, and nothing twice when an answer was lost", () =>
      Effect.gen(function* () {
        const { world, stand, rows, runs } = yield* linkTo(make)
        yield* becomes(world, "connected")
        yield* stand.loseReply
        yield* settle(world.services, ...runs(0, 2))
        yield* delivered(world)
        yield* stand.leave
        yield* becomes(world, "degraded.sessionLost", "degraded.partitioned")
        yield* settle(world.services, ...runs(2, 4))
        yield* stand.comeBack
        yield* becomes(world, "connected")
        yield* delivered(world)
        assert.deepStrictEqual(yield* rows, runs(0, 4))
      })
    )

    it.live("takes reports while its HTTP is not ready, which is a mode of its own", ({ skip }) =>
      Effect.gen(function* () {
        const { world, stand, rows, runs } = yield* linkTo(make)
        if (stand.failHttp === undefined) return skip("its HTTP cannot fail alone")
        yield* becomes(world, "connected")
        yield* stand.failHttp
        yield* becomes(world, "degraded.gatewayLost")
        yield* settle(world.services, ...runs(0, 1))
        yield* delivered(world)
        assert.deepStrictEqual(yield* rows, runs(0, 1))
      })
    )

    it.live("turns a wrong token away as unauthorized", () =>
      Effect.gen(function* () {
        const { world } = yield* linkTo(make, "another-token")
        yield* becomes(world, "degraded.sessionLost")
        yield* eventually("unauthorized", () => world.child("session").context.told === "unauthorized")
      })
    )
  })

/** The run of a report, by its label. */
export const runOf = (label: string): string => label.replace("holdfast run=", "")

const linkTo = Effect.fnUntraced(function* (make: Effect.Effect<Stand, unknown, Scope.Scope>, token = "secret-token") {
  const stand = yield* make
  const kept = memory()
  const url = Result.getOrThrow(gatewayUrl(stand.url))
  const dial = stand.adapter === undefined ? Dial.layer : Layer.provide(adapted(stand.adapter), Dial.layer)
  const world = yield* linkedOver(Layer.merge(dial, Gateway.layer(url, stand.adapter)), kept, url, Redacted.make(token))
  // A gateway may hold the reports of earlier links.
  const mark = randomUUID().slice(0, 8)
  return {
    stand,
    world: { ...world, kept },
    runs: (from: number, to: number) => Array.from({ length: to - from }, (_, i) => `r${from + i}-${mark}@20261122T060000Z`),
    rows: Effect.map(stand.rows, (all) => all.filter((run) => run.includes(mark)))
  }
})
type World = Effect.Success<ReturnType<typeof linkTo>>["world"]

const becomes = (world: World, ...modes: ReadonlyArray<string>) => eventually(modes.join(" or "), () => modes.includes(world.mode()))
const delivered = (world: World) => eventually("delivered", () => world.kept.ledger.outbox.size === 0)

const eventually = Effect.fnUntraced(function* (what: string, holds: () => boolean) {
  for (let i = 0; i < 3_000; i++) {
    if (holds()) return
    yield* Effect.sleep(5)
  }
  assert.fail(`${what}: not within 15 s`)
})
