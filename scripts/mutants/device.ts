/** Gateways on another machine: devices that are let in wrongly, or shown; networks that change. */
import { type Mutant, one } from "./mutant.ts"

const device = "test/layers/Device.test.ts"
const proof = "src/domain/DeviceProof.ts"
const file = "src/layers/Device.ts"

const session = "test/machines/session.test.ts"

export const deviceMutants: ReadonlyArray<Mutant> = [
  one(
    "another network is not noticed",
    "src/machines/session.ts",
    'input: ({ context: { end } }) => end, onDone: "connection"',
    "input: ({ context: { end } }) => end",
    session
  ),
  one("another network overrides what the peer asked for", "src/layers/Network.ts", " || retryAfterMs !== undefined", "", session),
  one("another network matters to who is here", "src/layers/Network.ts", 'distance === "loopback" || ', "", session),

  one("a proof is good for any token", proof, "ts, token, nonce", 'ts, "", nonce', device),
  one("a proof lists its scopes otherwise", proof, 'scopes.join(",")', 'scopes.join(" ")', device),
  one("a device is another one at each start", file, "      write(file, made)\n", "", device),
  one("a device's file is open to others", file, "mode: 0o600, flag", "mode: 0o644, flag", device),
  one("a device's file that is open to others is used", file, "(stat.mode & 0o077) !== 0", "false", device),
  one("a device follows a link", file, "!stat.isFile()", "false", device),
  one("what is in a device's file is shown", file, '? "not a device of ours" : message', "? message : message", device),
  one("a device forgets its token", file, "        yield* attempt(file, () => write(file, { key, token }))\n", "", device),
  one("a device has the shared token alone", "src/layers/Greeting.ts", "token ?? (device === undefined", "token ?? (true", device)
]
