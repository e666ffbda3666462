import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import * as NodePath from "@effect/platform-node/NodePath"
import { Effect, Layer } from "effect"
import * as fs from "node:fs"
import * as os from "node:os"
import * as path from "node:path"
import { afterAll, beforeEach, describe, expect, it } from "vitest"
import { HostZone, type LoadOptions, type Overrides, Skills } from "../../src/layers/Skills.ts"

const base = fs.realpathSync(fs.mkdtempSync(path.join(os.tmpdir(), "holdfast-skills-")))
let root: string
let turn = 0
beforeEach(() => {
  fs.mkdirSync((root = path.join(base, String(turn++))))
})
afterAll(() => fs.rmSync(base, { recursive: true, force: true }))

const load = (overrides?: Overrides, options?: LoadOptions, folders: ReadonlyArray<string> = [root]) =>
  Effect.runPromise(
    Skills.use((skills) => skills.load(folders, overrides, options)).pipe(
      Effect.provide(Skills.layer.pipe(Layer.provide([NodeFileSystem.layer, NodePath.layer]))),
      Effect.provideService(HostZone, () => "Europe/Berlin")
    )
  )

/** A skill's folder with a SKILL.md of these settings and an executable `work.sh`. */
const skill = (name: string, settings: string, folder = root) => {
  const at = path.join(folder, name)
  fs.mkdirSync(at, { recursive: true })
  const indented = settings
    .split("\n")
    .map((line) => `    ${line}`)
    .join("\n")
  fs.writeFileSync(
    path.join(at, "SKILL.md"),
    `---\nname: ${name}\ndescription: Does ${name}.\nmetadata:\n  holdfast:\n${indented}\n---\nText.\n`
  )
  fs.writeFileSync(path.join(at, "work.sh"), "#!/bin/sh\ntrue\n", { mode: 0o755 })
  return at
}
const digestOf = async (name: string, overrides?: Overrides) => (await load(overrides)).skills.find((one) => one.name === name)!.digest

