/** Skills that are programs of any language: what they are told, and what their end means. */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as fs from "node:fs"
import { dirname } from "node:path"
import { env } from "node:process"
import type { AttemptEnd, AttemptFacts, ProcessIdentity } from "../domain/Attempt.ts"
import { classOf, type Ending, endings, type FailureClass } from "../domain/Ending.ts"
import { environmentOf } from "../domain/Environment.ts"
import { shown, type SpawnFailed } from "../domain/Errors.ts"
import type { SkillDefinition } from "../domain/Skill.ts"
import { answerBytesMax, readAnswer } from "../domain/SkillAnswer.ts"
import { showDuration } from "../domain/durations.ts"
import { showSize } from "../domain/sizes.ts"
import type { Channel } from "./Channel.ts"
import { lastLine, redactFiles } from "./Output.ts"
import { Process, type ProcessEnd } from "./Process.ts"
import { Secrets } from "./Secrets.ts"
import { refusal, spawnFailed } from "./spawn.ts"
import type { Steps } from "./Steps.ts"

/** Does the work of a `run` skill once. Fails only with what `onSpawned` fails with; all that the skill does is in the value. */
export const performProcess = Effect.fn("SkillProcess.perform")(function* <E, R>(
  definition: SkillDefinition,
  facts: AttemptFacts,
  { asked }: Pick<Steps, "asked">,
  onSpawned: (identity: ProcessIdentity) => Effect.Effect<void, E, R>
): Effect.fn.Return<AttemptEnd, E, R | Process> {
  const { work } = definition
  if (work._tag !== "Process") return yield* Effect.die(new Error(`${definition.name} is not a process`))
  return yield* runProgram(definition, facts, { argv: work.argv, folder: work.folder, asked, onSpawned })
})

/** Runs a program that may leave its answer in `HOLDFAST_RESULT`. */
export const runProgram = Effect.fnUntraced(function* <E, R>(
  definition: SkillDefinition,
  facts: AttemptFacts,
  start: Omit<SkillStart<E, R>, "answerFile">
): Effect.fn.Return<AttemptEnd, E, R | Process> {
  const answerFile = `${facts.directory}/result.json`
  const end = yield* runSkill(definition, facts, { ...start, answerFile })
  if (end._tag !== "Exited" || end.code !== 0) return yield* failureOf(end, definition, facts)
  if (isDeleted(facts.directory)) return failed("RUN_DIRECTORY_GONE", `${facts.directory} is gone, and what was in it`)
  const answer = answerLeft(facts.directory) ?? { fields: {}, summary: undefined }
  return typeof answer === "string" ? failed("RUN_RESULT", `result.json: ${answer}`) : { _tag: "Succeeded", ...answer }
}, withoutSecrets)

/**
 * Goes on with an attempt of a program that another runtime has begun, until its end, within what is left of its time. What it left
 * with is nobody's to know, so that its answer alone shows a success.
 */
export const followProgram = Effect.fn("SkillProcess.follow")(function* (
  definition: SkillDefinition,
  facts: AttemptFacts,
  { atMs, ...process }: ProcessIdentity & { readonly atMs: number }
): Effect.fn.Return<AttemptEnd, never, Process> {
  const { timeoutMs, graceMs, onInterruption } = definition
  const { directory } = facts
  const leftMs = Math.min(timeoutMs, Math.max(0, atMs + timeoutMs - (yield* Clock.currentTimeMillis))) // The clock may have been set back.
  const processes = yield* Process
  const end = yield* Effect.ensuring(processes.follow({ process, directory, timeoutMs: leftMs, graceMs }), removeFolder(`${directory}/tmp`))
  if (end._tag !== "Ended") return yield* failureOf(end, definition, facts)
  const answer = answerLeft(directory)
  if (typeof answer === "object") return { _tag: "Succeeded", ...answer }
  const reason = `it ended after its runtime had died, and its result.json is ${answer ?? "not there"}`
  return onInterruption === "record" ? { _tag: "Interrupted", reason } : failed("RUN_UNKNOWN_END", reason)
}, withoutSecrets)

/** What an attempt has left in its `result.json`: its answer, a text that says what is wrong with it, or nothing. */
export const answerLeft = (directory: string) => readResult(`${directory}/result.json`)

/** Once the answer was read: without a number that is one, it would be no JSON. */
function withoutSecrets<A, E, R>(work: Effect.Effect<A, E, R>, _: SkillDefinition, { directory }: AttemptFacts): Effect.Effect<A, E, R> {
  return Effect.ensuring(
    work,
    Effect.flatMap(Secrets, (secrets) => redactFiles(directory, ["result.json"], secrets))
  )
}

/** What to start for an attempt. */
export interface SkillStart<E, R> {
  readonly argv: readonly [string, ...ReadonlyArray<string>]
  readonly folder: string
  readonly asked: Steps["asked"]
  readonly onSpawned: (identity: ProcessIdentity) => Effect.Effect<void, E, R>
  /** The file that it reads as its input. */
  readonly stdin?: string
  readonly serve?: (channel: Channel) => Effect.Effect<unknown, never, R>
  /** Removed before the start: an earlier attempt's answer is not this one's. */
  readonly answerFile?: string
}

