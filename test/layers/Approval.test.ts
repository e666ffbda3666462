/** Skill files that run only as somebody has approved them: in one state directory, over several starts. */
import { Effect, Layer, type Scope } from "effect"
import * as fs from "node:fs"
import { join } from "node:path"
import { assert, describe, it } from "vitest"
import { Disk } from "../../src/layers/Disk.ts"
import { type HoldfastOptions, layer } from "../../src/layers/Holdfast.ts"
import { Runtime } from "../../src/layers/Runtime.ts"
import { promiseWork } from "../../src/layers/SkillFunction.ts"
import { StateStore } from "../../src/layers/StateStore.ts"
import { journalIn } from "../journal.ts"
import { folder, until } from "./children.ts"

/** A skill `post` that leaves the word of its script in `ran`, and a place for it. */
const place = () => {
  const [state, skills] = [folder(), folder()]
  const at = join(skills, "post")
  fs.mkdirSync(at)
  const script = (word: string) => fs.writeFileSync(join(at, "work.sh"), `#!/bin/sh\necho ${word} >> ran\n`, { mode: 0o755 })
  const settings = (more: string) =>
    fs.writeFileSync(
      join(at, "SKILL.md"),
      `---\nname: post\nmetadata: { holdfast: { run: [./work.sh], schedule: { every: 1 hour }, ${more} } }\n---\n`
    )
  script("first")
  settings("")
  return {
    state,
    skills,
    at,
    script,
    settings,
    ran: () => (fs.existsSync(join(at, "ran")) ? fs.readFileSync(join(at, "ran"), "utf8").trim() : "")
  }
}
type Place = ReturnType<typeof place>

/** One start there. */
const start = <A, E>(
  { state, skills }: Place,
  use: (runtime: Runtime["Service"], store: StateStore["Service"]) => Effect.Effect<A, E, Scope.Scope>,
  options: Partial<HoldfastOptions> = { approval: "required" }
): Promise<A> =>
  Effect.runPromise(
    Effect.scoped(
      Effect.gen(function* () {
        const beat = { name: "beat", description: "", settings: {}, work: promiseWork(() => ({})) }
        const services = yield* Layer.build(
          layer({ state, skillsFolders: [skills], skills: [beat], timezone: "UTC", starts: { failuresMax: 0, windowMs: 0 }, ...options })
        )
        const [runtime, store] = yield* Effect.provideContext(Effect.all([Runtime, StateStore]), services)
        yield* runtime.started
        return yield* use(runtime, store)
      })
    )
  )
const problems = (runtime: Runtime["Service"]) => Effect.map(runtime.picture, ({ problems }) => problems)
/** Approves the skill as it was loaded. */
const approve = (at: Place, approval?: Partial<HoldfastOptions>) =>
  start(
    at,
    (runtime, { ledger }) =>
      Effect.suspend(() => runtime.approve([{ skill: "post", digest: ledger.skills.get("post")!.digest }], "somebody")),
    approval ?? {}
  )
/** Runs it by hand; what it came to. */
const ended = (runtime: Runtime["Service"], { ledger }: StateStore["Service"]) =>
  Effect.gen(function* () {
    const run = yield* runtime.trigger("post")
    yield* until(() => ledger.runs.get(run)?.settled !== undefined, "an outcome")
    const { outcome, reason } = ledger.runs.get(run)!.settled!
    return { outcome, reason }
  })