describe("what a SKILL.md says", () => {
  it("becomes a definition, every field of it", async () => {
    const at = skill(
      "post-pipeline",
      [
        'schedule: { cron: "0 9,12,15,18 * * *", timezone: Asia/Tokyo }',
        "run: [./work.sh, --account, en]",
        "timeout: 1 hour 30 minutes",
        "silence: 5 minutes",
        "memory: 1 GiB",
        "grace: 5s",
        "catchUp: all",
        "overlap: skip",
        "retry: { attempts: 5, first: 2s, cap: 1 minute }",
        "onInterruption: record",
        "needs: [session]",
        "report: { when: always, session: main }",
        "env: [BLOG_KEY]"
      ].join("\n")
    )
    const { skills, passive, problems } = await load()
    expect(problems).toEqual([])
    expect(passive).toEqual([])
    expect(skills).toEqual([
      {
        name: "post-pipeline",
        description: "Does post-pipeline.",
        schedule: { _tag: "Cron", expression: "0 9,12,15,18 * * *", zone: "Asia/Tokyo" },
        work: { _tag: "Process", argv: [path.join(at, "work.sh"), "--account", "en"], folder: at },
        timeoutMs: 5_400_000,
        silenceMs: 300_000,
        memoryBytes: 1_073_741_824,
        graceMs: 5_000,
        retry: { attemptsMax: 5, firstMs: 2_000, capMs: 60_000 },
        catchUp: "all",
        overlap: "skip",
        onInterruption: "record",
        needs: ["session"],
        report: { when: "always", session: "main" },
        env: ["BLOG_KEY"],
        digest: expect.stringMatching(/^[0-9a-f]{64}$/)
      }
    ])
  })
  it("gets the defaults where it is silent", async () => {
    skill("quiet", "run: [./work.sh]")
    expect((await load()).skills[0]).toMatchObject({
      schedule: undefined,
      timeoutMs: 600_000,
      graceMs: 10_000,
      retry: { attemptsMax: 3, firstMs: 1_000, capMs: 300_000 },
      catchUp: "latest",
      overlap: "skip",
      onInterruption: "rerun",
      needs: [],
      report: { when: "change", session: undefined },
      env: []
    })
  })
  it("takes the zone of the file, else of the config, else of the machine", async () => {
    skill("a", "schedule: { cron: 0 6 * * *, timezone: Asia/Tokyo }\nrun: [./work.sh]")
    skill("b", "schedule: { cron: 0 6 * * * }\nrun: [./work.sh]")
    const zones = async (zone?: string) =>
      (await load({}, { zone })).skills.map(({ schedule }) => (schedule?._tag === "Cron" ? schedule.zone : undefined))
    expect(await zones()).toEqual(["Asia/Tokyo", "Europe/Berlin"])
    expect(await zones("America/New_York")).toEqual(["Asia/Tokyo", "America/New_York"])
  })
  it("reads every and at", async () => {
    skill("a", "schedule: { every: 20 seconds }\nrun: [./work.sh]")
    skill("b", "schedule: { every: 1 day, anchor: 2026-11-22T06:00:00+09:00 }\nrun: [./work.sh]")
    skill("c", "schedule: { at: 2026-12-24T18:00:00Z }\nrun: [./work.sh]")
    expect((await load()).skills.map(({ schedule }) => schedule)).toEqual([
      { _tag: "Every", everyMs: 20_000, anchorMs: 0 },
      { _tag: "Every", everyMs: 86_400_000, anchorMs: Date.UTC(2026, 10, 21, 21) },
      { _tag: "At", atMs: Date.UTC(2026, 11, 24, 18) }
    ])
  })
  it("may name a module, or a program that is given a file of the folder", async () => {
    const a = skill("a", "module: ./skill.ts")
    fs.writeFileSync(path.join(a, "skill.ts"), "export default async () => {}\n")
    skill("b", "run: [node, ./work.sh, ./yet-to-be-written, ./]")
    const { skills, problems } = await load()
    expect(problems).toEqual([])
    expect(skills.map(({ work }) => work)).toEqual([
      { _tag: "Module", file: path.join(a, "skill.ts"), folder: a },
      { _tag: "Process", argv: ["node", "./work.sh", "./yet-to-be-written", "./"], folder: path.join(root, "b") }
    ])
  })
  it("is passive without our key, whatever else stands in it", async () => {
    fs.mkdirSync(path.join(root, "foreign"))
    fs.writeFileSync(
      path.join(root, "foreign", "SKILL.md"),
      "---\nname: foreign\ndescription: For the agent.\nallowed-tools: [Bash]\nmetadata: { openclaw: { emoji: x } }\n---\n---js\nglobalThis.evil = 1\n---\nhi"
    )
    fs.mkdirSync(path.join(root, "no-skill"))
    fs.writeFileSync(path.join(root, "README.md"), "not a skill")
    expect(await load()).toEqual({
      skills: [],
      passive: [{ name: "foreign", description: "For the agent." }],
      problems: [],
      unreadable: []
    })
  })
})