/** Runs a skill's process with its environment and a temporary folder of its own. A refused start is a value, too. */
export const runSkill = Effect.fnUntraced(function* <E, R>(
  definition: SkillDefinition,
  facts: AttemptFacts,
  { folder, answerFile, ...start }: SkillStart<E, R>
): Effect.fn.Return<ProcessEnd | SpawnFailed, E, R | Process> {
  const processes = yield* Process
  const nowMs = yield* Clock.currentTimeMillis
  const temporary = `${facts.directory}/tmp`
  return yield* Effect.acquireUseRelease(
    Effect.try({
      try: () => {
        if (answerFile !== undefined) fs.rmSync(answerFile, { force: true, recursive: true })
        fs.mkdirSync(temporary, { recursive: true, mode: 0o700 })
      },
      catch: (cause) => spawnFailed({ ...start, cwd: folder }, cause as NodeJS.ErrnoException, facts.directory)
    }),
    () =>
      processes.run({
        ...start,
        cwd: folder,
        env: environmentOf(env, definition.env, facts, nowMs + definition.timeoutMs),
        directory: facts.directory,
        timeoutMs: definition.timeoutMs,
        silenceMs: definition.silenceMs,
        memoryBytes: definition.memoryBytes,
        graceMs: definition.graceMs
      }),
    () => removeFolder(temporary)
  ).pipe(Effect.catchIf(isSpawnFailed, (refused) => Effect.succeed(refused)))
})

/** A disk that refuses this takes nothing from what the run came to. */
const removeFolder = (path: string): Effect.Effect<void> =>
  Effect.ignore(Effect.try(() => fs.rmSync(path, { force: true, recursive: true })))

/** What an end means that is not a success. */
export const failureOf = Effect.fnUntraced(function* (
  end: ProcessEnd | SpawnFailed,
  { timeoutMs, silenceMs, memoryBytes }: SkillDefinition,
  { directory }: AttemptFacts
): Effect.fn.Return<AttemptEnd> {
  switch (end._tag) {
    case "SpawnFailed":
      return failed(refusal(end.code), `${end.where}: got ${end.got}, want ${end.want}; ${end.fix}`)
    case "TimedOut":
      return failed("RUN_TIMEOUT", `not done after ${timeoutMs / 1_000} s`)
    case "Silent":
      return failed("RUN_SILENT", `printed nothing and came to no step for ${showDuration(silenceMs!)}${yield* lastWords(directory)}`)
    case "OverMemory":
      return failed("RUN_MEMORY", `held ${showSize(end.bytes)}, at most ${showSize(memoryBytes!)} are allowed`)
    case "OutOfMemory":
      return failed("RUN_OOM", `ended by the kernel for want of memory${yield* lastWords(directory)}`)
    case "Signalled":
      return failed("RUN_SIGNAL", `ended by ${end.signal}${yield* lastWords(directory)}`)
    case "LeftChildren":
      return failed("RUN_LEFT_CHILDREN", `processes ${end.pids.join(", ")} could not be stopped`)
    case "Exited":
      return failed("RUN_EXIT", `exit ${end.code}${yield* lastWords(directory)}`, !forGood.has(end.code), exitClasses[end.code])
  }
})

/** An attempt's end, failed: tried again where the table of endings says so, unless it is known better. */
export const failed = (
  code: Ending,
  reason: string,
  retryable = endings[code].retried === "yes",
  failure = classOf(code, retryable)
): AttemptEnd => ({ _tag: "Failed", code, reason, retryable, class: failure })

/** Codes of sysexits.h that say more than that it failed: EX_USAGE, EX_UNAVAILABLE, EX_CONFIG. */
const exitClasses: Readonly<Record<number, FailureClass>> = { 64: "config", 69: "link", 78: "config" }
const forGood: ReadonlySet<number> = new Set([64, 78]) // EX_USAGE and EX_CONFIG of sysexits.h: nothing changes by trying again.

const lastWords = (directory: string) =>
  Effect.map(lastLine(`${directory}/stderr.log`), (line) => (line === "" ? `, nothing on stderr; see ${directory}` : `: ${shown(line)}`))

const isSpawnFailed = (error: unknown): error is SpawnFailed => (error as { readonly _tag?: unknown } | null)?._tag === "SpawnFailed"

/** Where the folder above it is gone as well, the disk is away, and the skill is not to blame. */
const isDeleted = (directory: string): boolean => !fs.existsSync(directory) && fs.existsSync(dirname(directory))

/** A regular file and nothing else: a link may lead anywhere, and a FIFO would never end. */
const readResult = (path: string) => {
  let fd: number
  try {
    fd = fs.openSync(path, fs.constants.O_RDONLY | fs.constants.O_NOFOLLOW | fs.constants.O_NONBLOCK)
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException
    return code === "ENOENT" ? undefined : `cannot be read (${code === "ELOOP" ? "a link" : code})`
  }
  try {
    const stat = fs.fstatSync(fd)
    if (!stat.isFile()) return "not a regular file"
    if (stat.size > answerBytesMax) return `got ${stat.size} bytes, want at most ${answerBytesMax}`
    const text = fs.readFileSync(fd, "utf8")
    return text.trim() === "" ? "empty, want a JSON object" : readAnswer(JSON.parse(text))
  } catch (cause) {
    return cause instanceof SyntaxError ? `not JSON (${shown(withoutExcerpt(cause.message))})` : `cannot be read (${shown(String(cause))})`
  } finally {
    fs.closeSync(fd)
  }
}

/** Node shows some characters around the place: they may be the middle of a secret, which nobody would know again. */
const withoutExcerpt = (message: string): string => message.replace(/, (?:\.{3})?"[^]*"(?:\.{3})? is not valid JSON$/, "")
