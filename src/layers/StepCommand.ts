/** A command that is a step: what it prints goes on as it comes, and the beginning of it is kept. */
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import { type ChildProcess, spawn } from "node:child_process"
import { constants } from "node:os"
import type { Readable, Writable } from "node:stream"
import type { SpawnFailed } from "../domain/Errors.ts"
import { printed, type StepOutput, stepOutputMax } from "../domain/StepOutput.ts"
import { checkProgram, spawnFailed } from "./spawn.ts"

export interface StepCommand {
  /** Never seen by a shell. */
  readonly argv: readonly [string, ...ReadonlyArray<string>]
  readonly env: Readonly<Record<string, string | undefined>>
}

/**
 * Runs it in this process's folder, with its input and output, to its end. A death by a signal is told as shells do: 128 and the
 * signal's number. TERM, INT and HUP go to the command, and this outlives them: what it does about them is its result.
 */
export const runCommand = Effect.fn("StepCommand.run")(function* ({ argv, env }: StepCommand): Effect.fn.Return<StepOutput, SpawnFailed> {
  const start = { argv, cwd: process.cwd() }
  yield* checkProgram(start)
  const ended = Deferred.makeUnsafe<number, SpawnFailed>()
  const closed = Deferred.makeUnsafe<void>()
  const child = spawn(argv[0], argv.slice(1), { env: { ...env }, stdio: ["inherit", "pipe", "pipe"] })
  child.once("error", (cause) => Deferred.doneUnsafe(ended, Effect.fail(spawnFailed(start, cause))))
  child.once("exit", (code, signal) => Deferred.doneUnsafe(ended, Effect.succeed(code ?? 128 + constants.signals[signal!])))
  child.once("close", () => Deferred.doneUnsafe(closed, Effect.void))
  const stdout = passOn(child.stdout, process.stdout)
  const stderr = passOn(child.stderr, process.stderr)
  const exit = yield* Effect.acquireUseRelease(
    Effect.sync(() => forward(child)),
    () => Deferred.await(ended),
    (stop) => Effect.sync(stop)
  )
  // Something that it left in the background may hold its output open: that is no part of the step.
  yield* Effect.timeoutOption(Deferred.await(closed), lastWordsMs)
  child.stdout.destroy()
  child.stderr.destroy()
  return { exit, stdout: stdout(), stderr: stderr() }
})

const lastWordsMs = 1_000

/** Writes on what comes, no faster than it is taken, also when nobody takes it any more. Gives what is to be kept. */
const passOn = (from: Readable, to: Writable): (() => StepOutput["stdout"]) => {
  const kept: Array<Buffer> = []
  let bytes = 0
  from.on("data", (chunk: Buffer) => {
    if (bytes < stepOutputMax) kept.push(chunk.subarray(0, stepOutputMax - bytes))
    bytes += chunk.length
    from.pause()
    to.write(chunk, () => from.resume())
  })
  return () => printed(Buffer.concat(kept), Math.max(0, bytes - stepOutputMax))
}

const forward = (child: ChildProcess): (() => void) => {
  const signals = ["SIGTERM", "SIGINT", "SIGHUP"] as const
  const pass = (signal: NodeJS.Signals) => void child.kill(signal)
  for (const signal of signals) process.on(signal, pass)
  return () => {
    for (const signal of signals) process.off(signal, pass)
  }
}
