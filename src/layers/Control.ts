/**
 * `control.sock`: how a command reaches the one writer. One JSON object a line in each direction; the answer carries the
 * question's `id`, and comes after what it acknowledges is in the journal.
 *
 * Only this user can open it: the socket is 0600 in a directory of 0700.
 */
import * as Effect from "effect/Effect"
import * as FiberSet from "effect/FiberSet"
import * as Layer from "effect/Layer"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import * as fs from "node:fs"
import * as net from "node:net"
import { type Problem, shown } from "../domain/Errors.ts"
import { stepOutputMax } from "../domain/StepOutput.ts"
import { socketPath, socketPathMax } from "./ControlClient.ts"
import { Runtime } from "./Runtime.ts"
import { StateStore } from "./StateStore.ts"

/** Whose step it is, and who asks: the same asker may ask the same again. */
const step = { run: Schema.String, attempt: Schema.Int, step: Schema.String, by: Schema.NonEmptyString }

/** What can be asked. */
export const Question = Schema.Union([
  Schema.Struct({ id: Schema.Int, do: Schema.Literal("trigger"), skill: Schema.String, key: Schema.optionalKey(Schema.String) }),
  Schema.Struct({
    id: Schema.Int,
    do: Schema.Literal("backfill"),
    skill: Schema.String,
    fromMs: Schema.Finite,
    toMs: Schema.Finite,
    limit: Schema.optionalKey(Schema.Int),
    by: Schema.NonEmptyString,
    why: Schema.String
  }),
  Schema.Struct({ id: Schema.Int, do: Schema.Literal("status") }),
  Schema.Struct({ id: Schema.Int, do: Schema.Literal("release") }),
  Schema.Struct({ id: Schema.Int, do: Schema.Literals(["run.release", "run.cancel"]), run: Schema.String, by: Schema.String }),
  Schema.Struct({ id: Schema.Int, do: Schema.Literal("entry.redrive"), run: Schema.optionalKey(Schema.String), by: Schema.String }),
  Schema.Struct({ id: Schema.Int, do: Schema.Literal("entry.drop"), run: Schema.String, by: Schema.String }),
  Schema.Struct({
    id: Schema.Int,
    do: Schema.Literals(["skill.pause", "skill.resume"]),
    skill: Schema.String,
    by: Schema.String,
    why: Schema.String
  }),
  Schema.Struct({ id: Schema.Int, do: Schema.Literal("skill.release"), skill: Schema.String, by: Schema.String }),
  Schema.Struct({
    id: Schema.Int,
    do: Schema.Literal("skill.approve"),
    skills: Schema.Array(Schema.Struct({ skill: Schema.String, digest: Schema.String })),
    by: Schema.String
  }),
  Schema.Struct({ id: Schema.Int, do: Schema.Literals(["reload", "drain"]) }),
  Schema.Struct({ id: Schema.Int, do: Schema.Literals(["step.begin", "step.abandon"]), ...step }),
  Schema.Struct({ id: Schema.Int, do: Schema.Literal("step.finish"), ...step, result: Schema.Unknown })
])
export type Question = typeof Question.Type

/** What is answered: the result, or the five answers of an error. */
export type Answer =
  | { readonly id: number; readonly ok: true; readonly result: unknown }
  | { readonly id: number; readonly ok: false; readonly error: Problem }

/** The longest question, in characters: room for the output of a step in whatever form. A client that never ends its line is cut off. */
const lineMax = Math.ceil((2 * stepOutputMax * 4) / 3) + 65_536

