/** The documents say what the code says: copied tables, diagrams and examples are compared, links and commands are looked up. */
import { assert, describe, it } from "vitest"
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs"
import { dirname, join, resolve } from "node:path"
import { commands } from "../src/cli/commands.ts"
import { endings } from "../src/domain/Ending.ts"
import { JournalEvent } from "../src/domain/JournalEvent.ts"
import { runtimeMachine } from "../src/machines/runtime.ts"
import { endingsTable, modesTable, runtimeDiagram } from "./docs.ts"

const root = resolve(import.meta.dirname, "..")
const read = (file: string): string => readFileSync(join(root, file), "utf8")
const pages = ["README.md", ...readdirSync(join(root, "docs"), { recursive: true, encoding: "utf8" }).map((name) => `docs/${name}`)].filter(
  (name) => name.endsWith(".md")
)
const notYet = /^## Not yet\n[^]*?(?=^## )/m
const scripts = Object.keys((JSON.parse(read("package.json")) as { readonly scripts: object }).scripts)

describe("the table of modes", () => {
  it("is the code's, in README and in docs/modes.md (UPDATE_DOCS=1 writes it anew)", () => {
    for (const file of ["README.md", "docs/modes.md"]) same(file, /^\| mode \| means \|.*(?:\n\|.*)+/m, modesTable())
  })
})

describe("the table of endings", () => {
  it("is the code's, in docs/endings.md (UPDATE_DOCS=1 writes it anew)", () => {
    same("docs/endings.md", /^\| code \| what it means \|.*(?:\n\|.*)+/m, endingsTable())
  })

  it("has every code that the source gives an attempt, and no other", () => {
    const files = readdirSync(join(root, "src"), { recursive: true, encoding: "utf8" }).filter((file) => file.endsWith(".ts"))
    const sources = files.filter((file) => file !== "domain/Ending.ts").map((file) => read(`src/${file}`))
    const spoken = sources.flatMap((text) =>
      [...text.matchAll(/"((?:RUN|MODULE)_[A-Z0-9_]+|STEP_INVALID|PROMPT_BUDGET|SKILL_CHANGED)"/g)].map(([, code]) => code!)
    )
    const named = spoken.filter((code) => !asked.has(code))
    assert.sameMembers([...new Set([...named, ...errnos.map((errno) => `RUN_SPAWN_${errno}`)])], Object.keys(endings))
  })
})
/** Answers to who asks about a run: no endings. */
const asked = new Set(["RUN_NOT_ENDED", "RUN_NOT_PARKED", "RUN_OVERLAP", "RUN_PARKED", "RUN_SETTLED", "RUN_UNKNOWN"])
/** Starts that the system refuses: what it says becomes the code. */
const errnos = ["ENOENT", "EACCES", "E2BIG", "EAGAIN", "ENOMEM", "EMFILE", "ENFILE", "ETXTBSY"]

describe("the diagram of the runtime", () => {
  it("is the machine's (UPDATE_DOCS=1 writes it anew)", () => {
    same("docs/architecture.md", /(?<=^```mermaid\n)[^]*?(?=\n```$)/m, runtimeDiagram())
  })

  it("has every region and every state by its name", () => {
    const text = runtimeDiagram()
    const ids = (node: (typeof runtimeMachine)["root"], path: string): ReadonlyArray<string> =>
      Object.entries(node.states).flatMap(([key, child]) => [`${path}${key}`, ...ids(child as never, `${path}${key}_`)])
    const states = ids(runtimeMachine.root, "")
    assert.isAbove(states.length, 30)
    for (const state of states) assert.match(text, new RegExp(`^ *state "${state.split("_").at(-1)}( \\(.*\\))?" as ${state}( \\{)?$`, "m"))
  })
})

describe("README's example", () => {
  it("is examples/embed.ts, which is tried", () => {
    const [, block = ""] = /^## Embed\n[^]*?^```ts\n([^]*?)^```$/m.exec(read("README.md")) ?? []
    assert.strictEqual(block, read("examples/embed.ts").replace(/^\/\*\*.*\*\/\n/, ""))
  })
})

describe("docs/state-directory.md", () => {
  it("names every event of the journal, and no other", () => {
    const [, list = ""] = /^## Events\n([^]*?)(?=^## )/m.exec(read("docs/state-directory.md")) ?? []
    const named = [...list.matchAll(/`([a-z]+\.[a-zA-Z]+)`/g)].map(([, type]) => type!)
    assert.sameMembers(
      [...new Set(named)],
      JournalEvent.members.map((member) => member.fields.type.literal)
    )
  })
})

describe("docs/failure-model.md", () => {
  it("names for each promise a test that is there", () => {
    const files = [...read("docs/failure-model.md").matchAll(/`(test\/[\w/.-]+|npm run [\w:-]+)`/g)].map(([, what]) => what!)
    assert.isAbove(files.length, 15)
    for (const what of files)
      assert.isTrue(what.startsWith("npm run ") ? scripts.includes(what.slice(8)) : existsSync(join(root, what)), what)
  })
})

describe("docs/public-failures.md", () => {
  it("has a row for each test that names an issue, and no other", () => {
    const tests = ["", "-processes"].map((part) => read(`test/failures/public-failures${part}.test.ts`)).join("")
    const tested = [...tests.matchAll(/"openclaw\/openclaw#(\d+): /g)].map(([, number]) => number!)
    const rows = [...read("docs/public-failures.md").matchAll(/^\| \[(\d+)\]\(https:\S+\/(\d+)\)/gm)]
    for (const [, number, linked] of rows) assert.strictEqual(linked, number)
    assert.sameOrderedMembers(
      rows.map(([, number]) => number!),
      tested
    )
    assert.isAbove(rows.length, 15)
  })
})

describe("a page", () => {
  it("links only to what is there", () => {
    for (const file of pages) {
      for (const [, target = ""] of read(file).matchAll(/\]\(((?!https?:|#)[^)#\s]+)[^)]*\)/g)) {
        assert.isTrue(existsSync(join(root, dirname(file), target)), `${file} links to ${target}`)
      }
    }
  })

  it("says not yet of nothing that is there", () => {
    const [text = ""] = notYet.exec(read("README.md")) ?? []
    const missing = [...text.matchAll(/`(?:holdfast )?([a-z]+)`/g)].map(([, word]) => word!)
    assert.include(missing, "service")
    for (const { name } of commands) assert.notInclude(missing, name)
  })

  it("names only commands and scripts that are there", () => {
    const names = new Set(commands.flatMap(({ name }) => [name, name.split(" ")[0]!]))
    const mine = pages.filter((file) => !["docs/skills.md", "docs/monitoring.md"].includes(file) && !/decisions\/000[13]/.test(file))
    for (const file of mine) {
      const text = read(file).replace(notYet, "")
      for (const [, command = ""] of text.matchAll(/(?:`|^(?:\$ )?)(?:npx )?holdfast ([a-z]+)/gm))
        assert.isTrue(names.has(command), `${file}: holdfast ${command}`)
      for (const [, script = ""] of text.matchAll(/npm run ([\w:-]+)/g)) assert.include(scripts, script, file)
    }
  })
})

/** Compares the part of a page that `pattern` finds with what the code makes of it; `UPDATE_DOCS=1` replaces it instead. */
function same(file: string, pattern: RegExp, made: string): void {
  const text = read(file)
  const found = pattern.exec(text)?.[0]
  assert.isDefined(found, `${file} has no such part`)
  if (process.env["UPDATE_DOCS"] === "1")
    writeFileSync(
      join(root, file),
      text.replace(pattern, () => made)
    )
  else assert.strictEqual(found, made, file)
}
