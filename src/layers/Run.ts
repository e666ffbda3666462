/** Gives the run machine its hands: each stop on the way of a run is journaled before the next one begins. */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Latch from "effect/Latch"
import * as Layer from "effect/Layer"
import { join } from "node:path"
import type { RunId } from "../domain/Run.ts"
import type { AttemptEnd, AttemptFacts, ProcessIdentity } from "../domain/Attempt.ts"
import type { Refused, StorageFailed } from "../domain/Errors.ts"
import { showDuration } from "../domain/durations.ts"
import type { RunRecord } from "../domain/Ledger.ts"
import { decideReport } from "../domain/policies/report.ts"
import { interruptionsMax, type ReportTerms, type SkillDefinition } from "../domain/Skill.ts"
import { anyTime } from "../domain/Timing.ts"
import { cutReport, reportText, wholeReport } from "../domain/Report.ts"
import { cancelled, type RunInput, runMachine, type Settlement } from "../machines/run.ts"
import { type ActorArgs, fromEffect, plug } from "./actor.ts"
import { stillApproved } from "./Approval.ts"
import type { Disk } from "./Disk.ts"
import { believed } from "./Evidence.ts"
import type { Process } from "./Process.ts"
import { consequences, Standing } from "./Standing.ts"
import { Pools, processes } from "./Pools.ts"
import { type BeginPrompt, makeBudget } from "./PromptBudget.ts"
import { placeShim } from "./Shim.ts"
import { Entry, type SkillEntry } from "./SkillFunction.ts"
import { performModule } from "./SkillHost.ts"
import { linkOf } from "./SkillLink.ts"
import { followProgram, performProcess } from "./SkillProcess.ts"
import { performPrompt } from "./SkillPrompt.ts"
import { StateStore } from "./StateStore.ts"
import { notExecuting, type Steps, withSteps } from "./Steps.ts"

export class Run extends Context.Service<
  Run,
  {
    /** The machine of a run, every port plugged; which skill's it is says `Entry`. */
    readonly machine: ReturnType<typeof bind>
    /** Returns once no run is under way. */
    readonly awaitIdle: Effect.Effect<void>
    /** Says whose attempts go on as an earlier runtime left them, before their skills have actors. */
    readonly expect: (runs: ReadonlyArray<RunId>) => void
    readonly survives: (run: RunId) => boolean
    /** The steps of an attempt, for who asks from outside of it. Refuses with STEP_NOT_EXECUTING all but the one under way; waits for one that is expected. */
    readonly steps: (run: RunId, attempt: number) => Effect.Effect<Steps, Refused>
    /** Settles a parked run as cancelled. */
    readonly cancelParked: (definition: SkillDefinition, run: RunId, by: string) => Effect.Effect<void, StorageFailed, StateStore>
  }
>()("holdfast/layers/Run") {
  /** `session` is where reports go unless a skill says otherwise; without one nothing is reported. */
  static readonly layer = (options: { readonly session: string | undefined }) =>
    Layer.effect(
      Run,
      Effect.gen(function* () {
        const idle = yield* Latch.make(true)
        const pools = yield* Pools
        const beginPrompt = yield* makeBudget
        const runs = new Set<RunId>()
        const expected = new Map<RunId, Latch.Latch>()
        const attempts = new Map<RunId, { readonly attempt: number; readonly steps: Steps }>()
        const underWay: UnderWay = {
          begin: (run) => {
            runs.add(run)
            idle.closeUnsafe()
          },
          end: (run) => {
            runs.delete(run)
            pools.leave(run)
            if (runs.size === 0) idle.openUnsafe()
          },
          during: ({ run, attempt }, steps, work) =>
            Effect.suspend(() => {
              attempts.set(run, { attempt, steps })
              expected.get(run)?.openUnsafe()
              expected.delete(run)
              return Effect.ensuring(
                work,
                Effect.sync(() => attempts.delete(run))
              )
            })
        }
        return Run.of({
          machine: bind(underWay, beginPrompt, options.session),
          awaitIdle: Effect.asVoid(idle.await),
          expect: (survivors) => {
            for (const run of survivors) expected.set(run, Latch.makeUnsafe())
          },
          survives: (run) => expected.has(run),
          steps: Effect.fnUntraced(function* (run, attempt) {
            yield* expected.get(run)?.await ?? Effect.void
            const known = attempts.get(run)
            return known?.attempt === attempt ? known.steps : yield* notExecuting(run, attempt)
          }),
          cancelParked: (definition, run, by) => settle(definition, run, cancelled(by), options.session)
        })
      })
    )
}