describe("a prompt", () => {
  const agent = { command: ["/bin/agent", "{promptFile}"], timeout: "2 minutes", perDay: 20, env: ["KEY"] }
  it("is the text below the front matter as it stands, with the agent's command, and its settings beneath the skill's own", async () => {
    const at = skill("a", "prompt: true\nperDay: 3\nenv: [OWN]")
    fs.appendFileSync(path.join(at, "SKILL.md"), "\n---\n  More.\n")
    skill("b", "prompt: true\ntimeout: 1 minute")
    const { skills, problems } = await load({}, { agent })
    expect(problems).toEqual([])
    expect(skills).toMatchObject([
      {
        work: { _tag: "Prompt", text: "Text.\n\n---\n  More.\n", command: agent.command, perDay: { all: 20, own: 3 }, folder: at },
        timeoutMs: 120_000,
        env: ["KEY", "OWN"]
      },
      { work: { text: "Text.\n", perDay: { all: 20, own: undefined } }, timeoutMs: 60_000, env: ["KEY"] }
    ])
  })
  it("may be what the config makes of a file that is not ours", async () => {
    fs.mkdirSync(path.join(root, "foreign"))
    fs.writeFileSync(path.join(root, "foreign", "SKILL.md"), "---\r\nname: foreign\r\n---\r\nText.\r\n")
    expect((await load({ foreign: { prompt: true } }, { agent })).skills).toMatchObject([{ work: { _tag: "Prompt", text: "Text.\r\n" } }])
  })
  it("has a digest over text and template", async () => {
    const at = skill("a", "prompt: true")
    const digest = async (given: LoadOptions["agent"] = agent) => (await load({}, { agent: given })).skills[0]!.digest
    const first = await digest()
    expect(await digest({ ...agent, command: ["/bin/agent", "-v", "{promptFile}"] })).not.toBe(first)
    fs.appendFileSync(path.join(at, "SKILL.md"), "More.\n")
    expect(await digest()).not.toBe(first)
  })
  it("without an agent, or without a text, is refused where it stands, and the others load", async () => {
    const at = skill("a", "prompt: true")
    skill("b", "run: [./work.sh]")
    const alone = await load()
    expect(alone.skills.map(({ name }) => name)).toEqual(["b"])
    expect(alone.problems).toMatchObject([
      { code: "AGENT_MISSING", where: `${at}/SKILL.md:6`, want: expect.stringContaining("agent.command") }
    ])
    const file = path.join(at, "SKILL.md")
    fs.writeFileSync(file, fs.readFileSync(file, "utf8").replace("Text.", " "))
    expect((await load({}, { agent })).problems).toMatchObject([{ code: "PROMPT_EMPTY", where: `${at}/SKILL.md:6` }])
  })
})

describe("onRuntimeDeath: adopt", () => {
  it("is for programs and prompts; a module that says so is refused where it stands, and the others load", async () => {
    skill("a", "run: [./work.sh]\nonRuntimeDeath: adopt")
    skill("b", "prompt: true\nonRuntimeDeath: adopt")
    const at = skill("c", "module: ./work.mjs\nonRuntimeDeath: adopt")
    fs.writeFileSync(path.join(at, "work.mjs"), "export default () => {}\n")
    skill("d", "run: [./work.sh]")
    const { skills, problems } = await load({}, { agent: { command: ["/bin/agent"] } })
    expect(skills.map(({ name, onRuntimeDeath }) => [name, onRuntimeDeath])).toEqual([
      ["a", "adopt"],
      ["b", "adopt"],
      ["d", undefined]
    ])
    expect(problems).toMatchObject([{ _tag: "SkillInvalid", code: "ADOPT_NO_PROGRAM", where: `${at}/SKILL.md:7` }])
  })
})

