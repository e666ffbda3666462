import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import { spawn } from "node:child_process"
import * as fs from "node:fs"
import { join } from "node:path"
import { onTestFinished } from "vitest"
import type { Ending } from "../../src/domain/Ending.ts"
import { LinkFailed } from "../../src/domain/LinkFailed.ts"
import type { Need, SkillDefinition } from "../../src/domain/Skill.ts"
import { Process } from "../../src/layers/Process.ts"
import { performModule } from "../../src/layers/SkillHost.ts"
import { Linked } from "../../src/layers/SkillLink.ts"
import { definition, facts, fixture, folder, living, program, until } from "./children.ts"
import { remembered } from "./remembered.ts"

const perform = (
  file: string,
  {
    directory = folder(),
    steps = remembered(),
    attempt = 1,
    ...more
  }: {
    readonly directory?: string
    readonly steps?: ReturnType<typeof remembered>
    readonly attempt?: number
    readonly timeoutMs?: number
    readonly graceMs?: number
    readonly env?: ReadonlyArray<string>
    readonly needs?: ReadonlyArray<Need>
    readonly report?: SkillDefinition["report"]
  } = {}
) =>
  performModule(
    definition({ _tag: "Module", file, folder: folder() }, more),
    facts(directory, { attempt }),
    steps.attempt(),
    () => Effect.void
  ).pipe(Effect.provide(Process.layer))

/** A module of this text, in a folder that knows nothing of the package. */
const written = (text: string, name = "skill.ts") => program(folder(), name, text)

describe("a module skill", () => {
  it.live("gets its run's facts and answers with fields", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(yield* perform(fixture("counting.ts"), { attempt: 2 }), {
        _tag: "Succeeded",
        summary: "Counted.",
        fields: { results: "result 1 result 2 result 3", slot: "2026-11-22T06:00:00.000Z", attempt: 2 }
      })
    })
  )

  it.live("may import the package from a folder that could not resolve it", () =>
    Effect.gen(function* () {
      const file = written(fs.readFileSync(fixture("importing.ts"), "utf8"))
      assert.deepInclude(yield* perform(file), { fields: { resolved: true } })
    })
  )

  it.live("reads the last history, or learns that there is none", () =>
    Effect.gen(function* () {
      const directory = folder()
      assert.deepInclude(yield* perform(fixture("history.ts"), { directory }), { fields: { history: "none" } })
      const history = { session: "agent:main", readAt: "2026-11-22T05:59:00Z", messages: [{ role: "user", text: "Good morning" }] }
      fs.writeFileSync(join(directory, "history.json"), JSON.stringify(history))
      assert.deepInclude(yield* perform(fixture("history.ts"), { directory }), {
        fields: { history: "agent:main", messages: 1, old: true }
      })
    })
  )

  it.live("that is killed between two steps goes on after the last one that was finished", () =>
    Effect.gen(function* () {
      const directory = folder(),
        steps = remembered()
      process.env["DIE_AFTER"] = "2"
      assert.deepInclude(yield* perform(fixture("counting.ts"), { directory, steps, env: ["DIE_AFTER"] }), {
        code: "RUN_SIGNAL",
        retryable: true
      })
      const end = yield* perform(fixture("counting.ts"), { directory, steps, attempt: 2 })
      assert.deepInclude(end._tag === "Succeeded" ? end.fields : end, { results: "result 1 result 2 result 3" })
      const run = "probe@20261122T060000Z"
      assert.strictEqual(fs.readFileSync(join(directory, "done.txt"), "utf8"), `${run}/part-1 1\n${run}/part-2 1\n${run}/part-3 2\n`)
    })
  )

  it.live("does not go on before a step's result is recorded", () =>
    Effect.gen(function* () {
      const directory = folder(),
        steps = remembered()
      const slow = { ...steps, attempt: () => ({ ...steps.attempt(), finish: () => Effect.never }) }
      const running = yield* Effect.forkChild(perform(fixture("counting.ts"), { directory, steps: slow }))
      yield* until(() => fs.existsSync(join(directory, "done.txt")), "the first step")
      yield* Effect.sleep(300)
      assert.isFalse(fs.existsSync(join(directory, "after.txt")))
      yield* Fiber.interrupt(running)
    })
  )

  it.live("sees a refused step as an error", () =>
    Effect.gen(function* () {
      assert.deepInclude(yield* perform(fixture("refused.ts")), { fields: { refused: "STEP_DUPLICATE" } })
    })
  )
})

/** The link as a skill's host reaches it: what was asked of the session and the gateway is answered by this. */
const linkedBy = (answers: Partial<NonNullable<(typeof Linked)["Service"]>>) =>
  Effect.provideService(Linked, {
    session: "agent:main:main",
    history: () => Effect.succeed([{ role: "user", text: "Good morning", at: undefined }]),
    inject: () => Effect.succeed({ already: false }),
    invoke: () => Effect.succeed({ done: true }),
    circuit: Effect.succeed({ state: "closed", failures: 0 }),
    ...answers
  })
const away = new LinkFailed({ reason: "notConnected", need: "session", asked: "chat.inject", retryable: true })

