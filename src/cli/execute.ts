/** Runs the command that a line names: parses, prints errors in one way, and turns each kind into its exit code. */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Logger from "effect/Logger"
import * as Option from "effect/Option"
import { explain, type Problem } from "../domain/Errors.ts"
import { exit } from "./command.ts"
import { makeOut, type Out } from "./output.ts"
import { findCommand, parse } from "./parse.ts"
import { overview, usage, UsageInvalid } from "./usage.ts"

export const execute = async (argv: ReadonlyArray<string>): Promise<number> => {
  // Where the line itself is wrong, it has not been read far enough to know.
  const out = makeOut(argv.slice(0, argv.includes("--") ? argv.indexOf("--") : argv.length).includes("--json"))
  try {
    if (argv[0] === undefined || argv[0] === "--help" || argv[0] === "-h" || argv[0] === "help") {
      out.line(overview())
      return argv[0] === undefined ? exit.usage : exit.ok
    }
    const { listed, rest } = findCommand(argv)
    const { command } = await listed.load()
    const { help, json, ...asked } = parse(listed.name, command, rest)
    if (help) {
      out.line(usage(listed, command))
      return exit.ok
    }
    const ended = await Effect.runPromiseExit(
      command.run({ ...asked, out: makeOut(json) }).pipe(
        Effect.provideService(Logger.LogToStderr, true) // stdout is for answers.
      )
    )
    return Exit.isSuccess(ended) ? ended.value : failed(ended.cause, out)
  } catch (thrown) {
    return thrown instanceof UsageInvalid ? failed(Cause.fail(thrown), out) : failed(Cause.die(thrown), out)
  }
}

/** By the kind of an error: what to leave with. Other kinds leave with 1. */
const codes: Readonly<Record<string, number>> = {
  UsageInvalid: exit.usage,
  ConfigInvalid: exit.config,
  SkillInvalid: exit.config,
  ScheduleInvalid: exit.config,
  StateUnusable: exit.storage,
  StorageFailed: exit.storage,
  LockHeld: exit.unavailable,
  ListenFailed: exit.unavailable
}

const failed = (cause: Cause.Cause<Problem>, out: Out): number => {
  const error = Option.getOrUndefined(Cause.findErrorOption(cause))
  if (error === undefined) {
    if (Cause.hasInterruptsOnly(cause)) return exit.ok // By a signal: it was asked to.
    const problem = {
      code: "DEFECT",
      where: "holdfast",
      got: String(Cause.squash(cause)),
      want: "no defect",
      fix: "report it with the lines above"
    }
    if (!out.json) out.note(Cause.pretty(cause))
    out.note(out.json ? JSON.stringify(problem) : explain(problem))
    return exit.defect
  }
  const { code, where, got, want, fix } = error
  out.note(out.json ? JSON.stringify({ code, where, got, want, fix }) : explain(error))
  return code === "RUNTIME_DOWN" ? exit.unavailable : (codes[(error as { readonly _tag?: string })._tag ?? ""] ?? exit.failed)
}
