/** Bad files, each with the code that it must be answered by. One bad skill stands beside a good one, which must load all the same. */
import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import * as NodePath from "@effect/platform-node/NodePath"
import { Effect, FileSystem, Layer, Result } from "effect"
import fc from "fast-check"
import * as fs from "node:fs"
import * as os from "node:os"
import * as path from "node:path"
import { afterAll, beforeEach, describe, expect, it } from "vitest"
import type { Problem } from "../../src/domain/Errors.ts"
import { readConfig } from "../../src/layers/Config.ts"
import { Skills } from "../../src/layers/Skills.ts"

const base = fs.realpathSync(fs.mkdtempSync(path.join(os.tmpdir(), "holdfast-bad-")))
let root: string
let turn = 0
beforeEach(() => {
  fs.mkdirSync((root = path.join(base, String(turn++))))
  write("good", "---\nname: good\nmetadata: { holdfast: { run: [/bin/true] } }\n---\n")
})
afterAll(() => fs.rmSync(base, { recursive: true, force: true }))

const write = (folder: string, content: string | Uint8Array, file = "SKILL.md", mode = 0o644) => {
  fs.mkdirSync(path.join(root, folder), { recursive: true })
  fs.writeFileSync(path.join(root, folder, file), content)
  fs.chmodSync(path.join(root, folder, file), mode)
}
const load = (files: Layer.Layer<FileSystem.FileSystem> = NodeFileSystem.layer) =>
  Effect.runPromise(
    Skills.use((skills) => skills.load([root])).pipe(Effect.provide(Skills.layer.pipe(Layer.provide([files, NodePath.layer]))))
  )
const refusals = async (): Promise<ReadonlyArray<Problem>> => {
  const { skills, problems } = await load()
  expect(skills.map(({ name }) => name)).toEqual(["good"])
  for (const problem of problems) {
    for (const answer of [problem.code, problem.where, problem.got, problem.want, problem.fix]) expect(answer).not.toBe("")
    expect(problem.got.length).toBeLessThanOrEqual(120)
    // oxlint-disable-next-line no-control-regex -- what must not reach a terminal.
    expect(JSON.stringify(Object.values(problem)).replace(/\\\\/g, "")).not.toMatch(/[\u0000-\u001f\u202e]/)
  }
  return problems
}

const head = (yaml: string) => `---\nname: bad\n${yaml}\n---\nText.\n`
const ours = (...lines: ReadonlyArray<string>) => head(`metadata:\n  holdfast:\n${lines.map((line) => `    ${line}`).join("\n")}`)
const bytes = (...parts: ReadonlyArray<string | ReadonlyArray<number>>) =>
  Buffer.concat(parts.map((part) => (typeof part === "string" ? Buffer.from(part) : Buffer.from(part))))
const bomb = ["a0: &a0 [x, x]", ...Array.from({ length: 9 }, (_, i) => `a${i + 1}: &a${i + 1} [*a${i}, *a${i}, *a${i}]`)].join("\n")

