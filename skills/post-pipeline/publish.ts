/** Where posts go: a folder, or an endpoint. Either publishes a post once for its key. */
import { link, mkdir, rm, writeFile } from "node:fs/promises"
import { join } from "node:path"

export interface Post {
  readonly account: string
  readonly name: string
  /** The same for every attempt on this post. */
  readonly key: string
  readonly text: string
}

/** Publishes, or rejects: with a `Refusal` when the post itself is at fault, with `retryable: false` when we are. */
export type Publish = (post: Post) => Promise<undefined>

/** The post will never be taken as it is. */
export class Refusal extends Error {}

export const publisherOf = (to: {
  readonly folder: string
  readonly endpoint: string | undefined
  readonly signal: AbortSignal
}): Publish => (to.endpoint === undefined ? toFolder(to.folder) : toEndpoint(to.endpoint, to.signal))

const toFolder =
  (folder: string): Publish =>
  async ({ name, key, text }) => {
    await mkdir(folder, { recursive: true })
    const file = join(folder, `${key.replace("/", ".")}.${name}`)
    const draft = `${file}.tmp`
    await rm(draft, { force: true }) // After a death in the middle it may be another name of the published file.
    await writeFile(draft, text, { flush: true })
    await link(draft, file).catch(alreadyThere) // Whole or not there, and never over another.
    await rm(draft)
    return undefined
  }

const toEndpoint =
  (endpoint: string, signal: AbortSignal): Publish =>
  async ({ account, name, key, text }) => {
    const response = await fetch(endpoint, {
      method: "POST",
      headers: { "content-type": "application/json", "idempotency-key": key },
      body: JSON.stringify({ ...(name.endsWith(".json") ? fieldsOf(text) : { text }), account, name }),
      redirect: "error", // The post goes where the configuration says.
      signal: AbortSignal.any([signal, AbortSignal.timeout(20_000)])
    })
    await response.body?.cancel()
    if (response.ok) return undefined
    if (postAtFault.has(response.status)) throw new Refusal(`status ${response.status}`)
    const passing = response.status >= 500 || tryAgain.has(response.status)
    throw Object.assign(new Error(`${name}: the endpoint answered ${response.status}`), { retryable: passing })
  }

const postAtFault: ReadonlySet<number> = new Set([400, 410, 413, 415, 422])
const tryAgain: ReadonlySet<number> = new Set([408, 425, 429])

const fieldsOf = (text: string): object => {
  let fields: unknown
  try {
    fields = JSON.parse(text)
  } catch {
    throw new Refusal("not JSON")
  }
  if (typeof fields !== "object" || fields === null || Array.isArray(fields)) throw new Refusal("not a JSON object")
  return fields
}

const alreadyThere = (error: NodeJS.ErrnoException): void => {
  if (error.code !== "EEXIST") throw error
}
