import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as fs from "node:fs"
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import { join } from "node:path"
import { onTestFinished } from "vitest"
import { folder } from "../layers/children.ts"
import { remembered } from "../layers/remembered.ts"
import { shipped } from "./shipped.ts"

const run = "post-pipeline@20261122T090000Z"

/** A queue of posts, the first one the oldest. */
const queued = (...names: ReadonlyArray<string>) => {
  const posts = folder()
  fs.mkdirSync(join(posts, "queue"))
  names.forEach((name, i) => {
    fs.writeFileSync(join(posts, "queue", name), name.endsWith(".json") ? `{"title":"${name}"}` : `Text of ${name}.`)
    fs.utimesSync(join(posts, "queue", name), 1_000 + i, 1_000 + i)
  })
  const list = (name: string) => (fs.existsSync(join(posts, name)) ? fs.readdirSync(join(posts, name)).toSorted() : [])
  return { posts, names: list, text: (name: string) => fs.readFileSync(join(posts, name), "utf8") }
}

/** An endpoint that answers the n-th request as told, and 201 from then on. */
const endpoint = (...answers: ReadonlyArray<number>) => {
  const requests: Array<{ readonly key: string; readonly body: Record<string, unknown> }> = []
  const server = createServer((request, response) => {
    let text = ""
    request
      .on("data", (chunk) => {
        text += chunk
      })
      .on("end", () => {
        requests.push({ key: String(request.headers["idempotency-key"]), body: JSON.parse(text) })
        response.writeHead(answers[requests.length - 1] ?? 201).end()
      })
  })
  onTestFinished(() => {
    server.close()
  })
  return Effect.callback<{ readonly url: string; readonly requests: typeof requests }>((resume) => {
    server.listen(0, "127.0.0.1", () => {
      resume(Effect.succeed({ url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/posts`, requests }))
    })
  })
}

const five = ["a.md", "b.md", "c.json", "d.md", "e.md"]
const kept = (n: number, name: string) => `${run}.post-${n}.${name}`

/** Steps of a runtime under which the host is killed with -9 when a step is finished: just before it is recorded, or just after. */
const killedAt = (steps: ReturnType<typeof remembered>, step: string, when: "before" | "after") => {
  let pid = 0
  const kill = Effect.andThen(
    Effect.sync(() => process.kill(pid, "SIGKILL")),
    Effect.never
  )
  return {
    onSpawned: (identity: { readonly pid: number }) =>
      Effect.sync(() => {
        pid = identity.pid
      }),
    steps: {
      ...steps,
      attempt: () => {
        const attempt = steps.attempt()
        return {
          ...attempt,
          finish: (name: string, result: unknown) =>
            name !== step ? attempt.finish(name, result) : when === "before" ? kill : Effect.andThen(attempt.finish(name, result), kill)
        }
      }
    }
  }
}

describe("post-pipeline", () => {
  it.live("succeeds with nothing to do, and shows where posts go", () =>
    Effect.gen(function* () {
      const posts = folder()
      assert.deepInclude(yield* shipped("post-pipeline", { run, env: { POSTS_DIR: posts } }), {
        _tag: "Succeeded",
        fields: { posts: 0, account: "en" }
      })
      assert.deepStrictEqual(fs.readdirSync(posts).toSorted(), ["published", "queue", "refused"])
    })
  )

  it.live("publishes the four oldest posts into a folder and leaves the rest", () =>
    Effect.gen(function* () {
      const { posts, names, text } = queued(...five)
      fs.symlinkSync("/etc/passwd", join(posts, "queue", "link.md"))
      const end = yield* shipped("post-pipeline", { run, env: { POSTS_DIR: posts, POSTS_ACCOUNT: "ja" } })
      assert.deepInclude(end, { _tag: "Succeeded", fields: { posts: 4, account: "ja" } })
      const four = five.slice(0, 4).map((name, i) => kept(i + 1, name))
      assert.deepStrictEqual(names("out"), four)
      assert.deepStrictEqual(names("published"), four)
      assert.deepStrictEqual(names("queue"), ["e.md", "link.md"])
      assert.strictEqual(text(`out/${four[0]}`), "Text of a.md.")
    })
  )

  it.live("sends posts to an endpoint as JSON, each under the key of its step", () =>
    Effect.gen(function* () {
      const { posts, names } = queued("a.md", "c.json")
      const { url, requests } = yield* endpoint()
      assert.deepInclude(yield* shipped("post-pipeline", { run, env: { POSTS_DIR: posts, POSTS_ENDPOINT: url } }), {
        fields: { posts: 2, account: "en" }
      })
      assert.deepStrictEqual(requests, [
        { key: `${run}/post-1`, body: { text: "Text of a.md.", account: "en", name: "a.md" } },
        { key: `${run}/post-2`, body: { title: "c.json", account: "en", name: "c.json" } }
      ])
      assert.deepStrictEqual(names("out"), [])
    })
  )

  it.live.each(["before", "after"] as const)(
    "killed -9 just %s post 2 is recorded goes on where it was, and publishes each of the four once",
    (when) =>
      Effect.gen(function* () {
        const { posts, names } = queued(...five)
        const steps = remembered(run)
        const env = { POSTS_DIR: posts }
        assert.deepInclude(yield* shipped("post-pipeline", { run, env, ...killedAt(steps, "post-2", when) }), { code: "RUN_SIGNAL" })
        assert.strictEqual(names("published").length, 2)
        fs.writeFileSync(join(posts, "queue", "older.md"), "Came in between.")
        fs.utimesSync(join(posts, "queue", "older.md"), 1, 1)
        assert.deepInclude(yield* shipped("post-pipeline", { run, env, steps, attempt: 2 }), { fields: { posts: 4, account: "en" } })
        assert.deepStrictEqual(
          names("out"),
          five.slice(0, 4).map((name, i) => kept(i + 1, name))
        )
        assert.deepStrictEqual(names("published"), names("out"))
        assert.deepStrictEqual(names("queue"), ["e.md", "older.md"])
      })
  )

  it.live("killed between a publication and its record sends no post a second time", () =>
    Effect.gen(function* () {
      const { posts } = queued(...five)
      const steps = remembered(run),
        { url, requests } = yield* endpoint()
      const env = { POSTS_DIR: posts, POSTS_ENDPOINT: url }
      yield* shipped("post-pipeline", { run, env, ...killedAt(steps, "post-2", "before") })
      yield* shipped("post-pipeline", { run, env, steps, attempt: 2 })
      assert.deepStrictEqual(
        requests.map(({ key }) => key),
        [1, 2, 3, 4].map((n) => `${run}/post-${n}`)
      )
    })
  )

  it.live("is tried again after 503, with the same key, also by a later run", () =>
    Effect.gen(function* () {
      const { posts } = queued("a.md", "b.md")
      const steps = remembered(run),
        { url, requests } = yield* endpoint(201, 503, 503)
      const env = { POSTS_DIR: posts, POSTS_ENDPOINT: url }
      assert.deepInclude(yield* shipped("post-pipeline", { run, env, steps }), {
        code: "RUN_THREW",
        reason: "b.md: the endpoint answered 503",
        retryable: true
      })
      assert.deepInclude(yield* shipped("post-pipeline", { run, env, steps, attempt: 2 }), { retryable: true })
      const later = "post-pipeline@20261122T120000Z"
      assert.deepInclude(yield* shipped("post-pipeline", { run: later, env, steps: remembered(later) }), {
        fields: { posts: 1, account: "en" }
      })
      assert.deepStrictEqual(
        requests.map(({ key }) => key),
        [1, 2, 2, 2].map((n) => `${run}/post-${n}`)
      )
    })
  )

  it.live("sets a refused post aside, publishes the others, and fails for good", () =>
    Effect.gen(function* () {
      const { posts, names } = queued("a.md", "b.md", "c.json")
      const { url } = yield* endpoint(201, 422)
      const end = yield* shipped("post-pipeline", { run, env: { POSTS_DIR: posts, POSTS_ENDPOINT: url } })
      assert.deepInclude(end, { code: "RUN_THREW", reason: "1 of 3 posts refused: b.md (status 422)", retryable: false })
      assert.deepStrictEqual([names("queue"), names("refused"), names("published").length], [[], [kept(2, "b.md")], 2])
    })
  )

  it.live("keeps its queue when the endpoint refuses us", () =>
    Effect.gen(function* () {
      const { posts, names } = queued("a.md")
      const { url } = yield* endpoint(401)
      assert.deepInclude(yield* shipped("post-pipeline", { run, env: { POSTS_DIR: posts, POSTS_ENDPOINT: url } }), {
        code: "RUN_THREW",
        retryable: false
      })
      assert.deepStrictEqual(
        names("queue").filter((name) => !name.startsWith(".")),
        ["a.md"]
      )
    })
  )
})