describe("the front matter", () => {
  it.each<[string, string | Uint8Array, string, string?]>([
    ["an empty file", "", "SKILL_EMPTY", ":1"],
    ["no front matter", "# A skill\n", "SKILL_EMPTY", ":1"],
    ["a blank line first", "\n---\nname: bad\n---\n", "SKILL_EMPTY", ":1"],
    ["no closing line", "---\nname: bad\n", "FRONTMATTER_UNCLOSED", ":1"],
    ["---js", "---js\n({ name: globalThis.polluted = 'bad' })\n---\n", "FRONTMATTER_LANGUAGE", ":1"],
    ["---javascript", "---javascript\nmodule.exports = {}\n---\n", "FRONTMATTER_LANGUAGE", ":1"],
    ["---json", "---json\n{}\n---\n", "FRONTMATTER_LANGUAGE", ":1"],
    ["--- js", "--- js\n{}\n---\n", "FRONTMATTER_LANGUAGE", ":1"],
    ["a blank that is none after ---", "---\u00a0\nname: bad\n---\n", "FRONTMATTER_LANGUAGE", ":1"],
    ["a closing line behind a line separator", "---\nname: bad\u2028---\u2028\n", "FRONTMATTER_UNCLOSED", ":1"],
    ["a JavaScript function", head("run: !!js/function 'function () { process.exit(9) }'"), "FRONTMATTER_TAG", ":3:20"],
    ["a Python object", head("run: !!python/object:os.system x"), "FRONTMATTER_TAG"],
    ["any other tag", head("x: !mine y"), "FRONTMATTER_TAG"],
    ["aliases that multiply", head(bomb), "FRONTMATTER_ALIAS", ":3:9"],
    ["an anchor that nothing refers to", head("x: &y 1"), "FRONTMATTER_ALIAS", ":3:7"],
    ["an alias to nothing", head("x: *y"), "FRONTMATTER_ALIAS", ":3:4"],
    ["a merge key", head("x: 1\ny: { <<: { a: 1 } }"), "FRONTMATTER_MERGE", ":4:6"],
    ["a tab", head("metadata:\n\tholdfast: {}"), "FRONTMATTER_SYNTAX", ":4:1"],
    ["a directive and nothing else", "---\n# x\n%YAML 1.2\n---\n", "FRONTMATTER_SYNTAX"],
    ["a directive behind a byte order mark", "---\n # x\n\ufeff%\n---\n", "FRONTMATTER_SYNTAX"],
    ["an open bracket", head("x: [1, 2"), "FRONTMATTER_SYNTAX"],
    ["deep nesting", head(`x: ${"[".repeat(5_000)}`), "FRONTMATTER_SYNTAX"],
    ["deep nesting of dashes", head(`x:\n${"- ".repeat(4_000)}1`), "FRONTMATTER_SYNTAX"],
    ["a key twice", head("description: a\ndescription: b"), "FRONTMATTER_DUPLICATE", ":4:1"],
    ["a second document", head("x: 1\n...\ny: 2"), "FRONTMATTER_DOCUMENTS"],
    ["17 KiB of it", head(`x: ${"y".repeat(17 * 1024)}`), "FRONTMATTER_TOO_LARGE", ":1"],
    ["UTF-16", bytes([0xff, 0xfe], "-\0-\0-\0"), "FILE_ENCODING"],
    ["UTF-16, the greater byte first", bytes([0xfe, 0xff], "\0-\0-\0-"), "FILE_ENCODING"],
    ["an invalid byte", bytes("---\nname: bad\n", [0xe2, 0x28, 0xa1]), "FILE_ENCODING"],
    ["a NUL byte", bytes("---\nname: bad\n---\n", [0]), "FILE_NUL"],
    ["a list", "---\n- name\n---\n", "SKILL_NAME_MISSING"],
    ["nothing in it", "---\n---\n", "SKILL_NAME_MISSING"],
    ["no name", "---\ndescription: x\n---\n", "SKILL_NAME_MISSING"],
    ["an empty name", '---\nname: ""\n---\n', "SKILL_NAME_MISSING"]
  ])("%s", async (_, content, code, place) => {
    write("bad", content)
    const problems = await refusals()
    expect(problems.map((problem) => problem.code)).toEqual([code])
    if (place !== undefined) expect(problems[0]!.where).toBe(`${root}/bad/SKILL.md${place}`)
    expect(globalThis).not.toHaveProperty("polluted")
  })
  it("names the offset of an invalid byte and both lines of a repeated key", async () => {
    write("bad", bytes("---\nname: bad\n", [0xe2, 0x28, 0xa1]))
    expect((await refusals())[0]!.got).toContain("offset 15")
    write("bad", head("description: a\ndescription: b"))
    expect((await refusals())[0]).toMatchObject({ got: "a key given twice, first at 3:1", where: `${root}/bad/SKILL.md:4:1` })
  })
  it.each([
    ["lists", `x: ${"[".repeat(8_000)}${"]".repeat(8_000)}`],
    ["mappings", `x: ${"{a: ".repeat(3_000)}1${"}".repeat(3_000)}`],
    ["dashes", `x:\n${"- ".repeat(8_000)}1`]
  ])("refuses %s within each other before they are parsed", async (_, yaml) => {
    write("bad", head(yaml))
    expect(await refusals()).toMatchObject([{ code: "FRONTMATTER_SYNTAX", got: expect.stringContaining("more than 64 deep") }])
  })
  it("refuses 100 MB without reading it", async () => {
    write("bad", "---\n")
    fs.truncateSync(path.join(root, "bad", "SKILL.md"), 100_000_000)
    const before = process.memoryUsage.rss()
    expect(await refusals()).toMatchObject([{ code: "FILE_TOO_LARGE" }])
    expect(process.memoryUsage.rss() - before).toBeLessThan(50_000_000)
  })
  it.each([
    ["a byte order mark", "\ufeff---\nname: bad\n---\n"],
    ["CRLF", "---\r\nname: bad\r\nmetadata:\r\n  openclaw: {}\r\n---\r\n"],
    ["a second block in the body", "---\nname: bad\n---\n---js\nglobalThis.polluted = 1\n---\n"],
    ["a key of Object.prototype", "---\nname: bad\n__proto__: { polluted: 1 }\nconstructor: 1\n---\n"]
  ])("accepts %s", async (_, content) => {
    write("bad", content)
    expect(await refusals()).toEqual([])
    expect((await load()).passive).toEqual([{ name: "bad", description: "" }])
    expect({}).not.toHaveProperty("polluted")
  })
})

