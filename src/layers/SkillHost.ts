/**
 * Skills that are modules: each attempt in a child host of its own (`src/host/`), so that none can hang or crash the runtime.
 *
 * The host asks over a pipe before and after each step, and no step's promise resolves before its result is durable. What
 * the host says is checked here: it shares a process with the skill's code.
 */
import * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import * as Semaphore from "effect/Semaphore"
import { createRequire } from "node:module"
import { dirname, join } from "node:path"
import { execPath } from "node:process"
import type { AttemptEnd, AttemptFacts, ProcessIdentity } from "../domain/Attempt.ts"
import { type Problem, shown } from "../domain/Errors.ts"
import type { SkillDefinition } from "../domain/Skill.ts"
import { answerBytesMax, readAnswer } from "../domain/SkillAnswer.ts"
import { answerTo, LinkQuestion } from "./LinkQuestion.ts"
import type { Process } from "./Process.ts"
import { failed, failureOf, runSkill } from "./SkillProcess.ts"
import { linkOf } from "./SkillLink.ts"
import type { Steps } from "./Steps.ts"

/** The program that runs inside the child. Override it where Holdfast itself was bundled into another package. */
export const HostFile = Context.Reference<string>("holdfast/layers/HostFile", {
  defaultValue: () => {
    const root = dirname(createRequire(import.meta.url).resolve("holdfast/package.json"))
    return import.meta.url.endsWith(".ts") ? join(root, "src/host/main.ts") : join(root, "dist/host/main.js")
  }
})

/** Does the work of a `module` skill once. Fails only with what `onSpawned` fails with; all that the skill does is in the value. */
export const performModule = Effect.fn("SkillHost.perform")(function* <E, R>(
  definition: SkillDefinition,
  facts: AttemptFacts,
  steps: Steps,
  onSpawned: (identity: ProcessIdentity) => Effect.Effect<void, E, R>
): Effect.fn.Return<AttemptEnd, E, R | Process> {
  const { work } = definition
  if (work._tag !== "Module") return yield* Effect.die(new Error(`${definition.name} is not a module`))
  const host = yield* HostFile
  const link = yield* linkOf(definition, facts)
  const asking = Semaphore.makeUnsafe(askedAtOnce)
  let verdict: AttemptEnd | undefined
  const end = yield* runSkill(definition, facts, {
    argv: [execPath, "--disable-warning=ExperimentalWarning", host, work.file], // Type stripping is announced as experimental up to Node 24.
    folder: work.folder,
    asked: steps.asked,
    onSpawned,
    serve: (channel) =>
      channel.receive((message) =>
        Effect.gen(function* () {
          const said = Option.getOrUndefined(decode(message))
          switch (said?.type) {
            case "step.begin":
              return yield* channel.send({ id: said.id, ...answerOf(yield* Effect.exit(steps.begin(said.step))) })
            case "step.finish":
              return yield* channel.send({ id: said.id, ...answerOf(yield* Effect.exit(steps.finish(said.step, said.result))) })
            case "step.abandon":
              yield* steps.abandon(said.step)
              return yield* channel.send({ id: said.id })
            case "session.history":
            case "session.inject":
            case "gateway.invoke":
              // Beside what else is asked: a gateway may take its time to answer, and steps do not wait for it.
              yield* asking.take(1)
              return yield* answerTo(link, said).pipe(Effect.flatMap(channel.send), Effect.ensuring(asking.release(1)), Effect.forkChild)
            case "done":
              verdict ??= succeeded(said.answer)
              return yield* channel.send({ id: said.id })
            case "failed":
              verdict ??= failed(said.code, shown(said.reason), said.retryable, said.class)
              return yield* channel.send({ id: said.id })
            case undefined:
              verdict ??= failed("RUN_RESULT", "the skill wrote to descriptor 3, which is the host's own", false)
          }
        })
      )
  })
  if (end._tag === "LeftChildren" || verdict === undefined) {
    return end._tag === "Exited" && end.code === 0
      ? failed("RUN_EXIT", "the skill left with 0 before it was done (process.exit, or a promise that nothing can settle)", true)
      : yield* failureOf(end, definition, facts)
  }
  return verdict
})

const id = Schema.Int
const step = Schema.String
const HostMessage = Schema.Union([
  Schema.Struct({ type: Schema.Literal("step.begin"), id, step }),
  Schema.Struct({ type: Schema.Literal("step.finish"), id, step, result: Schema.Unknown }),
  Schema.Struct({ type: Schema.Literal("step.abandon"), id, step }),
  LinkQuestion,
  Schema.Struct({ type: Schema.Literal("done"), id, answer: Schema.Unknown }),
  Schema.Struct({
    type: Schema.Literal("failed"),
    id,
    code: Schema.Literals(["MODULE_SYNTAX", "MODULE_IMPORT_FAILED", "MODULE_SHAPE", "RUN_THREW", "RUN_RESULT", "STEP_INVALID"]),
    reason: Schema.String,
    retryable: Schema.Boolean,
    class: Schema.optionalKey(Schema.Literals(["link", "config", "terminal"]))
  })
])
const decode = Schema.decodeUnknownOption(HostMessage)

/** Questions to the link that a skill may have open; further ones wait, and so does what it says behind them. */
const askedAtOnce = 8

/** What the host is told of a step: the start or the acknowledgement, else why not, as the skill's code will see it. */
const answerOf = <A>(exit: Exit.Exit<A, Problem & { readonly _tag: string }>) => {
  if (Exit.isSuccess(exit)) return { start: exit.value }
  const error = exit.cause.reasons.find(Cause.isFailReason)?.error
  return error === undefined
    ? { error: { code: "STEP_DEFECT", message: "the runtime could not take the step", refused: false } }
    : {
        error: {
          code: error.code,
          message: `${error.code} at ${error.where}: got ${error.got}, want ${error.want}; ${error.fix}`,
          refused: error._tag === "Refused"
        }
      }
}

const succeeded = (said: unknown): AttemptEnd => {
  const bytes = Buffer.byteLength(JSON.stringify(said ?? null))
  const answer = bytes > answerBytesMax ? `got ${bytes} bytes, want at most ${answerBytesMax}` : readAnswer(said)
  return typeof answer === "string" ? failed("RUN_RESULT", `returned value: ${answer}`, false) : { _tag: "Succeeded", ...answer }
}
