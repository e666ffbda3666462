/** Skills given in code: functions that run in this process, as promises or as Effects. */
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import type { AttemptEnd, AttemptFacts } from "../domain/Attempt.ts"
import { type Refused, shown, type StorageFailed } from "../domain/Errors.ts"
import type { SkillDefinition } from "../domain/Skill.ts"
import { readAnswer } from "../domain/SkillAnswer.ts"
import { sayingOf } from "../domain/Thrown.ts"
import type { History, SkillContext, SkillFunction, SkillResult } from "../domain/SkillContext.ts"
import { Disk } from "./Disk.ts"
import type { SkillLink } from "./SkillLink.ts"
import type { Steps } from "./Steps.ts"

/** A skill as the runtime runs it: its definition and, for one given in code, what it does. */
export interface SkillEntry {
  readonly definition: SkillDefinition
  readonly work: FunctionWork | undefined
}

/**
 * The skill whose actor this is: the machines of all skills are the same, and what they work on comes with their services. A
 * reload puts another one in its place: who works on it takes it once, at the beginning.
 */
export class Entry extends Context.Service<Entry, { current: SkillEntry }>()("holdfast/layers/SkillFunction/Entry") {}

/** One attempt of a function. It answers for its own failures; only our defects are anything else. */
export type FunctionWork = (facts: AttemptFacts, steps: Steps, link: SkillLink) => Effect.Effect<AttemptEnd, never, Disk>

/** What an Effect skill is given: the same facts as any skill, with Effects where a module has promises. */
export interface EffectSkillContext extends Omit<SkillContext, "signal" | "step" | "history" | "session" | "gateway">, SkillLink {
  readonly step: <A, E, R>(
    name: string,
    work: (step: { readonly key: string; readonly attempt: number }) => Effect.Effect<A, E, R>
  ) => Effect.Effect<A, E | StepFailed, R>
  readonly history: Effect.Effect<History | undefined>
}

/** A step was refused, or its result could not be made durable. `code` is as in the journal and the docs: `STEP_DUPLICATE`. */
export class StepFailed extends Schema.TaggedError<StepFailed>()("StepFailed", {
  step: Schema.String,
  code: Schema.String,
  reason: Schema.String,
  /** A refusal is for good; a disk that refuses is not. */
  retryable: Schema.Boolean
}) {
  override get message(): string {
    return this.reason
  }
}

export const effectWork =
  (skill: (ctx: EffectSkillContext) => Effect.Effect<SkillResult, unknown>): FunctionWork =>
  (facts, steps, link) =>
    Effect.flatMap(Disk, (disk) => {
      const step = stepping(facts, steps)
      return answered(Effect.suspend(() => skill({ ...common(facts), ...link, step, history: readHistory(disk, facts.historyFile) })))
    })

export const promiseWork =
  (skill: SkillFunction): FunctionWork =>
  (facts, steps, { session, gateway }) =>
    Effect.gen(function* () {
      const disk = yield* Disk
      const run = Effect.runPromiseWith(yield* Effect.context<never>())
      const step = stepping(facts, steps)
      return yield* answered(
        Effect.tryPromise({
          try: (signal) =>
            Promise.resolve(
              skill({
                ...common(facts),
                signal,
                step: (name, work) =>
                  run(step(name, (given) => Effect.tryPromise({ try: () => Promise.resolve(work(given)), catch: (thrown) => thrown }))),
                history: () => run(readHistory(disk, facts.historyFile)),
                session: {
                  history: (options) => run(session.history(options)),
                  inject: (text, options) => run(session.inject(text, options))
                },
                gateway: { invoke: (tool, args, options) => run(gateway.invoke(tool, args, options)) }
              })
            ),
          catch: (thrown) => thrown
        })
      )
    })

/** The step of a context: begun, done, finished; or given as it is on record. */
const stepping =
  ({ attempt }: AttemptFacts, steps: Steps): EffectSkillContext["step"] =>
  (name, work) =>
    Effect.gen(function* () {
      const start = yield* Effect.mapError(steps.begin(name), (cause) => stepFailed(name, cause))
      if (start._tag === "Replay") return start.result as never
      const result = yield* Effect.onError(work({ key: start.key, attempt }), () => steps.abandon(name))
      yield* Effect.mapError(steps.finish(name, result), (cause) => stepFailed(name, cause))
      return result
    })

const stepFailed = (step: string, { _tag, code, where, got, want, fix }: Refused | StorageFailed): StepFailed =>
  new StepFailed({ step, code, reason: `${code} at ${where}: got ${got}, want ${want}; ${fix}`, retryable: _tag !== "Refused" })

const common = (facts: AttemptFacts) => ({
  run: facts.run,
  skill: facts.skill,
  slot: new Date(facts.slotAtMs),
  attempt: facts.attempt,
  missed: facts.missed,
  fence: facts.fence,
  idempotencyKey: facts.run,
  directory: facts.directory
})

/** What a skill's own success, failure or defect comes to. */
const answered = (work: Effect.Effect<SkillResult, unknown>): Effect.Effect<AttemptEnd> =>
  Effect.matchCauseEffect(work, {
    onSuccess: (result) => Effect.succeed(succeeded(result)),
    onFailure: (cause) => {
      if (Cause.hasInterruptsOnly(cause)) return Effect.interrupt
      const thrown = Cause.squash(cause)
      if (thrown instanceof StepFailed && !thrown.retryable) {
        return Effect.succeed<AttemptEnd>({ _tag: "Failed", code: "STEP_INVALID", reason: why(thrown), retryable: false })
      }
      return Effect.succeed<AttemptEnd>({ _tag: "Failed", code: "RUN_THREW", reason: why(thrown), ...sayingOf(thrown) })
    }
  })

const succeeded = (result: SkillResult): AttemptEnd => {
  const answer = readAnswer(result)
  return typeof answer === "string"
    ? { _tag: "Failed", code: "RUN_RESULT", reason: answer, retryable: false }
    : { _tag: "Succeeded", ...answer }
}

const why = (thrown: unknown): string => shown(thrown instanceof Error ? thrown.message || thrown.name : thrown)

const HistoryFile = Schema.fromJsonString(
  Schema.Struct({
    session: Schema.String,
    readAt: Schema.String,
    messages: Schema.Array(Schema.Struct({ role: Schema.String, text: Schema.String, at: Schema.optional(Schema.String) }))
  })
)

const readHistory = (disk: Disk["Service"], file: string): Effect.Effect<History | undefined> =>
  Effect.gen(function* () {
    const kept = yield* Schema.decodeUnknownEffect(HistoryFile)(new TextDecoder().decode(yield* disk.read(file)))
    const ageMs = (yield* Clock.currentTimeMillis) - Date.parse(kept.readAt)
    return { ...kept, ageMs, messages: kept.messages.map((message) => ({ ...message, at: message.at })) }
  }).pipe(Effect.orElseSucceed(() => undefined)) // None was ever read, or the file is not ours: both mean no history.