describe("the name", () => {
  it.each([
    "../x",
    "/etc/passwd",
    "a/b",
    "a\\\\b",
    "..",
    ".",
    "a\\u0000",
    "a\\nb",
    "a\\u202eb",
    "．．",
    "cafe\\u0301",
    "café",
    "-rf",
    "$(id)",
    ";id",
    "%2e%2e",
    "a".repeat(300),
    "a".repeat(65),
    "A",
    "a-",
    "a b"
  ])("%j is refused", async (name) => {
    write("bad", `---\nname: "${name}"\n---\n`)
    expect(await refusals()).toMatchObject([{ code: "SKILL_NAME_INVALID", where: `${root}/bad/SKILL.md:2` }])
  })
  it("is refused when it is not text, and shows what cannot be seen", async () => {
    write("bad", "---\nname: 7\n---\n")
    expect(await refusals()).toMatchObject([{ code: "SKILL_NAME_INVALID" }])
    write("bad", '---\nname: "a\\u202e．"\n---\n')
    expect((await refusals())[0]!.got).toContain("U+202E U+FF0E")
  })
  it("must be the folder's", async () => {
    write("bad", "---\nname: other\n---\n")
    expect(await refusals()).toMatchObject([{ code: "SKILL_NAME_MISMATCH", got: "other" }])
  })
  it("given by two folders runs in neither, in whatever case", async () => {
    write("one", "---\nname: twin\n---\n")
    write("twin", "---\nname: twin\nmetadata: { holdfast: { run: [/bin/true] } }\n---\n")
    write("Twin", "---\nname: TWIN\n---\n")
    const found = (await refusals()).filter(({ code }) => code === "SKILL_DUPLICATE")
    expect(found.map(({ where }) => where)).toEqual(["Twin", "one", "twin"].map((folder) => `${root}/${folder}/SKILL.md`))
    expect(found[2]!.want).toContain(`${root}/one/SKILL.md`)
  })
})