describe("a skill that needs approval", () => {
  it("and has none is not run: it is a problem that says what to do, and the others go on", async () => {
    const at = place()
    await start(at, (runtime) =>
      Effect.gen(function* () {
        assert.deepStrictEqual(
          (yield* problems(runtime)).map(({ code, where, fix }) => ({ code, where, fix })),
          [{ code: "SKILL_UNAPPROVED", where: `${at.at}/SKILL.md`, fix: "look at its files, then: holdfast skills approve post" }]
        )
        assert.deepInclude({ ...(yield* Effect.flip(runtime.trigger("post"))) }, { code: "SKILL_UNKNOWN" })
        assert.match(yield* runtime.trigger("beat"), /^beat@/)
      })
    )
    assert.isUndefined(journalIn(at.state).find((event) => "skill" in event && event.skill === "post"))
  })

  it("runs from the next start on once it was approved, and no longer when its program, or its settings, have changed", async () => {
    const at = place()
    await approve(at)
    assert.deepStrictEqual(await start(at, ended), { outcome: "success", reason: "" })
    const changes = [() => at.script("second"), () => (at.script("first"), at.settings("timeout: 1 hour"))]
    for (const change of changes) {
      change()
      await start(at, (runtime) =>
        Effect.gen(function* () {
          const [problem] = yield* problems(runtime)
          assert.deepInclude(problem, { code: "SKILL_CHANGED" })
          assert.match(problem!.want, /^[0-9a-f]{16}, approved by somebody at /)
        })
      )
    }
    assert.strictEqual(at.ran(), "first")
    assert.isUndefined(journalIn(at.state).find(({ type }) => type === "skill.removed" || type === "slot.settled")) // It owes what it owed.
    at.settings("")
    assert.deepInclude(await start(at, ended), { outcome: "success" }) // As it was when it was approved.
  })

  it("can be approved while no runtime works: status files are left to that one, in the place that it is told", async () => {
    const at = place()
    await approve(at)
    await start(at, ended)
    const file = join(at.state, "skills/status/post.txt")
    fs.rmSync(file)
    await Effect.runPromise(
      StateStore.use((store) => store.append({ type: "skill.approved", skill: "post", digest: "another", by: "somebody" })).pipe(
        Effect.provide(StateStore.layer(at.state, { statusFiles: false })),
        Effect.provide(Disk.layerNode)
      )
    )
    assert.isFalse(fs.existsSync(file))
    await start(at, (runtime) => Effect.map(problems(runtime), ([problem]) => assert.deepInclude(problem, { code: "SKILL_CHANGED" })))
    assert.isTrue(fs.existsSync(file))
  })

  it("is compared before each attempt: what was edited after the start does not run", async () => {
    const at = place()
    await approve(at)
    await start(at, (runtime, store) =>
      Effect.gen(function* () {
        assert.deepInclude(yield* ended(runtime, store), { outcome: "success" })
        at.script("edited")
        const { outcome, reason } = yield* ended(runtime, store)
        assert.strictEqual(outcome, "failed")
        assert.match(reason, /^SKILL_CHANGED: .*work\.sh is not as it was approved; .*holdfast skills approve post/)
        fs.rmSync(join(at.at, "work.sh"))
        fs.symlinkSync("/bin/true", join(at.at, "work.sh"))
        assert.deepInclude(yield* ended(runtime, store), { outcome: "failed" })
      })
    )
    assert.strictEqual(at.ran(), "first")
  })

  it("is compared by what its words lead to, also where a link stands", async () => {
    const at = place()
    fs.symlinkSync("work.sh", join(at.at, "job.sh"))
    const overrides = { post: { run: ["sh", "./job.sh"], approval: "required" as const } }
    await approve(at, { overrides: { post: { run: ["sh", "./job.sh"] } } })
    await start(
      at,
      (runtime, store) =>
        Effect.gen(function* () {
          assert.deepInclude(yield* ended(runtime, store), { outcome: "success" })
          fs.writeFileSync(join(at.at, "other.sh"), "echo other >> ran\n")
          fs.rmSync(join(at.at, "job.sh"))
          fs.symlinkSync("other.sh", join(at.at, "job.sh"))
          assert.deepInclude(yield* ended(runtime, store), { outcome: "failed" })
        }),
      { overrides }
    )
    assert.strictEqual(at.ran(), "first")
  })

  it("cannot say of itself that it needs none, and nobody asks where the config does not", async () => {
    const at = place()
    at.settings("approval: none")
    const codes = (runtime: Runtime["Service"]) => Effect.map(problems(runtime), (all) => all.map(({ code }) => code))
    assert.deepStrictEqual(await start(at, codes), ["FRONTMATTER_UNKNOWN_KEY"])
    at.settings("")
    assert.deepStrictEqual(await start(at, codes, { overrides: { post: { approval: "required" } } }), ["SKILL_UNAPPROVED"])
    assert.deepStrictEqual(await start(at, codes, {}), [])
    at.script("edited")
    assert.deepInclude(await start(at, ended, {}), { outcome: "success" })
  })
})
