/** The files of a skill's folder, reached with care: no link is followed out of it, and nothing is read before its size is known. */
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Option from "effect/Option"
import * as Path from "effect/Path"
import type { PlatformError } from "effect/PlatformError"
import { shown, type SkillInvalid } from "../domain/Errors.ts"
import { invalid } from "../domain/SkillFile.ts"

export type Files = FileSystem.FileSystem | Path.Path

/** The largest file that counts towards a digest, in bytes. */
export const entryBytesMax = 64 * 1_048_576

/** A file of a skill. */
export interface Entry {
  /** Its real path. */
  readonly file: string
  readonly mode: number
}

/** The file that a word of the command names, inside the skill's folder. An argument may also name a folder there: nothing. */
export const entryAt = Effect.fnUntraced(function* (
  folder: string,
  word: string,
  where: string,
  first: boolean
): Effect.fn.Return<Entry | undefined, SkillInvalid, Files> {
  const fs = yield* FileSystem.FileSystem
  const path = yield* Path.Path
  const missing = () =>
    invalid("SKILL_ENTRY_MISSING", where, shown(word), `a file at ${path.join(folder, word)}`, "create it, or correct the path")
  const inside = Option.getOrUndefined(path.resolveWithin(folder, word))
  if (inside === undefined)
    return yield* invalid("SKILL_ENTRY_OUTSIDE", where, shown(word), "a path inside the skill's folder", "move the file into the folder")
  // A file at the folder's top that is no link is its own real path: asking the system for it costs a call for each part of the path.
  const plain = path.dirname(inside) === folder ? yield* Effect.mapError(fs.lstat(inside), missing) : undefined
  const real =
    plain !== undefined && plain.type !== "SymbolicLink"
      ? inside
      : yield* Effect.mapError(fs.realPath(inside), (error) =>
          error.reason._tag === "NotFound"
            ? missing()
            : invalid("SKILL_SYMLINK", where, `${shown(word)}, ${error.reason._tag}`, "a file", "remove the link")
        )
  if (Option.isNone(path.resolveWithin(folder, path.relative(folder, real)))) {
    return yield* invalid(
      "SKILL_SYMLINK",
      where,
      `${shown(word)}, a link to ${shown(real)}`,
      "a file inside the skill's folder",
      "copy the file into the folder"
    )
  }
  const info = real === inside && plain !== undefined ? plain : yield* Effect.mapError(fs.stat(real), missing)
  if (info.type === "Directory" && !first) return undefined
  if (info.type !== "File") return yield* missing()
  yield* writableByNobodyElse(real, info)
  return { file: real, mode: info.mode }
})

/** Refuses a program that the system could not start. `bytes` are its content. */
export const executable = Effect.fnUntraced(function* (
  { file, mode }: Entry,
  bytes: Uint8Array
): Effect.fn.Return<void, SkillInvalid, Files> {
  const fs = yield* FileSystem.FileSystem
  if ((mode & 0o111) === 0) {
    return yield* invalid(
      "SKILL_ENTRY_NOT_EXECUTABLE",
      file,
      `mode ${(mode & 0o777).toString(8)}`,
      "an executable file",
      `chmod +x ${file}, or name the interpreter first in run`
    )
  }
  const interpreter = /^#![ \t]*(\/\S+)/.exec(new TextDecoder().decode(bytes.subarray(0, 256)))?.[1]
  if (interpreter !== undefined && !(yield* Effect.orElseSucceed(fs.exists(interpreter), () => false))) {
    return yield* invalid(
      "SKILL_INTERPRETER_MISSING",
      `${file}:1`,
      shown(interpreter),
      "an interpreter that is there",
      "install it, or correct the first line"
    )
  }
})

/** Reads a file of at most so many bytes without following a link, and asks its size first. */
export const readBytes = Effect.fnUntraced(function* (file: string, bytesMax: number): Effect.fn.Return<Uint8Array, SkillInvalid, Files> {
  const fs = yield* FileSystem.FileSystem
  return yield* Effect.scoped(
    Effect.gen(function* () {
      const open = yield* Effect.mapError(fs.open(file, { flag: "r", noFollow: true }), unreadable(file))
      const { size } = yield* Effect.mapError(open.stat, unreadable(file))
      if (Number(size) > bytesMax) return yield* invalid("FILE_TOO_LARGE", file, `${size} bytes`, `at most ${bytesMax}`, "make it smaller")
      if (Number(size) === 0) return new Uint8Array(0)
      return Option.getOrElse(yield* Effect.mapError(open.readAlloc(Number(size)), unreadable(file)), () => new Uint8Array(0))
    })
  )
})

/** Whoever can write a skill's file can run what they like as us. Its owner always can; root can anyway. */
export const writableByNobodyElse = (file: string, { mode, uid }: FileSystem.File.Info): Effect.Effect<void, SkillInvalid> => {
  const [owner, us] = [Option.getOrUndefined(uid), process.geteuid?.()]
  if (owner !== undefined && owner !== 0 && owner !== us)
    return Effect.fail(invalid("SKILL_OWNER", file, `owned by user ${owner}`, `user ${us} or root as its owner`, `chown ${us} ${file}`))
  return (mode & 0o002) === 0
    ? Effect.void
    : Effect.fail(
        invalid("SKILL_PERMISSIONS", file, `mode ${(mode & 0o777).toString(8)}`, "not writable by everybody", `chmod o-w ${file}`)
      )
}

const unreadable = (file: string) => (error: PlatformError) =>
  invalid("FILE_UNREADABLE", file, error.reason._tag, "a file that can be read", "correct its permissions")