describe("a setting", () => {
  it.each<[string, string, string?, string?]>([
    ["schedul: { every: 1 hour }", "FRONTMATTER_UNKNOWN_KEY", "schedul", "did you mean schedule?"],
    ["retry: { atempts: 2 }", "FRONTMATTER_UNKNOWN_KEY", "atempts", "did you mean attempts?"],
    ["__proto__: { a: 1 }", "FRONTMATTER_UNKNOWN_KEY", "__proto__"],
    ["constructor: 1", "FRONTMATTER_UNKNOWN_KEY", "constructor"],
    ["timeout: soon", "FIELD_TYPE", "soon"],
    ["timeout: 600", "FIELD_TYPE", "600"],
    ["timeout: 1 fortnight", "FIELD_TYPE"],
    ["timeout: 0s", "FIELD_RANGE", "0s"],
    ["timeout: -5m", "FIELD_RANGE", "-5m"],
    ["timeout: 367 days", "FIELD_RANGE"],
    ["silence: a while", "FIELD_TYPE", "a while"],
    ["silence: 500 ms", "FIELD_RANGE", "500 ms"],
    ["memory: plenty", "FIELD_TYPE", "plenty"],
    ["memory: 536870912", "FIELD_TYPE", "536870912"],
    ["memory: 512 M", "FIELD_TYPE", "512 M"],
    ["memory: 1 kB", "FIELD_RANGE", "1 kB"],
    ["memory: 2 TB", "FIELD_RANGE", "2 TB"],
    ["grace: 2 hours", "FIELD_RANGE"],
    ["retry: { attempts: -1 }", "FIELD_RANGE", "-1"],
    ["retry: { attempts: 0 }", "FIELD_RANGE"],
    ["retry: { attempts: 101 }", "FIELD_RANGE"],
    ["retry: { attempts: 1.5 }", "FIELD_RANGE"],
    ["retry: { attempts: 1e999 }", "FIELD_RANGE", "Infinity"],
    ["retry: { attempts: .nan }", "FIELD_RANGE", "NaN"],
    ["retry: { attempts: many }", "FIELD_TYPE"],
    ["retry: 3", "FIELD_TYPE"],
    ["retries: -1", "FRONTMATTER_UNKNOWN_KEY", "retries"],
    ["retry: { first: 2 minutes, cap: 1 minute }", "FIELD_RANGE", "1 minute"],
    ["catchUp: newest", "FIELD_RANGE", "newest"],
    ["catchUp: 5", "FIELD_TYPE"],
    ["evidence: { files: out.md }", "FIELD_TYPE"],
    ["evidence: { atLeast: 2 minutes, atMost: 1 minute }", "FIELD_RANGE"],
    ["evidence: { file: [out.md] }", "FRONTMATTER_UNKNOWN_KEY"],
    ["overlap: bufferTwo", "FIELD_RANGE"],
    ["onInterruption: re-run", "FIELD_RANGE", "re-run", "did you mean rerun?"],
    ["onRuntimeDeath: adpot", "FIELD_RANGE", "adpot", "did you mean adopt?"],
    ["needs: [sesion]", "FIELD_RANGE", "sesion", "did you mean session?"],
    ["needs: session", "FIELD_TYPE"],
    ["report: { when: chnge }", "FIELD_RANGE", "chnge"],
    ['report: { session: "" }', "FIELD_RANGE"],
    ["env: [NODE_OPTIONS]", "FIELD_RANGE"],
    ["env: [LD_PRELOAD]", "FIELD_RANGE"],
    ["env: [HOLDFAST_GATEWAY_TOKEN]", "FIELD_RANGE"],
    ["env: [A=B]", "FIELD_RANGE"],
    ["prompt: true", "WORK_AMBIGUOUS"],
    ["perDay: 5", "FIELD_RANGE", "5", "remove perDay"],
    ["perDay: 0", "FIELD_RANGE", "0"],
    ["module: ./a.ts", "WORK_AMBIGUOUS"],
    ["schedule: daily", "FIELD_TYPE"],
    ["schedule: {}", "SCHEDULE_KIND"],
    ["schedule: { cron: 0 6 * * *, every: 1 hour }", "SCHEDULE_KIND", "cron and every"],
    ["schedule: { every: 1 hour, timezone: UTC }", "SCHEDULE_KIND"],
    ["schedule: { cron: 0 6 * * *, anchor: 2026-01-01T00:00:00Z }", "SCHEDULE_KIND"],
    ["schedule: { cron: 60 * * * * }", "CRON_RANGE"],
    ["schedule: { cron: 0 0 31 2 * }", "CRON_NEVER"],
    ["schedule: { cron: 0 6 * * *, timezone: Europe/Berln }", "TIMEZONE_UNKNOWN", "Europe/Berln", "did you mean Europe/Berlin?"],
    ["schedule: { every: 1 hour, apart: 1 hour }", "SCHEDULE_KIND", "apart without times"],
    ["schedule: { times: 4 }", "FIELD_MISSING"],
    ["schedule: { times: 0, between: [09:00, 21:00] }", "FIELD_RANGE"],
    ["schedule: { times: 4, between: [09:00, 24:00] }", "FIELD_RANGE", "24:00"],
    ["schedule: { times: 4, between: [09:00, 21:00], apart: 5 hours }", "SCHEDULE_ROOM", "09:00 to 21:00"],
    ["schedule: { times: 2, between: [21:00, 09:00] }", "SCHEDULE_ROOM", "21:00 to 09:00"],
    ["schedule: { times: 2, between: [09:00, 21:00], timezone: Mars/Olympus }", "TIMEZONE_UNKNOWN"],
    ["lateHours: { notBefore: 9:00, notAfter: 21:00 }", "FIELD_RANGE", "9:00"],
    ["lateHours: { notBefore: 09:00 }", "FIELD_MISSING"],
    ["daysOff: [2026-02-30]", "FIELD_RANGE", "2026-02-30"],
    ["daysOff: [2026-12-26..2026-12-24]", "FIELD_RANGE"],
    ["jitter: soon", "FIELD_TYPE"],
    ["startWithin: 0s", "FIELD_RANGE"],
    ["cost: 0", "FIELD_RANGE"],
    ["schedule: { every: 0s }", "INTERVAL_RANGE"],
    ["schedule: { every: -5m }", "INTERVAL_RANGE"],
    ["schedule: { every: 999999999999d }", "INTERVAL_RANGE"],
    ["schedule: { every: 1 fortnight }", "INTERVAL_SYNTAX"],
    ["schedule: { every: 500ms }", "INTERVAL_RANGE"],
    ["schedule: { at: 2026-02-30T00:00:00Z }", "DATE_INVALID"],
    ["schedule: { at: 10000-01-01T00:00:00Z }", "DATE_INVALID"],
    ['schedule: { at: "2026-12-24 18:00" }', "DATE_INVALID"],
    ["schedule: { at: tomorrow }", "DATE_INVALID"],
    ["schedule: { at: 2026-12-24T25:00:00Z }", "DATE_INVALID"],
    ["schedule: { at: 0000-01-01T00:00:00Z }", "DATE_INVALID"],
    ["schedule: { every: 1 day, anchor: noon }", "DATE_INVALID"]
  ])("%s is refused with %s", async (line, code, got, fix) => {
    write("bad", ours("run: [/bin/true]", line))
    const problems = await refusals()
    expect(problems.map((problem) => problem.code)).toEqual([code])
    expect(problems[0]!.where).toContain(`${root}/bad/SKILL.md:6`)
    if (got !== undefined) expect(problems[0]!.got).toBe(got)
    if (fix !== undefined) expect(problems[0]!.fix).toBe(fix)
  })
  it.each<[string, string]>([
    ["timeout: 60 days", "a timeout beyond what a process timer can hold"],
    ["schedule: { at: 2020-01-01T00:00:00Z }", "an instant that is past"],
    ["schedule: { cron: 0 0 29 2 * }", "the 29th of February"],
    ['schedule: { cron: "* * * * * *" }', "every second"]
  ])("%s is accepted: %s", async (line) => {
    write("bad", ours("run: [/bin/true]", line))
    expect((await load()).skills.map(({ name }) => name)).toEqual(["bad", "good"])
  })
  it("is reported beside all others that are wrong", async () => {
    write("bad", ours("run: [/bin/true]", "timeout: soon", "catchUp: never", "schedul: {}"))
    expect((await refusals()).map(({ code, where }) => `${code} ${where.slice(root.length)}`)).toEqual([
      "FIELD_TYPE /bad/SKILL.md:6 timeout",
      "FIELD_RANGE /bad/SKILL.md:7 catchUp",
      "FRONTMATTER_UNKNOWN_KEY /bad/SKILL.md:8 schedul"
    ])
  })
})

