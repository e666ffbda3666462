/** The pipe to the runtime: a question with an id, and its answer. One line of JSON each. */
import { Socket } from "node:net"
import { LinkFailed, type LinkFailure } from "../domain/LinkFailed.ts"

/** The runtime refused a step: its name, its number of uses, or its result. Trying again cannot help. */
export class StepRefused extends Error {
  readonly retryable = false
  readonly code: string
  constructor(code: string, message: string) {
    super(message)
    this.name = "StepRefused"
    this.code = code
  }
}

/** Asks the runtime; rejects when it refuses, and when it is gone. */
export const ask = (question: object): Promise<unknown> =>
  new Promise((resolve, reject) => {
    if (pipe.destroyed) return reject(new Error("the runtime is gone"))
    const id = ++asked
    waiting.set(id, { resolve, reject })
    pipe.ref() // An answer is owed: this process may not end for want of work.
    pipe.write(`${JSON.stringify({ ...question, id })}\n`)
  })

/** Called once, when the runtime is gone. */
export const onClose = (gone: () => void): void => {
  pipe.once("close", gone)
}

interface Answer {
  readonly id: number
  readonly start?: unknown
  readonly error?: { readonly code: string; readonly message: string; readonly refused: boolean; readonly link?: LinkFailure }
}

const waiting = new Map<number, { readonly resolve: (start: unknown) => void; readonly reject: (error: Error) => void }>()
let asked = 0

const settle = ({ id, start, error }: Answer): void => {
  const question = waiting.get(id)
  waiting.delete(id)
  if (waiting.size === 0) pipe.unref()
  if (error === undefined) question?.resolve(start)
  else if (error.link !== undefined) question?.reject(new LinkFailed(error.link))
  else question?.reject(error.refused ? new StepRefused(error.code, error.message) : new Error(error.message))
}

const pipe = new Socket({ fd: 3, readable: true, writable: true })
let rest = ""
pipe.setEncoding("utf8")
pipe.on("data", (chunk: string) => {
  const lines = (rest + chunk).split("\n")
  rest = lines.pop()!
  for (const line of lines) settle(JSON.parse(line) as Answer)
})
pipe.on("error", () => pipe.destroy())
pipe.on("close", () => {
  for (const { reject } of waiting.values()) reject(new Error("the runtime is gone"))
  waiting.clear()
})
pipe.unref()
