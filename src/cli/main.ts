/** The command `holdfast`: finds what was asked for, loads it, runs it, and says with which code to leave. */
import { readFileSync } from "node:fs"
import { makeOut, surviveClosedPipes } from "./output.ts"

/** Runs one command line (without the program's name). Resolves with the exit code and never rejects. */
export const main = async (argv: ReadonlyArray<string>): Promise<number> => {
  surviveClosedPipes()
  const [first] = argv
  if (first === "--version") {
    makeOut(false).line(version())
    return 0
  }
  // Loaded here and not above: the version is asked for by scripts that have no time.
  const { execute } = await import("./execute.ts")
  return execute(argv)
}

/** The same path from `src/cli` and from `dist/cli`. */
const version = (): string =>
  (JSON.parse(readFileSync(new URL("../../package.json", import.meta.url), "utf8")) as { readonly version: string }).version
