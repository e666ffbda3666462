/** Why a process cannot be started, in words that name the part at fault. The system's own errors blame the program for a missing folder. */
import * as Effect from "effect/Effect"
import * as fs from "node:fs"
import { resolve } from "node:path"
import { type Ending, endingOf, endings } from "../domain/Ending.ts"
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
          fix: endings.RUN_SPAWN_CWD.fix
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
            fix: endings.RUN_SPAWN_ENOEXEC.fix
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
      fix: endings.RUN_SPAWN_DIRECTORY.fix
    })
  }
  if (code === "ENOENT" && program.includes("/") && fs.existsSync(path)) {
    return new SpawnFailed({
      code: "RUN_SPAWN_INTERPRETER",
      where: path,
      got: "its first line names a program that is not there",
      want: "an interpreter that exists",
      fix: endings.RUN_SPAWN_INTERPRETER.fix
    })
  }
  const want = wanted[code] ?? "a program that starts"
  return new SpawnFailed({ code: `RUN_SPAWN_${code}`, where: shown(path), got: code, want, fix: endings[refusal(`RUN_SPAWN_${code}`)].fix })
}

/** What a refused start is called as the ending of an attempt. */
export const refusal = (code: string): Ending => endingOf(code) ?? "RUN_SPAWN"

const wanted: Readonly<Record<string, string>> = {
  ENOENT: "a program that exists",
  EACCES: "a file that may be executed",
  E2BIG: "arguments and environment within the system's limit",
  EAGAIN: "room for one more process",
  ENOMEM: "memory for one more process",
  EMFILE: "a free file descriptor"
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