describe("the work", () => {
  const entry = (words: string) => write("bad", ours(`run: ${words}`))
  it.each<[string, string, string]>([
    ["none", "timeout: 1 minute", "WORK_MISSING"],
    ["an empty section", "", "WORK_MISSING"],
    ["an empty command", "run: []", "FIELD_RANGE"],
    ["a line for a shell", "run: ./work.sh --all", "FIELD_TYPE"],
    ["a number as a word", "run: [/bin/echo, 7]", "FIELD_TYPE"],
    ["an empty program", 'run: [""]', "FIELD_RANGE"],
    ["a path above", "run: [../x]", "FIELD_RANGE"],
    ["a path without ./", "run: [bin/x]", "FIELD_RANGE"],
    ["..", 'run: [".."]', "FIELD_RANGE"],
    ["a NUL in a word", 'run: [/bin/echo, "a\\0b"]', "FIELD_RANGE"],
    ["a prompt without an agent", "prompt: true", "AGENT_MISSING"],
    ["a module outside", "module: ../skill.ts", "FIELD_RANGE"],
    ["a missing module", "module: ./skill.ts", "SKILL_ENTRY_MISSING"]
  ])("%s", async (_, line, code) => {
    write("bad", ours(line))
    expect((await refusals()).map((problem) => problem.code)).toEqual([code])
  })
  it("must be there, inside the folder, and executable", async () => {
    entry("[./missing.sh]")
    expect(await refusals()).toMatchObject([{ code: "SKILL_ENTRY_MISSING", want: `a file at ${root}/bad/missing.sh` }])
    entry("[python3, ./missing.py]")
    expect(await refusals()).toMatchObject([{ code: "SKILL_ENTRY_MISSING" }])
    entry("[./../good/SKILL.md]")
    expect(await refusals()).toMatchObject([{ code: "SKILL_ENTRY_OUTSIDE" }])
    fs.mkdirSync(path.join(root, "bad", "folder"))
    entry("[./folder]")
    expect(await refusals()).toMatchObject([{ code: "SKILL_ENTRY_MISSING" }])
    write("bad", "echo\n", "work.sh", 0o644)
    entry("[./work.sh]")
    expect(await refusals()).toMatchObject([{ code: "SKILL_ENTRY_NOT_EXECUTABLE", fix: expect.stringContaining("chmod +x") }])
    write("bad", "#!/no/such/interpreter\n", "work.sh", 0o755)
    expect(await refusals()).toMatchObject([{ code: "SKILL_INTERPRETER_MISSING", got: "/no/such/interpreter" }])
  })
  it("is not reached by a link that leads out, at the top or below", async () => {
    fs.mkdirSync(path.join(root, "bad", "bin"), { recursive: true })
    fs.symlinkSync("/bin/sh", path.join(root, "bad", "work.sh"))
    fs.symlinkSync("/bin/sh", path.join(root, "bad", "bin", "work.sh"))
    fs.symlinkSync("/bin", path.join(root, "bad", "other"))
    fs.symlinkSync("loop", path.join(root, "bad", "loop"))
    for (const word of ["./work.sh", "./bin/work.sh", "./other/sh", "./loop"]) {
      entry(`[${word}]`)
      expect(await refusals()).toMatchObject([{ code: "SKILL_SYMLINK", got: expect.stringContaining(word) }])
      entry(`[node, ${word}]`)
      expect(await refusals()).toMatchObject([{ code: "SKILL_SYMLINK", got: expect.stringContaining(word) }])
    }
  })
  it("may be a link that stays inside", async () => {
    write("bad", "#!/bin/sh\n", "real.sh", 0o755)
    fs.symlinkSync("real.sh", path.join(root, "bad", "work.sh"))
    entry("[./work.sh]")
    const bad = (await load()).skills.find(({ name }) => name === "bad")
    expect(bad?.work).toMatchObject({ argv: [path.join(root, "bad", "real.sh")] })
  })
})