/** Serves the socket for as long as the layer lives. A path that is too long is said, and everything else works. */
export const layer: Layer.Layer<never, never, Runtime | StateStore> = Layer.effectDiscard(
  Effect.gen(function* () {
    const { directory } = yield* StateStore
    const path = socketPath(directory)
    if (Buffer.byteLength(path) > socketPathMax) {
      return yield* Effect.logWarning(
        `SOCKET_PATH_LONG at ${path}: commands such as trigger cannot reach this runtime; choose a shorter --state`
      )
    }
    const run = yield* FiberSet.makeRuntime<Runtime>()
    const connections = new Set<net.Socket>()
    const server = net.createServer((socket) => {
      connections.add(socket)
      socket.setEncoding("utf8")
      socket.once("close", () => connections.delete(socket))
      socket.on("error", () => socket.destroy())
      let text = ""
      socket.on("data", (chunk: string) => {
        text += chunk
        const lines = text.split("\n")
        text = lines.pop() ?? ""
        if (text.length > lineMax) return socket.destroy()
        for (const line of lines)
          run(Effect.map(answer(line), (answered) => socket.writable && socket.write(`${JSON.stringify(answered)}\n`)))
      })
    })
    yield* Effect.acquireRelease(
      Effect.callback<void>((resume) => {
        fs.rmSync(path, { force: true }) // Left by a runtime that was killed: we hold the lock, so nobody listens there.
        // Not once: a machine short of descriptors says so here at any time, and an error that nobody hears ends the process.
        server.on("error", (error) => resume(Effect.logWarning(`no control socket: ${error.message}`)))
        server.listen(path, () => {
          fs.chmodSync(path, 0o600)
          resume(Effect.void)
        })
      }),
      () =>
        Effect.callback<void>((resume) => {
          for (const socket of connections) socket.destroy()
          server.close(() => resume(Effect.void))
        })
    )
  })
)

const answer = (line: string): Effect.Effect<Answer, never, Runtime> => {
  const question = Schema.decodeUnknownResult(Schema.fromJsonString(Question))(line)
  if (Result.isFailure(question)) {
    return Effect.succeed({
      id: 0,
      ok: false,
      error: {
        code: "CONTROL_SYNTAX",
        where: "control.sock",
        got: shown(line),
        want: "one question a line, as JSON",
        fix: "use the holdfast command"
      }
    })
  }
  const { id } = question.success
  return Effect.match(serve(question.success), {
    onSuccess: (result): Answer => ({ id, ok: true, result: result ?? null }),
    onFailure: ({ code, where, got, want, fix }): Answer => ({ id, ok: false, error: { code, where, got, want, fix } })
  })
}

const serve = (question: Question) =>
  Effect.gen(function* () {
    const runtime = yield* Runtime
    const stepsOf = ({ run, attempt }: { readonly run: string; readonly attempt: number }) => runtime.steps(run, attempt)
    switch (question.do) {
      case "trigger":
        return yield* runtime.trigger(question.skill, question.key)
      case "backfill":
        return yield* runtime.backfill(question.skill, question, question)
      case "status":
        return yield* runtime.picture
      case "release":
        return runtime.actor.send({ type: "intake.release" })
      case "reload":
        return yield* runtime.reload
      case "skill.pause":
        return yield* runtime.pause(question.skill, question)
      case "skill.resume":
        return yield* runtime.resume(question.skill, question)
      case "skill.release":
        return yield* runtime.releaseSkill(question.skill, question.by)
      case "skill.approve":
        return yield* runtime.approve(question.skills, question.by)
      case "run.release":
        return yield* runtime.releaseRun(question.run, question.by)
      case "run.cancel":
        return yield* runtime.cancelRun(question.run, question.by)
      case "entry.redrive":
        return yield* runtime.redriveEntries(question.run, question.by)
      case "entry.drop":
        return yield* runtime.dropEntry(question.run, question.by)
      case "step.begin":
        return yield* Effect.flatMap(stepsOf(question), (steps) => steps.begin(question.step, question.by))
      case "step.finish":
        return yield* Effect.flatMap(stepsOf(question), (steps) => steps.finish(question.step, question.result, question.by))
      case "step.abandon":
        return yield* Effect.flatMap(stepsOf(question), (steps) => steps.abandon(question.step, question.by))
      case "drain":
        return yield* Effect.asVoid(Effect.forkDetach(runtime.drain)) // Its end closes this socket: there is no later to answer at.
    }
  })
