/** How a device proves to a gateway on another machine who it is: by a signature over the gateway's challenge. */
import { createHash, createPublicKey, type KeyObject, sign, verify } from "node:crypto"

/** What goes with `connect`. */
export interface DeviceProof {
  /** The key's fingerprint: SHA-256 of its 32 bytes, in hexadecimal digits. */
  readonly id: string
  /** Ed25519, its 32 bytes as base64url. */
  readonly publicKey: string
  readonly signature: string
  /** The challenge's own instant and word: a proof is good for one connection. */
  readonly signedAt: number
  readonly nonce: string
}

/** What is signed beside the challenge: a proof for one role, scopes and token is none for others. */
export interface Claim {
  readonly clientId: string
  readonly clientMode: string
  readonly role: string
  readonly scopes: ReadonlyArray<string>
  /** The one that is sent, if there is one. */
  readonly token: string | undefined
  readonly platform: string
}

export const prove = (key: KeyObject, claim: Claim, { ts, nonce }: { readonly ts: number; readonly nonce: string }): DeviceProof => {
  const raw = rawOf(createPublicKey(key))
  const id = fingerprint(raw)
  return {
    id,
    publicKey: raw.toString("base64url"),
    signature: sign(null, signed(id, claim, ts, nonce), key).toString("base64url"),
    signedAt: ts,
    nonce
  }
}

/** Whether the proof is of the key that it names, for this claim and this challenge. */
export const isProven = ({ id, publicKey, signature, signedAt, nonce }: DeviceProof, claim: Claim, asked: string): boolean => {
  const raw = Buffer.from(publicKey, "base64url")
  if (raw.length !== rawBytes || id !== fingerprint(raw) || nonce !== asked) return false
  const key = createPublicKey({ key: Buffer.concat([spkiPrefix, raw]), format: "der", type: "spki" })
  return verify(null, signed(id, claim, signedAt, nonce), key, Buffer.from(signature, "base64url"))
}

/** The third version of OpenClaw's text; its last field, the family of the device, is empty. */
const signed = (id: string, { clientId, clientMode, role, scopes, token = "", platform }: Claim, ts: number, nonce: string): Buffer =>
  Buffer.from(["v3", id, clientId, clientMode, role, scopes.join(","), ts, token, nonce, platform.toLowerCase(), ""].join("|"))

const fingerprint = (raw: Uint8Array): string => createHash("sha256").update(raw).digest("hex")

/** An Ed25519 key in its DER form is these twelve bytes, always the same, and its own 32 (RFC 8410). */
const spkiPrefix = Buffer.from("302a300506032b6570032100", "hex")
const rawBytes = 32
const rawOf = (key: KeyObject): Buffer => key.export({ format: "der", type: "spki" }).subarray(spkiPrefix.length)