describe("a module that declares what it needs of the link", () => {
  it.live("asks the session and the gateway through its host", () =>
    Effect.gen(function* () {
      const asked: Array<unknown> = []
      const note = (what: unknown) => Effect.sync(() => void asked.push(what))
      const text = `export default async (ctx) => {
        const [first] = await ctx.session.history({ limit: 7 })
        const { already } = await ctx.step("tell", () => ctx.session.inject("Hello", { label: "hello" }))
        const { done } = await ctx.gateway.invoke("sessions_list", { limit: 1 }, { action: "json" })
        return { first: first.text, already, done }
      }`
      const report = { when: "never", session: "agent:main:own" } as const
      const end = yield* perform(written(text), { needs: ["session", "gateway"], report }).pipe(
        linkedBy({
          history: (key, limit) => Effect.as(note([key, limit]), [{ role: "user", text: "Good morning", at: undefined }]),
          inject: ({ label, text }) => Effect.as(note([label, text]), { already: true }),
          invoke: (invocation) => Effect.as(note(invocation), { done: true })
        })
      )
      assert.deepInclude(end, { fields: { first: "Good morning", already: true, done: true } })
      assert.deepStrictEqual(asked, [
        ["agent:main:own", 7],
        ["holdfast run=probe@20261122T060000Z hello", "Hello"],
        { tool: "sessions_list", args: { limit: 1 }, action: "json" }
      ])
    })
  )

  it.live("fails with the class of what it ends by, be it ours or its own, and can look at it first", () =>
    Effect.gen(function* () {
      const down = linkedBy({ inject: () => Effect.fail(away) })
      const ends = [
        ["await ctx.session.inject('x')", ["session"], "link", true],
        ["await ctx.session.inject('x')", [], "config", false],
        ["await ctx.session.inject(7)", ["session"], "terminal", false],
        ["throw Object.assign(new Error('no line'), { class: 'link' })", [], "link", true],
        ["throw Object.assign(new Error('no line'), { code: 'LINK_DOWN', retryable: false })", [], "link", false],
        ["throw Object.assign(new Error('no line'), { class: 'ours' })", [], "retryable", true]
      ] as const
      const made = yield* Effect.forEach(
        ends,
        ([body, needs]) => down(perform(written(`export default async (ctx) => { ${body} }`), { needs })),
        { concurrency: 3 }
      )
      assert.deepStrictEqual(
        made.map((end): ReadonlyArray<unknown> => (end._tag === "Failed" ? [end.code, end.class, end.retryable] : [end])),
        ends.map(([, , named, retryable]) => ["RUN_THREW", named, retryable])
      )
      const looking = `export default (ctx) => ctx.session.inject("x").catch(({ name, reason, need, retryable }) => ({ name, reason, need, retryable }))`
      assert.deepInclude(yield* down(perform(written(looking), { needs: ["session"] })), {
        fields: { name: "LinkFailed", reason: "notConnected", need: "session", retryable: true }
      })
    })
  )

  it.live("goes on with its steps while the gateway takes its time", () =>
    Effect.gen(function* () {
      const directory = folder()
      const text = `import { writeFileSync } from "node:fs"
      export default async (ctx) => {
        const answer = ctx.gateway.invoke("slow")
        await ctx.step("meanwhile", () => writeFileSync(ctx.directory + "/meanwhile", ""))
        return answer
      }`
      const slow = until(() => fs.existsSync(join(directory, "meanwhile")), "the step")
      const end = yield* perform(written(text), { directory, needs: ["gateway"] }).pipe(
        linkedBy({ invoke: () => Effect.as(slow, { waited: true }) })
      )
      assert.deepInclude(end, { fields: { waited: true } })
    })
  )
})

