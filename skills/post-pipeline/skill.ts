/** Publishes up to four queued posts, each as a durable step. */
import { mkdir, readFile, rename, rm, writeFile } from "node:fs/promises"
import { existsSync } from "node:fs"
import { homedir } from "node:os"
import { join } from "node:path"
import type { SkillContext } from "holdfast"
import { publisherOf, Refusal } from "./publish.ts"
import { oldest } from "./queue.ts"

export default async (ctx: SkillContext) => {
  const account = process.env["POSTS_ACCOUNT"] ?? "en"
  const folder = postsFolder()
  const [queue, published, refused] = (await Promise.all(
    ["queue", "published", "refused"].map(async (name) => {
      await mkdir(join(folder, name), { recursive: true })
      return join(folder, name)
    })
  )) as [string, string, string]
  const publish = publisherOf({ folder: join(folder, "out"), endpoint: process.env["POSTS_ENDPOINT"], signal: ctx.signal })

  // Which file is which post is fixed once: files that arrive later, or were moved by a death in the middle, change nothing.
  const plan = await ctx.step("plan", async () =>
    Promise.all(
      (await oldest(queue, postsMax)).map(async (name, i) => ({ name, key: (await keyOf(queue, name)) ?? `${ctx.run}/post-${i + 1}` }))
    )
  )

  const refusals: Array<string> = []
  let posts = 0
  for (const [i, { name, key }] of plan.entries()) {
    const end = await ctx.step(`post-${i + 1}`, async () => {
      const file = join(queue, name)
      const kept = join(published, keptName(key, name))
      if (!existsSync(file)) return existsSync(kept) ? sent : gone // Moved by an attempt that died before its step was recorded.
      await writeFile(keyFile(queue, name), key) // A later run that meets this post again uses the same key.
      const refusal = await publish({ account, name, key, text: await readFile(file, "utf8") }).catch(refusalOf)
      await rename(file, refusal === undefined ? kept : join(refused, keptName(key, name)))
      await rm(keyFile(queue, name), { force: true })
      return refusal ?? sent
    })
    if (end === sent) posts += 1
    else if (end !== gone) refusals.push(`${name} (${end})`)
  }
  if (refusals.length > 0) {
    throw Object.assign(new Error(`${refusals.length} of ${plan.length} posts refused: ${refusals.join(", ")}`), { retryable: false })
  }
  return { posts, account, summary: posts === 0 ? "No posts were queued." : `${posts} posts published for ${account}.` }
}

const postsMax = 4
const sent = "published"
const gone = "gone"

/** Unique to the post and the same for every attempt, so that a file of this name is the proof that it was published. */
const keptName = (key: string, name: string): string => `${key.replace("/", ".")}.${name}`

const keyFile = (queue: string, name: string): string => join(queue, `.${name}.key`)
const keyOf = (queue: string, name: string): Promise<string | undefined> => readFile(keyFile(queue, name), "utf8").catch(() => undefined)

/** A refusal of the post itself is an end like another: the posts behind it go on. */
const refusalOf = (error: unknown): string => {
  if (error instanceof Refusal) return error.message
  throw error
}

const postsFolder = (): string => {
  const workspace = join(homedir(), ".openclaw", "workspace")
  return process.env["POSTS_DIR"] ?? join(existsSync(workspace) ? workspace : join(homedir(), ".holdfast"), "posts")
}
