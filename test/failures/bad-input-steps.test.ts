/** Steps that must be refused, each with the code that it must be answered by, whatever kind of skill asks for them. */
import { Effect } from "effect"
import { assert, describe, it } from "vitest"
import type { AttemptEnd } from "../../src/domain/Attempt.ts"
import type { SkillFunction } from "../../src/domain/SkillContext.ts"
import { diskMemory } from "../../src/layers/DiskMemory.ts"
import { Disk } from "../../src/layers/Disk.ts"
import { Process } from "../../src/layers/Process.ts"
import { promiseWork } from "../../src/layers/SkillFunction.ts"
import { performModule } from "../../src/layers/SkillHost.ts"
import { linkOf } from "../../src/layers/SkillLink.ts"
import { StateStore } from "../../src/layers/StateStore.ts"
import { withSteps } from "../../src/layers/Steps.ts"
import { definition, facts, folder, program } from "../layers/children.ts"
import { memory, memoryStore } from "../layers/memoryStore.ts"

const run = facts("").run

/** The body of a skill, as text: the same for both kinds. */
type Body = string

/** A skill with this body, as one attempt of it in a folder. */
type Made = (body: Body, attempt?: number) => (directory: string) => Effect.Effect<AttemptEnd, unknown, StateStore | Process | Disk>

const asFunction: Made =
  (body, attempt = 1) =>
  (directory) =>
    Effect.gen(function* () {
      const { default: work } = yield* Effect.promise(
        () => import(written(directory, body)) as Promise<{ readonly default: SkillFunction }>
      )
      const link = yield* linkOf({ needs: [] }, facts(directory))
      return yield* withSteps(run, attempt, (steps) => promiseWork(work)(facts(directory), steps, link))
    })

const asModule: Made =
  (body, attempt = 1) =>
  (directory) =>
    Effect.gen(function* () {
      const file = written(directory, body)
      const skill = definition({ _tag: "Module", file, folder: directory })
      return yield* withSteps(run, attempt, (steps) => performModule(skill, facts(directory), steps, () => Effect.void))
    })

const written = (directory: string, body: Body): string => program(directory, "skill.mjs", `export default async (ctx) => { ${body} }\n`)

const claim = StateStore.use((store) =>
  store.append({ type: "run.claimed", run, skill: "probe", slot: facts("").slotAtMs, fence: 1, digest: "0", missed: 0 })
)

const end = (attempt: ReturnType<Made>): Promise<AttemptEnd> =>
  Effect.runPromise(
    Effect.andThen(claim, attempt(folder())).pipe(
      Effect.provide([memoryStore(memory()), Process.layer]),
      Effect.provideService(Disk, diskMemory().disk)
    )
  )

const twice = `await ctx.step("send", () => 1); await ctx.step("send", () => 2)`

describe.each<[string, Made]>([
  ["a function", asFunction],
  ["a module", asModule]
])("%s", (_, made) => {
  it.each<[what: string, body: Body, reason: string]>([
    ["two steps of one name", twice, `STEP_DUPLICATE at ${run}: got send,`],
    ["two at once", `await Promise.all([1, 2].map((n) => ctx.step("send", () => n)))`, `STEP_DUPLICATE at ${run}: got send,`],
    ["one name in a loop", `for (const n of [1, 2]) await ctx.step("post", () => n)`, `STEP_DUPLICATE at ${run}: got post,`],
    ["an empty name", `await ctx.step("", () => 1)`, `STEP_NAME at ${run}: got , want 1 to 128`],
    ["a name with a slash", `await ctx.step("../x", () => 1)`, `STEP_NAME at ${run}: got ../x,`],
    ["a name with a line feed", `await ctx.step("a\\nb", () => 1)`, `STEP_NAME at ${run}: got a\\u000ab,`],
    ["a name that is too long", `await ctx.step("x".repeat(129), () => 1)`, `STEP_NAME at ${run}: got xxx`],
    ["a date in its result", `await ctx.step("a", () => ({ when: new Date(0) }))`, `STEP_RESULT at ${run}/a: got result.when: a Date,`],
    ["a hole in its result", `await ctx.step("a", () => [1, undefined])`, `STEP_RESULT at ${run}/a: got result[1]: undefined,`],
    ["a circle", `const c = {}; c.c = c; await ctx.step("a", () => c)`, `STEP_RESULT at ${run}/a: got result.c: a circle,`],
    ["NaN", `await ctx.step("a", () => NaN)`, `STEP_RESULT at ${run}/a: got result: NaN,`],
    ["10 MB", `await ctx.step("a", () => "x".repeat(1e7))`, `STEP_RESULT_TOO_LARGE at ${run}/a: got 10000002 bytes,`]
  ])("with %s is refused for good", async (_, body, reason) => {
    const ended = await end(made(body))
    assert.deepInclude(ended, { _tag: "Failed", code: "STEP_INVALID", retryable: false })
    assert.strictEqual(ended._tag === "Failed" ? ended.reason.slice(0, reason.length) : "", reason)
  })

  it.each<[what: string, body: Body, reason: string]>([
    ["asks for none of it", "", "attempt 2 ended without send, which earlier attempts finished"],
    [
      "has another name for it",
      `await ctx.step("post", () => 1)`,
      "attempt 2 began post, which is not on record, and not send, which earlier attempts finished"
    ]
  ])("that has a finished step on record and %s is parked, not failed", async (_, body, reason) => {
    const sent = StateStore.use((store) => store.append({ type: "step.finished", run, attempt: 1, step: "send", result: 1 }))
    const ended = await end((directory) => Effect.andThen(sent, made(body, 2)(directory)))
    assert.deepStrictEqual(ended, { _tag: "Mismatched", reason: `STEP_HISTORY_MISMATCH: ${reason}` })
  })

  it("may try a step again whose work threw, under the same key", async () => {
    const body = `const keys = []
      for (const n of [1, 2, 3]) {
        try { await ctx.step("send", ({ key }) => { keys.push(key); if (n < 3) throw new Error("busy") }) } catch (e) { if (e.message !== "busy") throw e }
      }
      return { keys: keys.join(" ") }`
    assert.deepInclude(await end(made(body)), { _tag: "Succeeded", fields: { keys: `${run}/send ${run}/send ${run}/send` } })
  })

  it("may catch a refusal, whose code tells what it was", async () => {
    const body = `return { code: await ctx.step("a/b", () => 1).catch((error) => error.code) }`
    assert.deepInclude(await end(made(body)), { _tag: "Succeeded", fields: { code: "STEP_NAME" } })
  })
})