describe("the config", () => {
  it("sets any field of a skill, also of one that has none of ours", async () => {
    skill("ours", "run: [./work.sh]\nretry: { attempts: 7 }\nschedule: { every: 1 hour }")
    fs.mkdirSync(path.join(root, "foreign"))
    fs.writeFileSync(path.join(root, "foreign", "SKILL.md"), "---\nname: foreign\n---\n")
    const { skills, passive, problems } = await load({
      ours: { retry: { first: "9s" }, schedule: { cron: "0 6 * * *" }, run: ["/bin/echo", "hi"] },
      foreign: { run: ["/bin/true"], schedule: { every: "1 day" } }
    })
    expect(problems).toEqual([])
    expect(passive).toEqual([])
    expect(skills).toMatchObject([
      { name: "foreign", schedule: { _tag: "Every", everyMs: 86_400_000 }, work: { argv: ["/bin/true"] } },
      {
        name: "ours",
        retry: { attemptsMax: 7, firstMs: 9_000 },
        schedule: { _tag: "Cron", zone: "Europe/Berlin" },
        work: { argv: ["/bin/echo", "hi"] }
      }
    ])
  })
  it("replaces one kind of work by another", async () => {
    skill("a", "module: ./missing.ts")
    expect((await load({ a: { run: ["./work.sh"] } })).problems).toEqual([])
  })
  it("is named in a problem that it caused", async () => {
    skill("a", "run: [./work.sh]")
    expect((await load({ a: { schedule: { cron: "99 * * * *" } } })).problems).toMatchObject([
      { code: "CRON_RANGE", where: "config skills.a.schedule.cron" }
    ])
    expect((await load({ b: {} })).problems).toMatchObject([{ code: "SKILL_UNKNOWN", where: "config skills.b", fix: "did you mean a?" }])
  })
  it("gives every skill a report and variables, beneath what the skill says", async () => {
    skill("a", "run: [./work.sh]\nenv: [A]")
    skill("b", "run: [./work.sh]\nreport: { when: never }")
    expect((await load({}, { report: { when: "failure", session: "main" }, env: ["B"] })).skills).toMatchObject([
      { report: { when: "failure", session: "main" }, env: ["B", "A"] },
      { report: { when: "never", session: "main" }, env: ["B"] }
    ])
  })
  it("without a gateway refuses what needs one", async () => {
    const at = skill("a", "run: [./work.sh]\nneeds: [gateway]")
    skill("b", "run: [./work.sh]")
    const { skills, problems } = await load({}, { gateway: false })
    expect(skills.map(({ name }) => name)).toEqual(["b"])
    expect(problems).toMatchObject([{ code: "NEEDS_GATEWAY", where: `${at}/SKILL.md:7` }])
  })
})

describe("the digest", () => {
  it("changes with settings and entry, and not with description, text or place", async () => {
    const at = skill("a", "run: [./work.sh]")
    const first = await digestOf("a")
    expect(await digestOf("a")).toBe(first)
    expect(await digestOf("a", { a: { timeout: "11 minutes" } })).not.toBe(first)
    fs.appendFileSync(path.join(at, "work.sh"), "echo more\n")
    const second = await digestOf("a")
    expect(second).not.toBe(first)
    fs.writeFileSync(
      path.join(at, "SKILL.md"),
      fs.readFileSync(path.join(at, "SKILL.md"), "utf8").replace("Does a.", "Other words.") + "More text.\n"
    )
    expect(await digestOf("a")).toBe(second)
    fs.mkdirSync(path.join(root, "moved"))
    fs.renameSync(at, path.join(root, "moved", "a"))
    expect((await load({}, {}, [path.join(root, "moved")])).skills[0]!.digest).toBe(second)
  })
  it("sees a change in a file that an argument names", async () => {
    const at = skill("a", "run: [node, ./work.sh]")
    const first = await digestOf("a")
    fs.writeFileSync(path.join(at, "work.sh"), "#!/bin/sh\nfals\n") // As long as before.
    expect(await digestOf("a")).not.toBe(first)
  })
})

describe("many skills", () => {
  it("are read from several folders, each folder once", async () => {
    skill("b", "run: [./work.sh]", path.join(root, "one"))
    skill("a", "run: [./work.sh]", path.join(root, "two"))
    fs.symlinkSync(path.join(root, "one"), path.join(root, "again"))
    const { skills, problems } = await load(
      {},
      {},
      ["one", "two", "again", "one/"].map((name) => path.join(root, name))
    )
    expect(problems).toEqual([])
    expect(skills.map(({ name }) => name)).toEqual(["a", "b"])
  })
  it("load a thousand at once, and a bad one among them hinders none", async () => {
    for (let i = 0; i < 1_000; i++)
      skill(`skill-${i}`, i === 500 ? "schedul: { every: 1 hour }\nrun: [./work.sh]" : "schedule: { every: 1 hour }\nrun: [./work.sh]")
    const started = performance.now()
    const { skills, problems } = await load()
    const tookMs = performance.now() - started
    expect(skills).toHaveLength(999)
    expect(problems).toMatchObject([{ code: "FRONTMATTER_UNKNOWN_KEY", got: "schedul", fix: "did you mean schedule?" }])
    expect(tookMs).toBeLessThan(5_000)
    console.log(`1000 skills in ${Math.round(tookMs)} ms`)
  })
})
