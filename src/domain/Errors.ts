/**
 * Every error that Holdfast raises on purpose.
 *
 * Each carries the same five answers, so that one printer serves the command, the log and the files: `code` (stable, for
 * programs), `where` (file, field, address), `got`, `want`, and `fix` (what a person should do next). `got` is escaped
 * and cut to 120 characters and never holds a secret.
 */
import * as Schema from "effect/Schema"

const answers = {
  code: Schema.String,
  where: Schema.String,
  got: Schema.String,
  want: Schema.String,
  fix: Schema.String
}

/** The five answers that every error gives. */
export interface Problem {
  readonly code: string
  readonly where: string
  readonly got: string
  readonly want: string
  readonly fix: string
}

/** A skill's file or definition cannot be used; every other skill still loads. Trying again helps only after a change. */
export class SkillInvalid extends Schema.TaggedError<SkillInvalid>()("SkillInvalid", answers) {}

/** A schedule names no instants, or not ones we can compute. Raised while loading a skill. */
export class ScheduleInvalid extends Schema.TaggedError<ScheduleInvalid>()("ScheduleInvalid", answers) {}

/** The configuration or an option is wrong. The command leaves with 78. */
export class ConfigInvalid extends Schema.TaggedError<ConfigInvalid>()("ConfigInvalid", answers) {}

/** The state directory cannot be used as it is: foreign, unreadable, newer, or not ours. The command leaves with 74. */
export class StateUnusable extends Schema.TaggedError<StateUnusable>()("StateUnusable", answers) {}

/** Another runtime holds the state directory. Trying again helps once it has ended. The command leaves with 69. */
export class LockHeld extends Schema.TaggedError<LockHeld>()("LockHeld", answers) {}

/**
 * The disk refused a write. `retryable` conditions (full, read-only, quota) end by themselves or by a person's hand;
 * after a failed sync nothing may be acknowledged by this process again, and only a new start repairs (exit 74).
 */
export class StorageFailed extends Schema.TaggedError<StorageFailed>()("StorageFailed", {
  ...answers,
  retryable: Schema.Boolean
}) {}

/** One operation of the disk was refused. `code` is the system's own name for it (`ENOSPC`, `EIO`, ...). */
export class DiskError extends Schema.TaggedError<DiskError>()("DiskError", {
  code: Schema.String,
  operation: Schema.String,
  path: Schema.String,
  cause: Schema.optionalKey(Schema.Defect())
}) {}

/** A process could not be started: its program, its folder or the machine's limits. */
export class SpawnFailed extends Schema.TaggedError<SpawnFailed>()("SpawnFailed", answers) {}

/** A request was well formed and is refused in the present mode, or names what does not exist. */
export class Refused extends Schema.TaggedError<Refused>()("Refused", answers) {}

/** A server of ours could not listen: the port is taken, or the address is not a loopback one. */
export class ListenFailed extends Schema.TaggedError<ListenFailed>()("ListenFailed", answers) {}

/** What `got` shows of a foreign value: one line, control characters escaped, at most 120 characters. */
export const shown = (value: unknown): string => {
  const text = typeof value === "string" ? value : (JSON.stringify(value) ?? String(value))
  const escaped = text.replace(unprintable, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, "0")}`)
  return escaped.length > 120 ? `${escaped.slice(0, 117)}...` : escaped
}

// oxlint-disable-next-line no-control-regex -- control characters are what this is for.
const unprintable = /[\u0000-\u001f\u007f-\u009f\u2028\u2029\u202a-\u202e\u2066-\u2069]/g

/** One error as people read it: three lines, the last of which says what to do. */
export const explain = (problem: Problem): string =>
  `${problem.code} at ${problem.where}\n  got ${problem.got}, want ${problem.want}\n  fix: ${problem.fix}`

/** The known name nearest to a mistyped one, or nothing when none is near (at most two edits, or a third of its length). */
export const nearest = (given: string, known: Iterable<string>): string | undefined => {
  let best: string | undefined
  let least = Math.max(2, Math.floor(given.length / 3)) + 1
  for (const name of known) {
    const edits = distance(given.toLowerCase(), name.toLowerCase())
    if (edits < least) {
      least = edits
      best = name
    }
  }
  return best
}

const distance = (a: string, b: string): number => {
  let row = Array.from({ length: b.length + 1 }, (_, j) => j)
  for (let i = 1; i <= a.length; i++) {
    const next = [i]
    for (let j = 1; j <= b.length; j++) {
      next[j] = Math.min(row[j]! + 1, next[j - 1]! + 1, row[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1))
    }
    row = next
  }
  return row[b.length]!
}
