import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as fs from "node:fs"
import { join } from "node:path"
import type { Fields } from "../../src/domain/SkillContext.ts"
import { folder } from "../layers/children.ts"
import { shipped } from "./shipped.ts"

const said = (role: string, text: string, at?: string) => ({ role, text, ...(at === undefined ? {} : { at }) })
const morning = [
  said("user", "Good morning,\nwhat is up?", "2026-11-22T04:10:00Z"),
  said("assistant", "Rain.", "2026-11-22T04:10:05Z"),
  said("user", "Thanks")
]

const probe = () => {
  const memory = join(folder(), "memory")
  const file = join(memory, "2026-11-22.md")
  return {
    file,
    text: () => fs.readFileSync(file, "utf8"),
    run: (history?: { readonly readAt: string; readonly messages: ReadonlyArray<unknown> }) =>
      Effect.gen(function* () {
        const directory = folder()
        if (history !== undefined) fs.writeFileSync(join(directory, "history.json"), JSON.stringify({ session: "agent:main", ...history }))
        const end = yield* shipped("daily-memory", { directory, env: { HOLDFAST_MEMORY_DIR: memory, TZ: "UTC" } })
        assert.strictEqual(end._tag, "Succeeded", JSON.stringify(end))
        return (end as { readonly fields: Fields }).fields
      })
  }
}
const longAgo = "2026-11-22T05:00:00Z"
const justNow = () => new Date().toISOString()

describe("daily-memory", () => {
  it.live("writes who said how much, when, and each message in one line", () =>
    Effect.gen(function* () {
      const { run, text } = probe()
      assert.deepInclude(yield* run({ readAt: justNow(), messages: morning }), { messages: 3, history: "live" })
      assert.match(text(), /^# 2026-11-22\n\n## 06:00 daily memory\n/)
      assert.include(text(), "- Participants: user (2), assistant (1)\n- From 04:10 to 04:10\n")
      assert.include(text(), "- 04:10 **user** Good morning, what is up?\n- 04:10 **assistant** Rain.\n- --:-- **user** Thanks\n")
    })
  )

  it.live("says that the history is cached, and how old", () =>
    Effect.gen(function* () {
      const { run, text } = probe()
      const readAt = new Date(Date.now() - 7_200_000).toISOString()
      const fields = yield* run({ readAt, messages: morning })
      assert.strictEqual(fields["history"], "cached")
      assert.approximately(fields["history_age_s"] as number, 7_200, 60)
      assert.include(text(), `- History: cached, read ${readAt}, 2 h old when this was written\n`)
    })
  )

  it.live("succeeds without any history and says so, once", () =>
    Effect.gen(function* () {
      const { run, text } = probe()
      assert.deepStrictEqual(yield* run(), { messages: 0, history: "none" })
      const once = text()
      assert.include(once, "No session history was at hand")
      yield* run()
      assert.strictEqual(text(), once)
    })
  )

  it.live("leaves every byte as it is when it runs again with the same history", () =>
    Effect.gen(function* () {
      const { run, text } = probe()
      yield* run({ readAt: justNow(), messages: morning })
      const once = text()
      assert.deepInclude(yield* run({ readAt: longAgo, messages: morning }), { messages: 0 })
      assert.strictEqual(text(), once)
      yield* run()
      assert.strictEqual(text(), once)
    })
  )

  it.live("adds only what is new, and keeps what is there, whoever wrote it", () =>
    Effect.gen(function* () {
      const { run, text, file } = probe()
      yield* run({ readAt: justNow(), messages: morning })
      fs.appendFileSync(file, "\nA note by hand.\n")
      const before = text()
      const messages = [...morning, said("user", "Thanks"), said("user", "<!-- holdfast none -->", "2026-11-22T05:59:00Z")]
      assert.deepInclude(yield* run({ readAt: justNow(), messages }), { messages: 2 })
      assert.isTrue(text().startsWith(before.trimEnd()))
      assert.include(text(), "- Messages: 5, of which 3 stand above\n")
      assert.strictEqual(text().split("**user** Thanks\n").length, 3)
      assert.deepStrictEqual(fs.readdirSync(join(file, "..")), ["2026-11-22.md"])
    })
  )
})
