/** What a skill's success has to leave behind to be believed, and what of it is missing. */
import type { Fields } from "./SkillContext.ts"

export interface Evidence {
  /** Each has to be there, not empty, and written since the attempt began. Paths in the skill's folder, or absolute. */
  readonly files: ReadonlyArray<string>
  /** Each has to be among what the skill answers, and be neither empty, nor 0, nor false. */
  readonly fields: ReadonlyArray<string>
  /** How long an attempt takes that did its work, in milliseconds. */
  readonly atLeastMs: number
  readonly atMostMs: number
}

/** What is there of a file. `bytes` is nothing where there is none. */
export interface SeenFile {
  readonly path: string
  readonly bytes: number | undefined
  readonly modifiedAtMs: number
}

/** What an attempt has left. Instants in milliseconds since the Unix epoch. */
export interface Left {
  readonly startedAtMs: number
  readonly endedAtMs: number
  readonly fields: Fields
  readonly files: ReadonlyArray<SeenFile>
}

/** What is missing, in words; nothing where all is there. */
export const missingEvidence = ({ fields: names, atLeastMs, atMostMs }: Evidence, left: Left): string | undefined => {
  const { startedAtMs, endedAtMs, fields, files } = left
  const tookMs = endedAtMs - startedAtMs
  // Some file systems know whole seconds only.
  const sinceMs = Math.floor(startedAtMs / 1_000) * 1_000
  const found = [
    ...files.flatMap(({ path, bytes, modifiedAtMs }) =>
      bytes === undefined
        ? [`${path} is not there`]
        : bytes === 0
          ? [`${path} is empty`]
          : modifiedAtMs < sinceMs
            ? [`${path} was not written by it`]
            : []
    ),
    ...names.flatMap((name) =>
      !Object.hasOwn(fields, name)
        ? [`it gave no ${name}`]
        : ["", 0, false].includes(fields[name]!)
          ? [`its ${name} is ${JSON.stringify(fields[name])}`]
          : []
    ),
    ...(tookMs < atLeastMs ? [`it took ${tookMs} ms, less than ${atLeastMs}`] : []),
    ...(tookMs > atMostMs ? [`it took ${tookMs} ms, more than ${atMostMs}`] : [])
  ]
  return found.length === 0 ? undefined : found.join("; ")
}
