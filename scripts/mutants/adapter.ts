/** Gateways of other kinds whose adapters, or what holds them, break the contract. */
import { type Mutant, one } from "./mutant.ts"

const contract = "test/layers/Adapted.test.ts"
const old = "src/domain/adapters/openclaw3.ts"
const plain = "src/domain/adapters/plain.ts"
const layer = "src/layers/Adapted.ts"

export const adapterMutants: ReadonlyArray<Mutant> = [
  one(
    "an old gateway is greeted in the new version",
    old,
    "minProtocol: version, maxProtocol: version",
    "minProtocol: 4, maxProtocol: 4",
    contract
  ),
  one("an old gateway is asked for what it does not know", old, "{ sessionKey, limit: historyLimitMax }", "params", contract),
  one("an old gateway has no session made", old, 'method: "sessions.patch"', 'method: "sessions.create"', contract),
  one("a plain report has another key each time", plain, "key: label", "key: `${label}${id}`", contract),
  one(
    "a plain refusal is no answer",
    plain,
    'return { frames: [{ type: "res", id, ok: false, error: { ...error, message } }] }',
    "return {}",
    contract
  ),
  one("a plain gateway is ready whatever it says", plain, "status >= 200 && status < 300", "status > 0", contract),
  one("an adapter that throws is a defect", layer, "Effect.try({ try: action, catch: String })", "Effect.sync(action)", contract),
  one(
    "an adapter's line goes on after its end",
    layer,
    "Effect.catch((end) => Queue.fail(frames, end)),",
    "Effect.catch(() => Effect.void),",
    contract
  )
]
