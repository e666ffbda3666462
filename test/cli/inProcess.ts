/** A command in this process: as it is typed, parsed and run, with what it says collected. It needs no build, and no process to start. */
import { Effect } from "effect"
import { findCommand, parse } from "../../src/cli/parse.ts"
import { makeOut } from "../../src/cli/output.ts"
import type { Problem } from "../../src/domain/Errors.ts"

export interface Said {
  /** The exit code, or the code of the problem it failed with. */
  readonly code: number | string
  readonly stdout: string
  readonly stderr: string
  /** Of `--json`. */
  readonly values: ReadonlyArray<any>
}

export const run = Effect.fnUntraced(function* (...argv: ReadonlyArray<string>): Effect.fn.Return<Said> {
  const { listed, rest } = findCommand(argv)
  const { command } = yield* Effect.promise(() => listed.load())
  const { json, ...asked } = parse(listed.name, command, rest)
  const said = { stdout: "", stderr: "" }
  const values: Array<unknown> = []
  const out = {
    ...makeOut(json),
    line: (text: string) => void (said.stdout += `${text}\n`),
    note: (text: string) => void (said.stderr += `${text}\n`),
    value: (value: unknown) => void values.push(JSON.parse(JSON.stringify(value)))
  }
  const code = yield* Effect.match(command.run({ ...asked, out }), {
    onSuccess: (ended) => ended,
    onFailure: (problem: Problem) => {
      said.stderr += `${problem.code} at ${problem.where}: ${problem.got}; ${problem.fix}\n`
      return problem.code
    }
  })
  return { code, ...said, values }
})
