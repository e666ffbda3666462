/** `up --demo`: a gateway of its own and the shipped skills on a fast schedule, in a folder of their own, touching nothing else. */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { existsSync, mkdirSync, readdirSync, renameSync, writeFileSync } from "node:fs"
import { join, resolve } from "node:path"
import { fileURLToPath } from "node:url"
import { type ConfigInvalid, type ListenFailed, LockHeld, type StateUnusable } from "../domain/Errors.ts"
import { EmbeddedGateway } from "../gateway/index.ts"
import type { HoldfastOptions } from "../layers/Holdfast.ts"
import { acceptable } from "../layers/Place.ts"
import { portDefault } from "./gateway.ts"
import { tokenIn } from "./gatewayToken.ts"
import { invocation } from "./invocation.ts"
import { userStateFolder } from "./place.ts"
import { standing } from "./standing.ts"

export interface Demo {
  readonly options: Pick<HoldfastOptions, "state" | "skillsFolders" | "overrides" | "gateway">
  /** What it did and where to look, a line each. */
  readonly notes: ReadonlyArray<string>
}

/** Where the demo's state is when `--state` names no other place. */
export const demoState = (): string => join(userStateFolder(), "holdfast-demo", "state")

/** Starts the gateway, fills the queue, and keeps filling it; all of it ends with the scope. */
export const startDemo = Effect.fnUntraced(function* (
  given: string | undefined
): Effect.fn.Return<Demo, ConfigInvalid | ListenFailed | StateUnusable | LockHeld, Scope.Scope> {
  const state = given === undefined ? demoState() : resolve(given)
  const files = given === undefined ? join(userStateFolder(), "holdfast-demo") : `${state}-demo`
  yield* acceptable(state) // Before anything is written beside it.
  yield* alone(state) // Before the gateway: two of them on one folder of transcripts would not know of each other.

  const token = yield* tokenIn(join(files, "gateway", "token"))
  const start = (port: number) => EmbeddedGateway.make({ port, token, directory: join(files, "gateway", "transcripts") })
  const gateway = yield* Effect.catchIf(
    start(portDefault),
    ({ code }) => code === "LISTEN_IN_USE",
    () => start(0)
  )

  const posts = join(files, "posts")
  environment({ HOLDFAST_MEMORY_DIR: join(files, "memory"), POSTS_DIR: posts, POSTS_ACCOUNT: "demo", POSTS_ENDPOINT: undefined })
  yield* Effect.forkScoped(feed(join(posts, "queue")))
  return {
    options: {
      state,
      skillsFolders: [shippedSkills()],
      overrides: {
        "daily-memory": { schedule: { every: "15 seconds" }, report: { when: "always" } },
        "post-pipeline": { schedule: { every: "10 seconds" }, report: { when: "always" } }
      },
      gateway: { url: gateway.url, token }
    },
    notes: [
      ...(gateway.port === portDefault ? [] : [`port ${portDefault} is taken, so the demo's gateway listens on ${gateway.port}`]),
      `gateway on ${gateway.url}, transcripts in ${join(files, "gateway", "transcripts")}`,
      `posts in ${posts} (queue, published), memory in ${join(files, "memory")}`,
      `see a gateway fail, and what goes on: ${invocation()} drill session-loss`
    ]
  }
})

/** The skills that come with the package: compiled in `dist/skills`, or as sources in the checkout. */
export const shippedSkills = (): string => {
  const compiled = fileURLToPath(new URL("../skills", import.meta.url))
  return existsSync(compiled) ? compiled : fileURLToPath(new URL("../../skills", import.meta.url))
}

const alone = Effect.fnUntraced(function* (state: string): Effect.fn.Return<void, LockHeld> {
  const { running, pid, since } = yield* standing(state, Date.now())
  if (running !== true) return
  return yield* new LockHeld({
    code: "LOCK_HELD",
    where: state,
    got: `held by pid ${pid} since ${since}`,
    want: "no other runtime on this directory",
    fix: `stop it (kill ${pid}), or choose another --state`
  })
})

/** What the skills read from their environment. A real endpoint or folder that happens to be set must not get the demo's posts. */
const environment = (values: Readonly<Record<string, string | undefined>>): void => {
  for (const [name, value] of Object.entries(values)) {
    if (value === undefined) delete process.env[name]
    else process.env[name] = value
  }
}

/** A few posts at once, then one every few seconds; never more than the skill can publish in a minute. */
const feed = (queue: string) =>
  Effect.gen(function* () {
    mkdirSync(queue, { recursive: true, mode: 0o700 })
    for (let n = 1; ; n++) {
      if (readdirSync(queue).length < queueMax) put(queue, `${Date.now()}-${n}.md`, `Post ${n}: still here, gateway or not.\n`)
      if (n > postsFirst) yield* Effect.sleep(feedEveryMs)
    }
  })
const queueMax = 20
const postsFirst = 6
const feedEveryMs = 4_000

/** By a rename, as the pipeline asks of everybody. */
const put = (queue: string, name: string, text: string): void => {
  writeFileSync(join(queue, `.${name}.tmp`), text)
  renameSync(join(queue, `.${name}.tmp`), join(queue, name))
}
