import { readFileSync } from "node:fs"
import { resolve } from "node:path"
import { expect, it } from "vitest"
import { type AnyCommand, defineCommand } from "../../src/cli/command.ts"
import { commands, type Listed } from "../../src/cli/commands.ts"
import { findCommand, parse } from "../../src/cli/parse.ts"
import { usage, type UsageInvalid } from "../../src/cli/usage.ts"
import { version } from "../../src/layers/Holdfast.ts"
import { makeWorld } from "./holdfast.ts"

const sample = defineCommand({
  about: "A sample.",
  words: { usage: "[NAME]", min: 0, max: 1 },
  flags: {
    loud: { type: "switch", about: "in capitals" },
    to: { type: "text", value: "DIR", about: "where" },
    from: { type: "texts", value: "DIR", about: "whence" },
    limit: { type: "number", value: "N", min: 1, max: 9, about: "how many" }
  },
  examples: [["holdfast sample x", "does it"]],
  run: () => {
    throw new Error("not here")
  }
})
const refusal = (act: () => unknown): UsageInvalid => {
  try {
    act()
  } catch (error) {
    return error as UsageInvalid
  }
  throw new Error("it was taken")
}

it("flags of every type and words are read in any order, and what was not given is absent", () => {
  expect(parse("sample", sample, ["--to", "x", "name", "--loud", "--from", "a", "--limit=3", "--from=b", "--json"])).toEqual({
    flags: { loud: true, to: "x", from: ["a", "b"], limit: 3 },
    words: ["name"],
    rest: [],
    json: true,
    help: false
  })
  expect(parse("sample", sample, [])).toEqual({
    flags: { loud: false, to: undefined, from: [], limit: undefined },
    words: [],
    rest: [],
    json: false,
    help: false
  })
  expect(parse("sample", sample, ["--", "--loud"]).words).toEqual(["--loud"])
})

it.each([
  [["--lod"], "FLAG_UNKNOWN", "did you mean --loud?"],
  [["--zzzzzz"], "FLAG_UNKNOWN", "holdfast sample --help says what each does"],
  [["-l"], "FLAG_UNKNOWN", "holdfast sample --help says what each does"],
  [["--to"], "FLAG_VALUE", "say which DIR"],
  [["--to="], "FLAG_VALUE", "say which DIR"],
  [["--to", "--loud"], "FLAG_VALUE", "if it begins with a dash, write --to=--loud"],
  [["--loud=yes"], "FLAG_VALUE", "remove the value"],
  [["--to", "a", "--to", "b"], "FLAG_TWICE", "keep one of them"],
  [["--limit", "10"], "FLAG_VALUE", "correct the number"],
  [["--limit", "2.5"], "FLAG_VALUE", "correct the number"],
  [["--constructor"], "FLAG_UNKNOWN", "holdfast sample --help says what each does"],
  [["a", "b"], "WORDS", "holdfast sample --help shows how"]
])("%j is refused as %s, and the fix is: %s", (args, code, fix) => {
  expect(refusal(() => parse("sample", sample, args))).toMatchObject({ code, fix })
})

it("what stands behind -- is left as it is, for a command that wants it there", () => {
  const wrapping: AnyCommand = { ...sample, words: { usage: "NAME", min: 1, max: 1, rest: "COMMAND" } }
  expect(parse("sample", wrapping, ["x", "--loud", "--", "curl", "--json", "--", "-f"])).toMatchObject({
    words: ["x"],
    rest: ["curl", "--json", "--", "-f"],
    json: false,
    flags: { loud: true }
  })
  for (const line of [["x"], ["x", "--"], ["x", "--", ""], ["x", "curl"], ["--", "curl"]])
    expect(refusal(() => parse("sample", wrapping, line))).toMatchObject({ code: "WORDS", want: "NAME -- COMMAND" })
  expect(usage({ name: "sample" } as Listed, wrapping)).toContain("usage: holdfast sample NAME [flags] -- COMMAND\n")
})

it.each([
  [["statu"], "did you mean holdfast status?"],
  [["skills", "chek"], "did you mean holdfast skills check?"],
  [["skills"], "did you mean holdfast skills check?"],
  [["--state", "x", "status"], "the command comes first, then its flags"],
  [["constructor"], "holdfast --help lists them"]
])("the command %j is unknown, and the fix is: %s", (argv, fix) => {
  expect(refusal(() => findCommand(argv))).toMatchObject({ code: "COMMAND_UNKNOWN", fix })
})

it("every command says what it does, explains each flag, and gives examples that its own parser takes", async () => {
  for (const listed of commands) {
    const { command } = await listed.load()
    const text = usage(listed, command)
    for (const flag of Object.keys(command.flags)) expect(text).toContain(`--${flag}`)
    expect(command.examples.length).toBeGreaterThan(0)
    for (const [line] of command.examples) {
      const [program, ...argv] = line.split(/ (?:&&|\||>>) /)[0]!.split(/ (?=(?:[^']*'[^']*')*[^']*$)/)
      expect(program).toBe("holdfast")
      const { listed: named, rest } = findCommand(argv)
      expect(() => parse(named.name, command, named.name === listed.name ? rest : [])).not.toThrow()
    }
  }
})

it("a mistyped command leaves with 64 and the suggestion on stderr, as one JSON object with --json", async () => {
  const world = makeWorld()
  const [plain, json] = await Promise.all([world.run("statu"), world.run("status", "--jsno", "--json")])
  expect(plain).toMatchObject({ code: 64, stdout: "" })
  expect(plain.stderr).toMatch(/^COMMAND_UNKNOWN at holdfast\n.*\n {2}fix: did you mean holdfast status\?\n$/)
  expect(json).toMatchObject({ code: 64, stdout: "" })
  expect(JSON.parse(json.stderr)).toEqual({
    code: "FLAG_UNKNOWN",
    where: "holdfast status",
    got: "--jsno",
    want: expect.any(String),
    fix: "did you mean --json?"
  })
})

it("--version says the package's version, which is the runtime's", async () => {
  const { version: packaged } = JSON.parse(readFileSync(resolve(import.meta.dirname, "../../package.json"), "utf8"))
  expect(await makeWorld().run("--version")).toMatchObject({ code: 0, stdout: `${packaged}\n`, stderr: "" })
  expect(version).toBe(packaged)
})

it("--help lists every command and leaves with 0; nothing at all shows the same and leaves with 64", async () => {
  const world = makeWorld()
  const [help, bare] = await Promise.all([world.run("--help"), world.run()])
  for (const { name } of commands) expect(help.stdout).toContain(`  ${name} `)
  expect(help.code).toBe(0)
  expect(bare).toMatchObject({ code: 64, stdout: help.stdout })
})
