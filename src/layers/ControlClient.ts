/** How a command asks a runtime over its socket: one question, one answer. It loads nothing of the runtime. */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as net from "node:net"
import { join } from "node:path"
import { Refused } from "../domain/Errors.ts"
import type { Answer, Question } from "./Control.ts"

export const socketPath = (directory: string): string => join(directory, "control.sock")
/** The longest address that a Unix socket may have on both systems, in bytes. */
export const socketPathMax = 103

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

/**
 * The same for who would rather wait than do without: while no runtime listens it asks again, until `untilMs`. The question may
 * arrive more than once, since an answer can get lost with its runtime. `onWait` is called once, when it begins to wait.
 */
export const askUntil = Effect.fn("Control.askUntil")(function* (
  directory: string,
  question: Question,
  { onWait, untilMs }: { readonly untilMs: number; readonly onWait: () => void }
): Effect.fn.Return<unknown, Refused> {
  if (Buffer.byteLength(socketPath(directory)) > socketPathMax) return yield* tooLong(directory)
  for (let asked = 1; ; asked++) {
    const answer = yield* Effect.result(ask(directory, question))
    if (answer._tag === "Success") return answer.success
    if (answer.failure.code !== "RUNTIME_DOWN" || (yield* Clock.currentTimeMillis) >= untilMs) return yield* answer.failure
    if (asked === 2) onWait() // A start in between two questions is no wait.
    yield* Effect.sleep(askAgainMs)
  }
})

const askAgainMs = 100

const down = (directory: string) =>
  new Refused({
    code: "RUNTIME_DOWN",
    where: socketPath(directory),
    got: "nobody listens",
    want: "a runtime at work on this directory",
    fix: "start one with `holdfast up`, or name its directory with --state"
  })

const tooLong = (directory: string) =>
  new Refused({
    code: "SOCKET_PATH_LONG",
    where: socketPath(directory),
    got: `${Buffer.byteLength(socketPath(directory))} bytes`,
    want: `at most ${socketPathMax} bytes`,
    fix: "start the runtime with a shorter --state"
  })
