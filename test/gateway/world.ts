/** An embedded gateway in a folder of its own, gone with the test. */
import * as fs from "node:fs"
import * as os from "node:os"
import * as path from "node:path"
import { Effect, Redacted } from "effect"
import { EmbeddedGateway, type GatewayOptions } from "../../src/gateway/index.ts"

export const folder = Effect.acquireRelease(
  Effect.sync(() => fs.mkdtempSync(path.join(os.tmpdir(), "holdfast-gateway-"))),
  (made) => Effect.sync(() => fs.rmSync(made, { recursive: true, force: true }))
)

export const started = Effect.fnUntraced(function* (change: Partial<GatewayOptions> = {}) {
  const directory = change.directory ?? (yield* folder)
  return yield* EmbeddedGateway.make({ port: 0, token: Redacted.make("secret-token"), directory, ...change })
})
