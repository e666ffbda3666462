/** Why a process cannot be started, in words that name the part at fault. The system's own errors blame the program for a missing folder. */
import * as Effect from "effect/Effect"
import * as fs from "node:fs"
import { resolve } from "node:path"
import { shown, SpawnFailed } from "../domain/Errors.ts"
import { errorCode } from "./platform.ts"

interface Start {
  readonly argv: readonly [string, ...ReadonlyArray<string>]
  readonly cwd: string
}

/**
 * Refuses a folder that is not there, and a text without `#!`: the C library would hand that one to a shell.
 * Everything else is left to the system.
 */
export const checkProgram = ({ argv: [program], cwd }: Start): Effect.Effect<void, SpawnFailed> =>
  Effect.suspend(() => {
    const folder = fs.statSync(cwd, { throwIfNoEntry: false })
    if (folder?.isDirectory() !== true) {
      return Effect.fail(
        new SpawnFailed({
          code: "RUN_SPAWN_CWD",
          where: cwd,
          got: folder === undefined ? "nothing there" : "not a folder",
          want: "the skill's folder",
          fix: "put the skill's folder back, or remove the skill"
        })
      )
    }
    return program.includes("/") && isBareText(resolve(cwd, program))
      ? Effect.fail(
          new SpawnFailed({
            code: "RUN_SPAWN_ENOEXEC",
            where: resolve(cwd, program),
            got: "a text without a first line of #!",
            want: "a program",
            fix: 'name its interpreter in the first line (#!/bin/sh), or in `run` (["sh", "./script"])'
          })
        )
      : Effect.void
  })

/** The system's refusal as ours. `folder` names the run's folder when it is the one at fault. */
export const spawnFailed = ({ argv: [program], cwd }: Start, cause: NodeJS.ErrnoException, folder?: string): SpawnFailed => {
  const code = errorCode(cause) ?? "UNKNOWN"
  const path = program.includes("/") ? resolve(cwd, program) : program
  if (folder !== undefined) {
    return new SpawnFailed({
      code: "RUN_SPAWN_DIRECTORY",
      where: folder,
      got: code,
      want: "a folder that can be written to",
      fix: "make room, or repair the state directory"
    })
  }
  if (code === "ENOENT" && program.includes("/") && fs.existsSync(path)) {
    return new SpawnFailed({
      code: "RUN_SPAWN_INTERPRETER",
      where: path,
      got: "its first line names a program that is not there",
      want: "an interpreter that exists",
      fix: "install it, or correct the first line"
    })
  }
  const [want, fix] = answers[code] ?? ["a program that starts", "start it by hand in the skill's folder to see why"]
  return new SpawnFailed({ code: `RUN_SPAWN_${code}`, where: shown(path), got: code, want, fix })
}

/** Whether the same start may succeed a little later with nothing changed: the machine was short of something. */
export const isPassing = ({ code }: SpawnFailed): boolean =>
  ["EAGAIN", "ENOMEM", "EMFILE", "ENFILE", "ETXTBSY", "DIRECTORY"].some((name) => code === `RUN_SPAWN_${name}`)

const answers: Readonly<Record<string, readonly [want: string, fix: string]>> = {
  ENOENT: ["a program that exists", "correct the command, or put the program on the PATH that Holdfast was started with"],
  EACCES: ["a file that may be executed", "chmod +x it, or name its interpreter in `run`"],
  E2BIG: ["arguments and environment within the system's limit", "pass large values in files"],
  EAGAIN: ["room for one more process", "raise the limit on processes, or run less at once"],
  ENOMEM: ["memory for one more process", "run less at once"],
  EMFILE: ["a free file descriptor", "raise the limit on open files"]
}

const isBareText = (path: string): boolean => {
  try {
    const fd = fs.openSync(path, fs.constants.O_RDONLY | fs.constants.O_NONBLOCK)
    try {
      const head = Buffer.alloc(128)
      const bytes = head.subarray(0, fs.readSync(fd, head))
      return !bytes.includes(0) && !bytes.subarray(0, 2).equals(Buffer.from("#!"))
    } finally {
      fs.closeSync(fd)
    }
  } catch {
    return false // It cannot be read: the system will say why it cannot be started.
  }
}
