/** Lines of JSON over the pipe between us and a child, one handled at a time: a child that floods us waits. */
import * as Effect from "effect/Effect"
import * as Queue from "effect/Queue"
import type { Duplex } from "node:stream"

/** Our end of the pipe. */
export interface Channel {
  /** Never fails: a child that has ended is told nothing. */
  readonly send: (message: unknown) => Effect.Effect<void>
  /** Hands each line to `handle` as parsed JSON (`undefined` when it is none), in order, until it is interrupted. */
  readonly receive: <R>(handle: (message: unknown) => Effect.Effect<void, never, R>) => Effect.Effect<never, never, R>
}

/** The channel over a pipe. A line longer than `lineLengthMax` characters closes it, and is handed on as none. */
export const channelOver = (pipe: Duplex, lineLengthMax: number): Channel => {
  pipe.on("error", () => pipe.destroy()) // A child that dies resets the pipe; its end is reported elsewhere.
  return {
    send: (message) =>
      Effect.sync(() => {
        if (pipe.writable) pipe.write(`${JSON.stringify(message)}\n`)
      }),
    receive: Effect.fnUntraced(function* (handle) {
      const lines = yield* Queue.unbounded<string>() // Never more than one chunk: the pipe is paused while there are any.
      let rest = ""
      pipe.setEncoding("utf8")
      pipe.on("data", (chunk: string) => {
        const parts = (rest + chunk).split("\n")
        rest = parts.pop()!
        if (rest.length > lineLengthMax) {
          pipe.destroy()
          parts.push("(too long)")
        }
        if (parts.length > 0) pipe.pause()
        for (const line of parts) Queue.offerUnsafe(lines, line)
      })
      return yield* Queue.take(lines).pipe(
        Effect.flatMap((line) => handle(parsed(line))),
        Effect.tap(
          Effect.map(Queue.size(lines), (waiting) => {
            if (waiting === 0) pipe.resume()
          })
        ),
        Effect.forever
      )
    })
  }
}

const parsed = (line: string): unknown => {
  try {
    return JSON.parse(line)
  } catch {
    return undefined
  }
}
