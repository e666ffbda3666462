/**
 * Runs one attempt of a module skill in a process of its own: `node main.js FILE`, a pipe to the runtime as descriptor 3.
 *
 * Plain Node and next to nothing of ours at run time: it has to start in the time of an empty process.
 */
import { spawnSync } from "node:child_process"
import { registerHooks } from "node:module"
import { pathToFileURL } from "node:url"
import type { Ending, FailureClass } from "../domain/Ending.ts"
import type { SkillFunction } from "../domain/SkillContext.ts"
import { sayingOf } from "../domain/Thrown.ts"
import { context, stopping } from "./context.ts"
import { ask, onClose, StepRefused } from "./pipe.ts"

const main = async (file: string): Promise<void> => {
  let module: { readonly default?: unknown }
  try {
    module = await import(pathToFileURL(file).href)
  } catch (error) {
    return fail(isSyntax(error) ? "MODULE_SYNTAX" : "MODULE_IMPORT_FAILED", isSyntax(error) ? placed(error, file) : said(error), false)
  }
  if (typeof module.default !== "function") {
    return fail("MODULE_SHAPE", `got ${typeof module.default} as the default export, want \`export default async (ctx) => ...\``, false)
  }
  try {
    const answer = await (module.default as SkillFunction)(context)
    await end({ type: "done", answer: plain(answer) })
  } catch (error) {
    await threw(error)
  }
}

/** Tells the runtime how it ended, and leaves once that is known there. What the skill left open is closed by leaving. */
const end = async (message: object): Promise<void> => {
  if (ended) return
  ended = true
  await ask(message).then(
    () => process.exit(0),
    () => process.exit(75)
  )
}
let ended = false

const fail = (code: Ending, reason: string, retryable: boolean, failure?: FailureClass) =>
  end({ type: "failed", code, reason, retryable, ...(failure === undefined ? {} : { class: failure }) })

const threw = (error: unknown): Promise<void> => {
  console.error(error) // The whole stack, for whoever reads stderr.log.
  if (error instanceof NotPlain) return fail("RUN_RESULT", error.message, false)
  if (error instanceof StepRefused) return fail("STEP_INVALID", error.message, false)
  const { retryable, class: failure } = sayingOf(error)
  return fail("RUN_THREW", said(error), retryable, failure)
}

class NotPlain extends Error {}
const plain = (answer: unknown): unknown => {
  try {
    return JSON.parse(JSON.stringify(answer ?? null))
  } catch (error) {
    throw new NotPlain(`returned value: ${said(error)}`)
  }
}

const said = (error: unknown): string =>
  error instanceof Error ? `${error.name === "Error" ? "" : `${error.name}: `}${error.message}` : String(error)

/** An export that is not there is a SyntaxError as well, but the text is sound: the import is at fault. */
const isSyntax = (error: unknown): error is SyntaxError =>
  error instanceof SyntaxError && !error.message.includes("does not provide an export")

/** `file:line: message`. Node tells the line of a plain module only on its own stderr, so it is asked there. */
const placed = (error: SyntaxError, file: string): string => {
  const place = /^(?:file:\/\/)?(\/.*:\d+)$/m
  const found = place.exec(error.stack ?? "") ?? place.exec(spawnSync(process.execPath, ["--check", file], { encoding: "utf8" }).stderr)
  return `${found?.[1] ?? file}: ${error.message}`
}

// A user's folder cannot resolve "holdfast" by itself: it is resolved as if this file had asked.
const conditions = import.meta.url.endsWith(".ts") ? ["holdfast-source"] : []
registerHooks({
  resolve: (specifier, ours, next) =>
    specifier === "holdfast" || specifier.startsWith("holdfast/")
      ? next(specifier, { ...ours, parentURL: import.meta.url, conditions: [...conditions, ...ours.conditions] })
      : next(specifier, ours)
})

process.on("uncaughtException", (error) => void threw(error))
process.on("unhandledRejection", (error) => void threw(error))
process.on("beforeExit", () => void fail("RUN_THREW", "the skill waits for a promise that nothing is left to settle", true))
onClose(() => {
  stopping.abort(new Error("the runtime is gone"))
  setTimeout(() => process.exit(75), 1_000).unref() // Long enough to close what is open, and no longer: the next runtime runs it again.
})
void main(process.argv[2]!)
