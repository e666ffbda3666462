/** The device that this installation is to gateways on other machines, greeted by the embedded gateway, which checks each proof. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Redacted, Result } from "effect"
import { chmodSync, mkdtempSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { gatewayUrl } from "../../src/domain/GatewayUrl.ts"
import { EmbeddedGateway } from "../../src/gateway/index.ts"
import { deviceIn } from "../../src/layers/Device.ts"
import { Dial } from "../../src/layers/Dial.ts"
import { greet } from "../../src/layers/Greeting.ts"

const folder = Effect.acquireRelease(
  Effect.sync(() => mkdtempSync(join(tmpdir(), "holdfast-device-"))),
  (path) => Effect.sync(() => rmSync(path, { recursive: true, force: true }))
)
const claim = { clientId: "gateway-client", clientMode: "backend", role: "operator", scopes: [], token: undefined, platform: "linux" }
const challenge = { ts: 1, nonce: "n" }

/** How a gateway whose token is `secret` answers this file's device: with its words where it turns it away. */
const greeted = Effect.fnUntraced(function* (path: string, token: string | undefined, file: string) {
  const { url } = yield* EmbeddedGateway.make({ port: 0, token: Redacted.make("secret"), directory: join(path, "transcripts") })
  const peer = {
    url: Result.getOrThrow(gatewayUrl(url)),
    token: token === undefined ? undefined : Redacted.make(token),
    version: "1.0.0",
    device: deviceIn(join(path, file))
  }
  const dial = yield* Effect.provide(Dial, Layer.fresh(Dial.layer))
  return yield* greet(dial, peer, () => Effect.void).pipe(
    Effect.scoped,
    Effect.map(({ hello }) => hello.auth?.scopes?.length),
    Effect.catch((end) => Effect.succeed(end.detail))
  )
})

describe("a device", () => {
  it.live("is let in by the gateway's token once, and by its own from then on", () =>
    Effect.gen(function* () {
      const path = yield* folder
      assert.match(String(yield* greeted(path, undefined, "device.json")), /token missing/)
      assert.strictEqual(yield* greeted(path, "secret", "device.json"), 3)
      assert.strictEqual(yield* greeted(path, undefined, "device.json"), 3)
      const file = join(path, "device.json")
      assert.strictEqual(statSync(file).mode & 0o777, 0o600)
      // Another device's token is none for this one.
      const { token } = JSON.parse(readFileSync(file, "utf8")) as { token: string }
      assert.match(String(yield* greeted(path, token, "other.json")), /token mismatch/)
    })
  )

  it.live("is the same one for as long as its file is there", () =>
    Effect.gen(function* () {
      const file = join(yield* folder, "device.json")
      const [first, again] = [yield* deviceIn(file).prove(claim, challenge), yield* deviceIn(file).prove(claim, challenge)]
      assert.deepStrictEqual(first, again)
      rmSync(file)
      assert.notStrictEqual((yield* deviceIn(file).prove(claim, challenge)).id, first.id)
    })
  )

  it.live("signs as the real gateway wants it: a known key, claim and challenge", () =>
    Effect.gen(function* () {
      const file = join(yield* folder, "device.json")
      const key = `-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEIJ1hsZ3v/VpguoRK9JLsLMREScVpezJpGXA7rAMcrn9g\n-----END PRIVATE KEY-----\n`
      writeFileSync(file, JSON.stringify({ key }), { mode: 0o600 })
      assert.deepStrictEqual(yield* deviceIn(file).prove({ ...claim, scopes: ["a", "b"], token: "t" }, challenge), known)
    })
  )

  const unusable: ReadonlyArray<readonly [what: string, put: (file: string) => void, words: RegExp]> = [
    ["open to others", (file) => (writeFileSync(file, "{}"), chmodSync(file, 0o640)), /open to others: chmod 600/],
    ["a link", (file) => symlinkSync("/dev/null", file), /not a regular file/],
    ["not JSON", (file) => writeFileSync(file, "secret-text", { mode: 0o600 }), /not a device of ours$/],
    ["without a key", (file) => writeFileSync(file, `{"token":"secret-text"}`, { mode: 0o600 }), /not a device of ours$/],
    ["no key", (file) => writeFileSync(file, `{"key":"secret-text"}`, { mode: 0o600 }), /ERR_|not a device of ours/]
  ]
  for (const [what, put, words] of unusable) {
    it.live(`whose file is ${what} is refused, and nothing of it shown`, () =>
      Effect.gen(function* () {
        const file = join(yield* folder, "device.json")
        put(file)
        const detail = yield* Effect.flip(deviceIn(file).prove(claim, challenge))
        assert.match(detail, words)
        assert.notInclude(detail, "secret-text")
      })
    )
  }
})

/** The key of the first test of RFC 8032, 7.1. Such a proof was taken by OpenClaw 2026.9.6, which pairs by it. */
const known = {
  id: "21fe31dfa154a261626bf854046fd2271b7bed4b6abe45aa58877ef47f9721b9",
  publicKey: "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo",
  signature: "z5fFybb-m1tExSPFvLN4GwFc5nYmLwjP4MhqBcJqhFIMEfcuIfl2dC1eZLbsvMO5AaO-YatJ05nQYLh6JkjKBQ",
  signedAt: 1,
  nonce: "n"
}