describe("the folder", () => {
  it("is not a link, nor is its SKILL.md", async () => {
    const elsewhere = path.join(base, `elsewhere-${turn}`)
    fs.mkdirSync(elsewhere)
    fs.writeFileSync(path.join(elsewhere, "SKILL.md"), "---\nname: bad\n---\n")
    fs.symlinkSync(elsewhere, path.join(root, "bad"))
    fs.mkdirSync(path.join(root, "worse"))
    fs.symlinkSync(path.join(elsewhere, "SKILL.md"), path.join(root, "worse", "SKILL.md"))
    expect(await refusals()).toMatchObject([
      { code: "SKILL_SYMLINK", where: `${root}/bad` },
      { code: "SKILL_SYMLINK", where: `${root}/worse/SKILL.md` }
    ])
  })
  it("and its files are not writable by everybody", async () => {
    write("bad", ours("run: [./work.sh]"), "SKILL.md", 0o666)
    write("bad", "#!/bin/sh\n", "work.sh", 0o777)
    expect(await refusals()).toMatchObject([{ code: "SKILL_PERMISSIONS", where: `${root}/bad/SKILL.md` }])
    fs.chmodSync(path.join(root, "bad", "SKILL.md"), 0o644)
    expect(await refusals()).toMatchObject([{ code: "SKILL_PERMISSIONS", where: `${root}/bad/work.sh` }])
    fs.chmodSync(path.join(root, "bad", "work.sh"), 0o755)
    fs.chmodSync(path.join(root, "bad"), 0o777)
    expect(await refusals()).toMatchObject([{ code: "SKILL_PERMISSIONS", where: `${root}/bad` }])
  })
  it("and the folders between them and a program are not either, nor the one that holds the skills", async () => {
    write("bad", ours("run: [./a/b/work.sh]"))
    write("bad/a/b", "#!/bin/sh\n", "work.sh", 0o755)
    fs.chmodSync(path.join(root, "bad", "a"), 0o777)
    expect(await refusals()).toMatchObject([{ code: "SKILL_PERMISSIONS", where: `${root}/bad/a` }])
    fs.chmodSync(path.join(root, "bad", "a"), 0o755)
    fs.chmodSync(root, 0o1777)
    expect((await load()).problems).toEqual([])
    fs.chmodSync(root, 0o777)
    expect(await load()).toMatchObject({ skills: [], problems: [{ code: "SKILL_PERMISSIONS", where: root, got: "mode 777" }] })
  })
  it.runIf(process.getuid?.() === 0)("and its files are ours or root's", async () => {
    write("bad", ours("run: [./work.sh]"))
    write("bad", "#!/bin/sh\n", "work.sh", 0o755)
    for (const file of ["", "SKILL.md", "work.sh"]) {
      fs.chownSync(path.join(root, "bad", file), 54_321, 54_321)
      expect(await refusals()).toMatchObject([{ code: "SKILL_OWNER", where: path.join(root, "bad", file), got: "user 54321" }])
      fs.chownSync(path.join(root, "bad", file), 0, 0)
    }
    expect((await load()).problems).toEqual([])
  })
  it("is what it was when it was looked at: a file that is exchanged before it is opened is refused", async () => {
    const swapped = async (swap: (file: string) => void) => {
      fs.rmSync(path.join(root, "bad"), { recursive: true, force: true })
      write("bad", ours("run: [./work.sh]"))
      write("bad", "#!/bin/sh\n", "work.sh", 0o755)
      const swapping = Layer.effect(
        FileSystem.FileSystem,
        Effect.map(FileSystem.FileSystem, (real) => ({
          ...real,
          open: (file: string, options?: Parameters<typeof real.open>[1]) =>
            Effect.suspend(() => {
              if (file.endsWith("work.sh")) swap(file)
              return real.open(file, options)
            })
        }))
      ).pipe(Layer.provide(NodeFileSystem.layer))
      return (await load(swapping)).problems
    }
    const toLink = (file: string) => {
      fs.rmSync(file)
      fs.symlinkSync("/bin/sh", file)
    }
    expect(await swapped(toLink)).toMatchObject([{ code: "SKILL_SYMLINK", where: `${root}/bad/work.sh` }])
    expect(await swapped((file) => fs.chmodSync(file, 0o777))).toMatchObject([{ code: "SKILL_PERMISSIONS" }])
  })
  it("has a file as SKILL.md, and a missing skills folder is named", async () => {
    fs.mkdirSync(path.join(root, "bad", "SKILL.md"), { recursive: true })
    expect(await refusals()).toMatchObject([{ code: "FILE_UNREADABLE" }])
    root = path.join(root, "none")
    expect((await load()).problems).toMatchObject([{ code: "SKILLS_FOLDER", where: root }])
  })
})

