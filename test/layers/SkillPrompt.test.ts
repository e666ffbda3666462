import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as fs from "node:fs"
import { join } from "node:path"
import type { AttemptEnd } from "../../src/domain/Attempt.ts"
import type { SkillDefinition } from "../../src/domain/Skill.ts"
import { Process } from "../../src/layers/Process.ts"
import { performPrompt } from "../../src/layers/SkillPrompt.ts"
import { definition, facts, folder, program } from "./children.ts"

const text = "Sum up the day.\n\n- `$(touch ran)` & 'quotes' \u00e9\n"

/** One attempt of a prompt whose agent is this script, with these words behind it. */
const perform = (
  directory: string,
  script: string,
  words: ReadonlyArray<string> = ["{promptFile}"],
  more: Partial<SkillDefinition> = {},
  begin: Effect.Effect<AttemptEnd | undefined> = Effect.succeed(undefined)
) => {
  const agent = program(directory, "agent.sh", `#!/bin/sh\n${script}\n`)
  const perDay = { all: undefined, own: undefined }
  return performPrompt(
    definition({ _tag: "Prompt", text, command: [agent, ...words], perDay, folder: directory }, more),
    facts(directory),
    { asked: () => 0 },
    begin,
    () => Effect.void
  ).pipe(Effect.provide(Process.layer))
}
const read = (directory: string, name: string) => fs.readFileSync(join(directory, name), "utf8")

describe("the text of a prompt", () => {
  it.live("is in a file for its owner alone where the template names one, and stdin is empty", () =>
    Effect.gen(function* () {
      const dir = folder()
      const script = `cp "$2" got.txt; cat > stdin.txt; ls -l "$2" | cut -c1-10 > mode.txt; echo "$@" > words.txt`
      const words = ["--file", "{promptFile}", "--session-key=agent:{skill}:{run}", "{}", "{ x }"]
      assert.deepInclude(yield* perform(dir, script, words), { _tag: "Succeeded" })
      assert.strictEqual(read(dir, "got.txt"), text)
      assert.strictEqual(read(dir, "stdin.txt"), "")
      assert.strictEqual(read(dir, "mode.txt").trim(), "-rw-------")
      assert.strictEqual(
        read(dir, "words.txt").trim(),
        `--file ${join(dir, "prompt.md")} --session-key=agent:probe:probe@20261122T060000Z {} { x }`
      )
      assert.isFalse(fs.existsSync(join(dir, "ran")))
    })
  )

  it.live("is on stdin where the template names no file", () =>
    Effect.gen(function* () {
      const dir = folder()
      assert.deepInclude(yield* perform(dir, "cat > got.txt", ["-"]), { _tag: "Succeeded" })
      assert.strictEqual(read(dir, "got.txt"), text)
    })
  )

  it.live.each([[["{promptFile}"]], [[]]])("stands neither in the words nor in the environment of the process: %j", ([words]) =>
    Effect.gen(function* () {
      const dir = folder()
      yield* perform(dir, "ps -ww -o args= -p $$ > words.txt; env > env.txt", words)
      assert.include(read(dir, "words.txt"), "agent.sh")
      for (const name of ["words.txt", "env.txt"]) assert.notInclude(read(dir, name), "Sum up")
    })
  )

  it.live("replaces what an earlier attempt left in its place, and never writes through a link", () =>
    Effect.gen(function* () {
      const dir = folder()
      fs.writeFileSync(join(dir, "precious"), "keep")
      fs.symlinkSync(join(dir, "precious"), join(dir, "prompt.md"))
      yield* perform(dir, `cp "$1" got.txt`)
      assert.deepStrictEqual([read(dir, "precious"), read(dir, "got.txt")], ["keep", text])
    })
  )
})

describe("an attempt of a prompt", () => {
  it.live("answers like any program: by its result file, its exit code, its last words, its time", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(yield* perform(folder(), `echo '{"notes":2,"summary":"Two."}' > "$HOLDFAST_RESULT"`), {
        _tag: "Succeeded",
        fields: { notes: 2 },
        summary: "Two."
      })
      const unsure = yield* perform(folder(), "echo no key >&2; exit 1")
      assert.deepInclude(unsure, { _tag: "Failed", code: "RUN_EXIT", reason: "exit 1: no key", retryable: true })
      assert.deepInclude(yield* perform(folder(), "exit 78"), { code: "RUN_EXIT", retryable: false })
      assert.deepInclude(yield* perform(folder(), "sleep 30", [], { timeoutMs: 200 }), { code: "RUN_TIMEOUT", retryable: true })
    })
  )

  it.live("that may not begin starts nothing", () =>
    Effect.gen(function* () {
      const dir = folder()
      const refused: AttemptEnd = { _tag: "Failed", code: "PROMPT_BUDGET", reason: "later", retryable: false }
      assert.deepStrictEqual(yield* perform(dir, "touch ran", [], {}, Effect.succeed(refused)), refused)
      assert.isFalse(fs.existsSync(join(dir, "ran")))
    })
  )

  it.live("whose text cannot be written may be tried again, and has not begun", () =>
    Effect.gen(function* () {
      const dir = folder()
      const gone = definition({ _tag: "Prompt", text, command: ["true"], perDay: { all: undefined, own: undefined }, folder: dir })
      const begin = Effect.die("it began")
      const end = yield* performPrompt(gone, facts(join(dir, "gone")), { asked: () => 0 }, begin, () => Effect.void).pipe(
        Effect.provide(Process.layer)
      )
      assert.deepInclude(end, { _tag: "Failed", code: "RUN_SPAWN_DIRECTORY", retryable: true })
    })
  )
})