/** A run is under way from the start of an attempt until what came of it is on record: to end in between would be to forget it. */
interface UnderWay {
  readonly begin: (run: RunId) => void
  readonly end: (run: RunId) => void
  /** Does the work of an attempt whose steps can be asked for from outside meanwhile. */
  readonly during: <A, E, R>(facts: AttemptFacts, steps: Steps, work: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>
}

/** How a run that the last runtime left without an outcome goes on. */
export const resume = (run: RunRecord, definition: SkillDefinition, nowMs: number, survives = false): RunInput => {
  const interruptions = run.attempts - run.failedAttempts
  return {
    ...(survives ? { survives } : {}),
    run: run.run,
    retry: definition.retry,
    pools: poolsOf(definition),
    attempts: run.attempts,
    failedAttempts: run.failedAttempts,
    retryInMs: run.phase === "retryable" ? Math.max(0, (run.retryAtMs ?? nowMs) - nowMs) : undefined,
    interrupted:
      run.phase !== "executing"
        ? undefined
        : definition.onInterruption === "record"
          ? "the runtime died while it ran, and the skill says to leave it there"
          : interruptions >= interruptionsMax
            ? `interrupted ${interruptions} times: it may be what ends the runtime`
            : undefined
  }
}

/** A run that nothing is known of but its claim. */
export const fresh = (run: string, definition: SkillDefinition): RunInput => ({
  run,
  retry: definition.retry,
  pools: poolsOf(definition),
  attempts: 0,
  failedAttempts: 0,
  retryInMs: undefined,
  interrupted: undefined
})

/** Its own pool first: a place among the processes is not to be held while it waits for that. */
const poolsOf = ({ pool, work }: SkillDefinition): ReadonlyArray<string> => [
  ...(pool === undefined ? [] : [pool]),
  ...(work._tag === "Function" ? [] : [processes])
]

const bind = (underWay: UnderWay, beginPrompt: BeginPrompt, session: string | undefined) =>
  plug(runMachine, {
    place: fromEffect(({ input: { run, pools } }: { input: { readonly run: string; readonly pools: ReadonlyArray<string> } }) =>
      Effect.flatMap(Entry, ({ current: { definition } }) => Pools.use(({ enter }) => enter(run, definition.name, pools)))
    ),

    attempt: fromEffect(({ input, live }: Pick<ActorArgs<{ readonly run: string; readonly attempt: number }>, "input" | "live">) =>
      Effect.gen(function* () {
        const store = yield* StateStore
        const { current: entry } = yield* Entry // It ends as what it began as, whatever the files say by then.
        underWay.begin(input.run)
        const tooLate = lateness(entry.definition, store.ledger.runs.get(input.run), yield* Clock.currentTimeMillis)
        if (tooLate !== undefined) return tooLate
        yield* store.append({ type: "attempt.started", run: input.run, attempt: input.attempt })
        const facts = factsOf(store, input.run, input.attempt)
        const startedAtMs = yield* Clock.currentTimeMillis
        const end = yield* withSteps(input.run, input.attempt, (steps) =>
          underWay.during(facts, steps, perform(entry, facts, steps, beginPrompt))
        )
        return yield* believed(entry.definition, end, startedAtMs)
      }).pipe(endingUnlessCancelled(underWay, input.run, live))
    ),

    adopt: fromEffect(({ input, live }: Pick<ActorArgs<{ readonly run: string; readonly attempt: number }>, "input" | "live">) =>
      Effect.gen(function* () {
        const store = yield* StateStore
        const { definition } = (yield* Entry).current
        underWay.begin(input.run)
        yield* Pools.use(({ keep }) => Effect.sync(() => keep(input.run, poolsOf(definition))))
        const { process } = store.ledger.runs.get(input.run) ?? {}
        if (process === undefined) return yield* Effect.die(new Error(`${input.run} has no process on record`))
        const facts = factsOf(store, input.run, input.attempt)
        const end = yield* withSteps(
          input.run,
          input.attempt,
          (steps) => underWay.during(facts, steps, followProgram(definition, facts, process)),
          true
        )
        return yield* believed(definition, end, process.atMs)
      }).pipe(endingUnlessCancelled(underWay, input.run, live))
    ),

    recordFailure: fromEffect(
      ({ input }: { input: { readonly run: string; readonly attempt: number; readonly reason: string; readonly backoffMs: number } }) =>
        Effect.gen(function* () {
          const { run, attempt, reason, backoffMs } = input
          const retryAtMs = (yield* Clock.currentTimeMillis) + backoffMs
          yield* StateStore.use((store) => store.append({ type: "attempt.failed", run, attempt, reason, retryAtMs }))
        }).pipe(Effect.ensuring(Effect.sync(() => underWay.end(input.run))))
    ),

    link: fromEffect(() => Effect.flatMap(Standing, ({ mayStart }) => mayStart)),

    park: fromEffect(({ input: { run, reason } }: { input: { readonly run: string; readonly reason: string } }) =>
      StateStore.use((store) => store.append({ type: "run.parked", run, reason })).pipe(
        Effect.ensuring(Effect.sync(() => underWay.end(run)))
      )
    ),

    settle: fromEffect(({ input: { run, settlement } }: { input: { readonly run: string; readonly settlement: Settlement } }) =>
      Effect.ensuring(
        Effect.flatMap(Entry, ({ current: { definition } }) => settle(definition, run, settlement, session)),
        Effect.sync(() => underWay.end(run))
      )
    )
  })

/** An attempt that nobody waits for any more is over; one that was cancelled has yet to be settled. */
const endingUnlessCancelled = (underWay: UnderWay, run: RunId, live: () => boolean) =>
  Effect.onInterrupt(() =>
    Effect.sync(() => {
      if (!live()) underWay.end(run)
    })
  )

/** Puts on record what a run came to, and whether the session is told of it. */
const settle = Effect.fnUntraced(function* (
  definition: SkillDefinition,
  run: RunId,
  { outcome, reason, fields, summary, failure }: Settlement,
  session: string | undefined
): Effect.fn.Return<void, StorageFailed, StateStore> {
  const store = yield* StateStore
  const startedAtMs = store.ledger.runs.get(run)?.startedAtMs ?? null
  const durationMs = startedAtMs === null ? 0 : Math.max(0, (yield* Clock.currentTimeMillis) - startedAtMs) // The clock may have been set back meanwhile.
  const previousOutcome = store.ledger.skills.get(definition.name)?.last?.settled?.outcome
  const { when, via, session: to = session } = definition.report
  const told = session !== undefined && via !== "none" && decideReport(when, { outcome, previousOutcome })
  const settled = {
    type: "run.settled",
    run,
    outcome,
    reason,
    startedAtMs,
    durationMs,
    fields,
    ...(failure === undefined ? {} : { failure })
  } as const
  const nowMs = yield* Clock.currentTimeMillis
  const whole = reportText(settled, summary)
  const text = cutReport(run, whole)
  if (told && text !== whole) yield* store.view(wholeReport(run), whole) // First: what the report points at is there.
  const report = told ? { session: to!, text, ...termsOf(definition.report, nowMs) } : null
  const { events, tell } = yield* consequences(definition, outcome, failure?.class)
  yield* store.append({ ...settled, report }, ...events)
  yield* tell
})

const termsOf = ({ via, keepForMs, collapse }: ReportTerms, nowMs: number) => ({
  ...(via === "wake" || via === "hooks" ? { via } : {}),
  ...(keepForMs === undefined ? {} : { expiresAtMs: nowMs + keepForMs }),
  ...(collapse === true ? { collapse } : {})
})

/** The end of a run whose first attempt would begin too long after its slot; one that makes good a slot of the past is late on purpose. */
const lateness = ({ timing = anyTime }: SkillDefinition, run: RunRecord | undefined, nowMs: number): AttemptEnd | undefined =>
  run !== undefined && run.by === undefined && run.startedAtMs === undefined && nowMs > run.slotAtMs + timing.delayMs + timing.startWithinMs
    ? { _tag: "TooLate", reason: `could not begin within ${showDuration(timing.startWithinMs)} of its slot` }
    : undefined

const factsOf = (store: StateStore["Service"], run: string, attempt: number): AttemptFacts => {
  const record = store.ledger.runs.get(run)
  return {
    run,
    attempt,
    skill: record?.skill ?? "",
    slotAtMs: record?.slotAtMs ?? 0,
    missed: record?.missed ?? 0,
    fence: record?.fence ?? 0,
    startedAtMs: record?.startedAtMs,
    directory: join(store.directory, "runs", run),
    bin: join(store.directory, "bin"),
    historyFile: join(store.directory, "history.json")
  }
}

/** Does the work of one attempt, whatever kind of work it is. */
const perform = (
  { definition, work }: SkillEntry,
  facts: AttemptFacts,
  steps: Steps,
  beginPrompt: BeginPrompt
): Effect.Effect<AttemptEnd, StorageFailed, StateStore | Process | Disk> =>
  Effect.gen(function* () {
    const store = yield* StateStore
    const { run, attempt } = facts
    const onSpawned = (process: ProcessIdentity) => store.append({ type: "attempt.spawned", run, attempt, ...process })
    const changed = yield* stillApproved(definition)
    if (changed !== undefined) return changed
    const kind = definition.work
    switch (kind._tag) {
      case "Process":
        return (yield* prepared(facts)) ?? (yield* performProcess({ ...definition, work: kind }, facts, steps, onSpawned))
      case "Prompt":
        return (yield* prepared(facts)) ?? (yield* performPrompt(definition, facts, steps, beginPrompt(kind, facts), onSpawned))
      case "Module":
        return (yield* prepared(facts)) ?? (yield* performModule({ ...definition, work: kind }, facts, steps, onSpawned))
      case "Function":
        return yield* Effect.timeoutOrElse(work?.(facts, steps, yield* linkOf(definition, facts)) ?? absent(definition), {
          duration: definition.timeoutMs,
          orElse: () =>
            Effect.succeed<AttemptEnd>({
              _tag: "Failed",
              code: "RUN_TIMEOUT",
              reason: `took longer than ${definition.timeoutMs} ms`,
              retryable: true
            })
        })
    }
  })

const absent = ({ name }: SkillDefinition): Effect.Effect<AttemptEnd> =>
  Effect.succeed({ _tag: "Failed", code: "MODULE_SHAPE", reason: `no function was given for ${name}`, retryable: false })

/** Makes what an attempt needs on the disk; gives its end where the disk refuses that. */
const prepared = ({ run, bin }: AttemptFacts): Effect.Effect<AttemptEnd | undefined, never, StateStore> =>
  StateStore.use((store) => store.folder(join("runs", run))).pipe(
    Effect.andThen(placeShim(bin)),
    Effect.match({
      onSuccess: () => undefined,
      onFailure: ({ code, operation, path }): AttemptEnd => ({
        _tag: "Failed",
        code: "RUN_SPAWN_DIRECTORY",
        reason: `${path}: got ${code} from ${operation}, want a folder for the run; free the disk`,
        retryable: true
      })
    })
  )
