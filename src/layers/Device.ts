/**
 * Who this installation is to gateways on other machines: a key of its own, and the token that such a gateway gives for it.
 *
 * Both stand in `device.json` of the state directory, readable by its owner alone. Without the file there is another device, which
 * somebody has to let in anew.
 */
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import { createPrivateKey, generateKeyPairSync, type KeyObject } from "node:crypto"
import * as fs from "node:fs"
import { shown } from "../domain/Errors.ts"
import { type Claim, type DeviceProof, prove } from "../domain/DeviceProof.ts"

export interface Device {
  /** The token that the gateway has given. */
  readonly token: Effect.Effect<Redacted.Redacted | undefined, string>
  /** The proof for one connection. Fails, as the others do, with why the file is of no use. */
  readonly prove: (claim: Claim, challenge: { readonly ts: number; readonly nonce: string }) => Effect.Effect<DeviceProof, string>
  /** Keeps a token in place of the one before. */
  readonly keep: (token: string) => Effect.Effect<void, string>
}

/** The device of this file, which is made when it is first asked for. */
export const deviceIn = (file: string): Device => {
  let known: Known | undefined
  const device = Effect.suspend(() =>
    known === undefined ? Effect.tap(open(file), (opened) => Effect.sync(() => void (known = opened))) : Effect.succeed(known)
  )
  return {
    token: Effect.map(device, ({ token }) => token),
    prove: (claim, challenge) => Effect.map(device, ({ key }) => prove(key, claim, challenge)),
    keep: (text) =>
      Effect.gen(function* () {
        const { key } = yield* device
        const token = Redacted.make(text)
        yield* attempt(file, () => write(file, { key, token }))
        known = { key, token }
      })
  }
}

interface Known {
  readonly key: KeyObject
  readonly token: Redacted.Redacted | undefined
}

const File = Schema.fromJsonString(Schema.Struct({ key: Schema.String, token: Schema.optionalKey(Schema.String) }))

const open = (file: string): Effect.Effect<Known, string> =>
  attempt(file, () => {
    const text = read(file)
    if (text === undefined) {
      const made = { key: generateKeyPairSync("ed25519").privateKey, token: undefined }
      write(file, made)
      return made
    }
    const { key, token } = Schema.decodeUnknownSync(File)(text)
    return { key: createPrivateKey(key), token: token === undefined ? undefined : Redacted.make(token) }
  })

const read = (file: string): string | undefined => {
  const stat = fs.lstatSync(file, { throwIfNoEntry: false })
  if (stat === undefined) return undefined
  if (!stat.isFile()) throw new Error("not a regular file")
  if ((stat.mode & 0o077) !== 0) throw new Error(`open to others: chmod 600 ${file}`)
  return fs.readFileSync(file, "utf8")
}

/** Whole or not at all. */
const write = (file: string, { key, token }: Known): void => {
  const draft = `${file}.new`
  fs.rmSync(draft, { force: true })
  const content = { key: key.export({ format: "pem", type: "pkcs8" }), ...(token === undefined ? {} : { token: Redacted.value(token) }) }
  fs.writeFileSync(draft, `${JSON.stringify(content)}\n`, { mode: 0o600, flag: "wx", flush: true })
  fs.renameSync(draft, file)
}

/** What is wrong with it, never with a part of what is in it. */
const attempt = <A>(file: string, action: () => A): Effect.Effect<A, string> =>
  Effect.try({
    try: action,
    catch: (cause) => {
      const { code, message } = cause as NodeJS.ErrnoException
      return `${shown(file)}: ${code ?? (Schema.isSchemaError(cause) || cause instanceof SyntaxError ? "not a device of ours" : message)}`
    }
  })
