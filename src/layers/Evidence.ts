/** Looks for what a skill's success has to leave behind. */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import { resolve } from "node:path"
import type { AttemptEnd } from "../domain/Attempt.ts"
import { missingEvidence, type SeenFile } from "../domain/Evidence.ts"
import type { SkillDefinition } from "../domain/Skill.ts"
import { Disk } from "./Disk.ts"

/** The end as it is, or a success that is not believed. A file that cannot be looked at is not there; a link is none. */
export const believed = Effect.fnUntraced(function* (
  { evidence, work }: SkillDefinition,
  end: AttemptEnd,
  startedAtMs: number
): Effect.fn.Return<AttemptEnd, never, Disk> {
  if (evidence === undefined || end._tag !== "Succeeded") return end
  const disk = yield* Disk
  const folder = work._tag === "Function" ? "/" : work.folder
  const files = yield* Effect.forEach(evidence.files, (path) =>
    Effect.map(Effect.result(disk.stat(resolve(folder, path))), (seen): SeenFile => {
      const stat = Result.isSuccess(seen) && seen.success?.link === false ? seen.success : undefined
      return { path, bytes: stat?.bytes, modifiedAtMs: stat?.modifiedAtMs ?? 0 }
    })
  )
  const endedAtMs = yield* Clock.currentTimeMillis
  const unproven = missingEvidence(evidence, { startedAtMs, endedAtMs, fields: end.fields, files })
  return unproven === undefined ? end : { ...end, unproven }
})
