/** Whether a skill's files are still the approved ones, asked before each attempt: a start alone would let every later edit run. */
import * as Effect from "effect/Effect"
import { createHash } from "node:crypto"
import * as fs from "node:fs"
import type { AttemptEnd } from "../domain/Attempt.ts"
import type { SkillDefinition } from "../domain/Skill.ts"
import { entryBytesMax } from "./skillFolder.ts"

/** The end of an attempt that may not begin; nothing where the files are as approved, or need no approval. */
export const stillApproved = ({ name, pinned = [] }: SkillDefinition): Effect.Effect<AttemptEnd | undefined> =>
  Effect.sync(() => {
    const changed = pinned.find(({ file, sha256 }) => digestOf(file) !== sha256)
    if (changed === undefined) return undefined
    const reason = `${changed.file} is not as it was approved; look at it, then: holdfast skills approve ${name}, and holdfast reload`
    return { _tag: "Failed", code: "SKILL_CHANGED", reason, retryable: false }
  })

/** By content, wherever a link leads now. Nothing for what cannot be read, is no file, or is too long to be one of ours. */
const digestOf = (file: string): string | undefined => {
  try {
    const fd = fs.openSync(file, fs.constants.O_RDONLY | fs.constants.O_NONBLOCK)
    try {
      const stat = fs.fstatSync(fd)
      return stat.isFile() && stat.size <= entryBytesMax ? createHash("sha256").update(fs.readFileSync(fd)).digest("hex") : undefined
    } finally {
      fs.closeSync(fd)
    }
  } catch {
    return undefined
  }
}