const ends: ReadonlyArray<[string, string, Ending, RegExp, boolean, string?]> = [
  [
    "does not parse",
    "export default async (ctx: any) => {\n  const x = ;\n}\n",
    "MODULE_SYNTAX",
    /skill\.ts:2: Expression expected/,
    false
  ],
  ["is JavaScript that does not parse", "export default 1\n const x = ;\n", "MODULE_SYNTAX", /skill\.mjs:2: /, false, "skill.mjs"],
  ["uses types that do not strip", "enum A { B }\nexport default () => {}", "MODULE_SYNTAX", /skill\.ts:1: /, false],
  ["imports what is not there", "import './gone.ts'\nexport default () => {}", "MODULE_IMPORT_FAILED", /gone\.ts/, false],
  ["imports a name that is not exported", "import { nope } from 'node:fs'\nexport default nope", "MODULE_IMPORT_FAILED", /nope/, false],
  ["throws as it is imported", "throw new Error('boom')", "MODULE_IMPORT_FAILED", /boom/, false],
  ["leaves as it is imported", "process.exit(0)", "RUN_EXIT", /left with 0/, true],
  ["waits as it is imported for what cannot come", "await new Promise(() => {})", "RUN_THREW", /nothing is left to settle/, true],
  ["has no default export", "export const run = () => {}", "MODULE_SHAPE", /got undefined/, false],
  ["throws", "export default () => { throw new TypeError('no such post') }", "RUN_THREW", /^TypeError: no such post$/, true],
  [
    "throws what says not to try again",
    "export default () => { throw Object.assign(new Error('gone'), { retryable: false }) }",
    "RUN_THREW",
    /gone/,
    false
  ],
  [
    "throws behind its own back",
    "export default () => new Promise(() => { setTimeout(() => { throw new Error('late') }, 10) })",
    "RUN_THREW",
    /late/,
    true
  ],
  [
    "rejects unseen",
    "export default () => new Promise(() => { setTimeout(() => { Promise.reject(new Error('unseen')) }, 10) })",
    "RUN_THREW",
    /unseen/,
    true
  ],
  ["waits for what cannot come", "export default () => new Promise(() => {})", "RUN_THREW", /nothing is left to settle/, true],
  ["leaves by itself", "export default () => process.exit(0)", "RUN_EXIT", /left with 0/, true],
  ["leaves with a code", "export default () => { console.error('why'); process.exit(78) }", "RUN_EXIT", /^exit 78: why$/, false],
  ["answers with what is no field", "export default () => ({ posts: [1] })", "RUN_RESULT", /posts: got \[1\]/, false],
  ["answers in a circle", "export default () => { const a = {}; a.a = a; return a }", "RUN_RESULT", /circular/, false],
  ["answers too much", "export default () => ({ text: 'x'.repeat(70_000) })", "RUN_RESULT", /want at most 65536/, false],
  [
    "makes a step of no JSON",
    "export default (ctx) => ctx.step('a', () => ({ when: new Date() }))",
    "STEP_INVALID",
    /result\.when: a Date/,
    false
  ],
  [
    "makes a step too large",
    "export default (ctx) => ctx.step('a', () => 'x'.repeat(1_100_000))",
    "STEP_INVALID",
    /STEP_RESULT_TOO_LARGE/,
    false
  ],
  [
    "speaks on the host's pipe",
    "import { writeSync } from 'node:fs'\nexport default () => { writeSync(3, 'hello\\n') }",
    "RUN_RESULT",
    /descriptor 3/,
    false
  ],
  [
    "floods the host's pipe",
    "import { writeSync } from 'node:fs'\nexport default () => { for (let i = 0; i < 3e7;) try { i += writeSync(3, 'x'.repeat(9_999)) } catch (e) { if (e.code !== 'EAGAIN') throw e } }",
    "RUN_RESULT",
    /descriptor 3/,
    false
  ]
]

describe("a module that", () => {
  it.live.each(ends)("%s fails with its own code", ([, text, code, reason, retryable, name]) =>
    Effect.gen(function* () {
      const end = yield* perform(written(text, name))
      assert.deepInclude(end, { _tag: "Failed", code, retryable })
      assert.match(end._tag === "Failed" ? end.reason : "", reason)
    })
  )

  it.live("hangs while it is imported is timed out", () =>
    Effect.gen(function* () {
      const file = written("setInterval(() => {}, 1000)\nawait new Promise(() => {})\nexport default () => {}")
      assert.deepInclude(yield* perform(file, { timeoutMs: 500 }), { code: "RUN_TIMEOUT" })
    })
  )
})

describe("a host", () => {
  it.live("that is asked to stop lets its skill end by the signal", () =>
    Effect.gen(function* () {
      const directory = folder()
      const end = yield* perform(fixture("listening.ts"), { directory, timeoutMs: 1_500, graceMs: 10_000 })
      assert.strictEqual(fs.readFileSync(join(directory, "heard"), "utf8"), "Error: asked to stop")
      assert.deepInclude(end, { _tag: "Succeeded" })
    })
  )

  it.live("whose skill never looks at the signal stops at once", () =>
    Effect.gen(function* () {
      const directory = folder()
      const running = yield* Effect.forkChild(perform(fixture("deaf.ts"), { directory, graceMs: 600_000 }))
      yield* until(() => fs.existsSync(join(directory, "ready")), "the skill")
      yield* Fiber.interrupt(running)
      assert.deepStrictEqual(
        living(fixture("deaf.ts")).filter((pid) => pid === Number(fs.readFileSync(join(directory, "ready"), "utf8"))),
        []
      )
    })
  )

  it.live("whose runtime is killed ends by itself, and its skill hears of it", () =>
    Effect.gen(function* () {
      for (const name of ["listening.ts", "deaf.ts"]) {
        const directory = folder()
        const runtime = spawn(process.execPath, ["--conditions=holdfast-source", fixture("runtime.ts"), fixture(name), directory], {
          stdio: "inherit"
        })
        onTestFinished(() => {
          runtime.kill("SIGKILL")
        })
        yield* until(() => fs.existsSync(join(directory, "ready")), "the skill")
        const host = Number(fs.readFileSync(join(directory, "ready"), "utf8"))
        runtime.kill("SIGKILL")
        yield* until(() => !living(fixture(name)).includes(host), "the end of the host")
        assert.strictEqual(fs.existsSync(join(directory, "heard")), name === "listening.ts")
      }
    })
  )
})