describe("the config", () => {
  const refused = (text: string | Uint8Array) => {
    const read = readConfig(typeof text === "string" ? Buffer.from(text) : text, "/c.json")
    return Result.isFailure(read) ? read.failure : []
  }
  it.each<[string, string, string?, string?]>([
    ["", "CONFIG_SYNTAX", ":1:1"],
    ["null", "CONFIG_SYNTAX", ":1:1"],
    ["[]", "CONFIG_SYNTAX", ":1:1"],
    ["7", "CONFIG_SYNTAX", ":1:1"],
    ['{\n  "state": "a",\n}', "CONFIG_SYNTAX", ":3:1"],
    ["{\n  // no\n}", "CONFIG_SYNTAX", ":2:3"],
    ["{ 'state': 'a' }", "CONFIG_SYNTAX", ":1:3"],
    ["{ \"state\": 'a' }", "CONFIG_SYNTAX", ":1:12"],
    ['{"env":["A",]}', "CONFIG_SYNTAX", ":1:13"],
    ['{"a" 1}', "CONFIG_SYNTAX", ":1:6"],
    ['{"a":1 "b":2}', "CONFIG_SYNTAX", ":1:8"],
    ["{} {}", "CONFIG_SYNTAX", ":1:4"],
    ['{"a":"\n"}', "CONFIG_SYNTAX", ":1:7"],
    ['{"a":"\\x"}', "CONFIG_SYNTAX"],
    ['{"a":01}', "CONFIG_SYNTAX", ":1:7"],
    ['{"a":NaN}', "CONFIG_SYNTAX", ":1:6"],
    ['{"a":"', "CONFIG_SYNTAX"],
    [`{"a":${"[".repeat(200_000)}`, "CONFIG_SYNTAX"],
    ['{"state":"a","state":"b"}', "CONFIG_DUPLICATE", ":1:14"],
    ['{"__proto__":{"polluted":1}}', "CONFIG_KEY_FORBIDDEN", ":1:2"],
    ['{"skills":{"constructor":{"prototype":{"polluted":1}}}}', "CONFIG_KEY_FORBIDDEN", ":1:12"],
    ['{"\\u005f_proto__":1}', "CONFIG_KEY_FORBIDDEN", ":1:2"],
    ['{"stat":"a"}', "CONFIG_UNKNOWN_KEY", " stat", "did you mean state?"],
    ['{"gateway":{"url":"ws://localhost:1","sesion":"x"}}', "CONFIG_UNKNOWN_KEY", " gateway.sesion", "did you mean session?"],
    ['{"skills":{"a":{"timout":"1s"}}}', "CONFIG_UNKNOWN_KEY", " skills.a.timout", "did you mean timeout?"],
    ['{"skills":{"../x":{}}}', "CONFIG_UNKNOWN_KEY", " skills.../x"],
    ['{"skills":{"a":{"timeout":"0s"}}}', "FIELD_RANGE", " skills.a.timeout"],
    ['{"skills":[]}', "FIELD_TYPE", " skills"],
    ['{"gateway":{}}', "FIELD_MISSING", " gateway.url"],
    ['{"state":7}', "FIELD_TYPE", " state"],
    ['{"state":""}', "FIELD_RANGE", " state"],
    ['{"env":["LD_PRELOAD"]}', "FIELD_RANGE", " env[0]"],
    ['{"drainDeadline":"2 days"}', "FIELD_RANGE", " drainDeadline"]
  ])("%s is refused with %s", (text, code, place, fix) => {
    const [problem, ...more] = refused(text)
    expect(more).toEqual([])
    expect(problem?.code).toBe(code)
    if (place !== undefined) expect(problem!.where).toBe(`/c.json${place}`)
    if (fix !== undefined) expect(problem!.fix).toBe(fix)
    expect({}).not.toHaveProperty("polluted")
  })
  it("never shows a secret that was put into it", () => {
    for (const text of [
      '{"gateway":{"url":"ws://localhost:1","token":"canary-7f3a"}}',
      '{"token":"canary-7f3a"',
      '{"gateway":{"url":"ws://localhost:1","token":canary-7f3a}}'
    ]) {
      const problems = refused(text)
      expect(problems).not.toEqual([])
      expect(JSON.stringify(problems.map((problem) => Object.values(problem)))).not.toContain("canary")
    }
    expect(refused('{"gateway":{"url":"ws://localhost:1","token":"x"}}')[0]!.fix).toContain("tokenFile")
  })
  it("is UTF-8 without NUL, and may begin with a byte order mark", () => {
    expect(refused(bytes([0xff, 0xfe], "{}"))[0]).toMatchObject({ code: "FILE_ENCODING" })
    expect(refused("{\u0000}")[0]).toMatchObject({ code: "FILE_NUL" })
    expect(refused("\ufeff{}")).toEqual([])
  })
  it("is read as JSON.parse reads it, and refused wherever that refuses", () => {
    const near = fc
      .array(fc.constantFrom("{", "}", "[", "]", ":", ",", '"a"', '"b"', "1", "-0.5e3", "true", "null", " ", "\n", "\\", '"', "x"), {
        maxLength: 12
      })
      .map((parts) => parts.join(""))
    fc.assert(
      fc.property(fc.oneof(near, fc.json({ maxDepth: 4 })), (text) => {
        let valid = true
        try {
          JSON.parse(text)
        } catch {
          valid = false
        }
        const codes = refused(text).map(({ code, where }) =>
          code === "CONFIG_SYNTAX" && where.endsWith(":1:1") && /^\s*[^{\s]/.test(text) ? "NOT_AN_OBJECT" : code
        )
        expect(codes.includes("CONFIG_SYNTAX") && valid).toBe(false)
        if (!valid) expect(codes).not.toEqual([])
      }),
      { numRuns: 3_000 }
    )
  })
})
