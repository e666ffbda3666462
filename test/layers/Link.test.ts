import * as fs from "node:fs"
import * as os from "node:os"
import * as path from "node:path"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Redacted, Result } from "effect"
import { gatewayUrl } from "../../src/domain/GatewayUrl.ts"
import { EmbeddedGateway } from "../../src/gateway/index.ts"
import { Dial } from "../../src/layers/Dial.ts"
import { Gateway } from "../../src/layers/Gateway.ts"
import { historyView } from "../../src/layers/History.ts"
import { linkedOver, mainSession, settle } from "./linked.ts"
import { memory } from "./memoryStore.ts"

const folder = Effect.acquireRelease(
  Effect.sync(() => fs.mkdtempSync(path.join(os.tmpdir(), "holdfast-link-"))),
  (made) => Effect.sync(() => fs.rmSync(made, { recursive: true, force: true }))
)

const eventually = Effect.fnUntraced(function* (what: string, holds: Effect.Effect<boolean>) {
  for (let i = 0; i < 6_000; i++) {
    if (yield* holds) return
    yield* Effect.sleep(10)
  }
  assert.fail(`${what}: not within a minute`)
})

describe("the link over real sockets", () => {
  it.live(
    "reports once and in order to a gateway that fails in every way it knows, and says what is lost meanwhile",
    () =>
      Effect.gen(function* () {
        const token = Redacted.make("secret-token")
        const kept = memory()
        const gateway = yield* EmbeddedGateway.make({ port: 0, token, directory: yield* folder })
        const url = Result.getOrThrow(gatewayUrl(gateway.url))
        const world = yield* linkedOver(Layer.merge(Dial.layer, Gateway.layer(url)), kept, url, token)
        const { control } = gateway
        let settled = 0
        const settleOne = Effect.suspend(() => settle(world.services, `r${settled++}@20261122T060000Z`))
        const mode = (wanted: string) =>
          eventually(
            wanted,
            Effect.sync(() => world.mode() === wanted)
          )
        const delivered = eventually(
          "delivered",
          Effect.sync(() => kept.ledger.outbox.size === 0)
        )

        yield* mode("connected")
        yield* settleOne
        yield* delivered
        yield* control.refuse
        yield* mode("degraded.partitioned")
        yield* eventually(
          "refused",
          Effect.sync(() => world.child("session").context.told === "refused")
        )
        yield* settleOne
        yield* control.accept
        yield* mode("connected")
        yield* control.refuseSessions
        yield* mode("degraded.sessionLost")
        yield* settleOne
        yield* control.acceptSessions
        yield* mode("connected")
        yield* control.failHttp
        yield* mode("degraded.gatewayLost")
        yield* settleOne
        yield* delivered
        yield* control.healHttp
        yield* mode("connected")
        yield* control.loseReplies(1)
        yield* settleOne
        yield* settleOne
        yield* delivered
        yield* control.delayCommit(200)
        yield* control.hang
        yield* settleOne
        yield* mode("degraded.partitioned")
        assert.strictEqual(world.child("gateway").context.told, "silent")
        yield* control.thaw
        yield* delivered
        yield* mode("connected")
        yield* Effect.forkScoped(control.restart(300))
        yield* settleOne
        yield* Effect.sleep(500)
        yield* delivered
        yield* mode("connected")

        const rows = (yield* gateway.transcript(mainSession)).map((row) => /report of r(\d+)@/.exec(JSON.stringify(row))?.[1])
        assert.deepStrictEqual(
          rows,
          Array.from({ length: settled }, (_, i) => String(i))
        )
        yield* eventually(
          "history",
          Effect.sync(() => (kept.views.get(historyView) ?? "").includes(`report of r${settled - 1}@`))
        )
      }),
    90_000
  )
})
