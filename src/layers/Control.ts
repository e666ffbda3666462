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
import { join } from "node:path"
import { type Problem, Refused, shown } from "../domain/Errors.ts"
import { Runtime } from "./Runtime.ts"
import { StateStore } from "./StateStore.ts"

/** What can be asked. */
export const Question = Schema.Union([
  Schema.Struct({ id: Schema.Int, do: Schema.Literal("trigger"), skill: Schema.String, key: Schema.optionalKey(Schema.String) }),
  Schema.Struct({ id: Schema.Int, do: Schema.Literal("status") }),
  Schema.Struct({ id: Schema.Int, do: Schema.Literal("release") }),
  Schema.Struct({ id: Schema.Int, do: Schema.Literals(["run.release", "run.cancel"]), run: Schema.String, by: Schema.String }),
  Schema.Struct({ id: Schema.Int, do: Schema.Literal("drain") })
])
export type Question = typeof Question.Type

/** What is answered: the result, or the five answers of an error. */
export type Answer =
  | { readonly id: number; readonly ok: true; readonly result: unknown }
  | { readonly id: number; readonly ok: false; readonly error: Problem }

export const socketPath = (directory: string): string => join(directory, "control.sock")
/** The longest address that a Unix socket may have on both systems, in bytes. */
export const socketPathMax = 103
/** The longest question, in characters: none needs more, and a client that never ends its line is cut off. */
const lineMax = 65_536

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
    switch (question.do) {
      case "trigger":
        return yield* runtime.trigger(question.skill, question.key)
      case "status":
        return yield* runtime.picture
      case "release":
        return runtime.actor.send({ type: "intake.release" })
      case "run.release":
        return yield* runtime.releaseRun(question.run, question.by)
      case "run.cancel":
        return yield* runtime.cancelRun(question.run, question.by)
      case "drain":
        return yield* Effect.asVoid(Effect.forkDetach(runtime.drain)) // Its end closes this socket: there is no later to answer at.
    }
  })

/** Asks a runtime over its socket. Fails with RUNTIME_DOWN where none listens, else as the runtime answers. */
export const ask = Effect.fn("Control.ask")(function* (directory: string, question: Question): Effect.fn.Return<unknown, Refused> {
  const answered = yield* Effect.callback<Answer, Refused>((resume) => {
    const socket = net.connect(socketPath(directory))
    let text = ""
    socket.setEncoding("utf8")
    socket.once("error", () => resume(Effect.fail(down(directory))))
    socket.once("close", () => resume(Effect.fail(down(directory))))
    socket.once("connect", () => socket.write(`${JSON.stringify(question)}\n`))
    socket.on("data", (chunk: string) => {
      text += chunk
      if (!text.includes("\n")) return
      resume(Effect.succeed(JSON.parse(text) as Answer)) // Ours: only this user's runtime can have that socket.
      socket.end()
    })
    return Effect.sync(() => socket.destroy())
  })
  return answered.ok ? answered.result : yield* new Refused(answered.error)
})

const down = (directory: string) =>
  new Refused({
    code: "RUNTIME_DOWN",
    where: socketPath(directory),
    got: "nobody listens",
    want: "a runtime at work on this directory",
    fix: "start one with `holdfast up`, or name its directory with --state"
  })
