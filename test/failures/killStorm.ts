/**
 * A storm: a real runtime killed with SIGKILL again and again at random instants, while real skills run as processes and the
 * gateway comes and goes. Afterwards everything that can be seen from outside is judged.
 */
import { Effect, Redacted } from "effect"
import { rmSync } from "node:fs"
import { EmbeddedGateway } from "../../src/gateway/index.ts"
import type { Violation } from "../../src/testing/checkers/index.ts"
import { bin } from "../built.ts"
import { settled, violationsOf } from "./aftermath.ts"
import { mulberry32 } from "./mulberry32.ts"
import { makeWorld, type RuntimeCommand, until } from "../../src/testing/drill/world.ts"

export interface Storm {
  readonly kills: number
  readonly seed: number
}

export interface StormReport {
  readonly violations: ReadonlyArray<Violation>
  /** What the storm was made of, so that a quiet one is seen to be none. */
  readonly slots: number
  readonly runs: number
  readonly interruptedAttempts: number
  readonly replayedSteps: number
  readonly rows: number
  readonly lostReplies: number
  /** Where the files are, when something was wrong. */
  readonly directory: string
}

const up: RuntimeCommand = ({ state, skills, gateway }) => [
  process.execPath,
  bin,
  "up",
  "--state",
  state,
  "--skills",
  skills,
  "--gateway",
  gateway
]

export const killStorm = ({ kills, seed }: Storm): Promise<StormReport> =>
  Effect.runPromise(
    Effect.scoped(
      Effect.gen(function* () {
        const random = mulberry32(seed)
        const between = (least: number, most: number) => Math.round(least + random() * (most - least))
        const world = yield* makeWorld("storm", up)
        const token = "storm-token-0123456789abcdef"
        const gateway = yield* EmbeddedGateway.make({ port: 0, token: Redacted.make(token), directory: world.gatewayDirectory })
        const { control } = gateway
        let lostReplies = 0

        /** Breaks one thing at the gateway, and mends what an earlier call broke. */
        const flap = Effect.gen(function* () {
          yield* Effect.all([control.thaw, control.acceptSessions, control.healHttp], { discard: true })
          switch (between(0, 6)) {
            case 0:
              return yield* control.drop
            case 1:
              return yield* control.refuseSessions
            case 2:
              return yield* control.failHttp
            case 3:
              return yield* control.hang
            case 4:
              lostReplies += 1
              return yield* control.loseReplies(1)
            case 5:
              return yield* control.delayCommit(between(20, 300))
            default:
              return yield* control.restart(between(50, 200))
          }
        })

        for (let kill = 0; kill < kills; kill++) {
          yield* Effect.scoped(
            Effect.gen(function* () {
              const before = world.journal().events.length
              const runtime = yield* world.start(gateway.url, token)
              // From a start that has done nothing yet to one with runs, steps and deliveries under way.
              yield* until(() => world.journal().events.length > before + between(0, 2), 20_000)
              yield* Effect.sleep(between(0, 1_600))
              yield* flap
              yield* Effect.sleep(between(0, 400))
              runtime.signal("SIGKILL")
              yield* until(() => runtime.ended() !== undefined, 10_000)
            })
          )
        }

        // The faults end: a last runtime settles and tells everything that is owed, and stops as it is asked to.
        yield* Effect.all([control.thaw, control.acceptSessions, control.healHttp, control.delayCommit(0)], { discard: true })
        let throughMs = Infinity
        yield* Effect.scoped(
          Effect.gen(function* () {
            const runtime = yield* world.start(gateway.url, token)
            throughMs = yield* settled(world, runtime)
          })
        )

        const found = yield* violationsOf(world, gateway, throughMs)
        const { events } = world.journal()
        const rows = yield* gateway.transcript("agent:main:main")
        const attempts = events.filter(({ type }) => type === "attempt.started").length
        const ended = events.filter(({ type }) => type === "attempt.failed" || type === "run.settled").length
        const report = {
          violations: found,
          slots: events.reduce(
            (sum, event) => sum + (event.type === "slot.settled" ? event.count : event.type === "run.claimed" ? 1 : 0),
            0
          ),
          runs: events.filter(({ type }) => type === "run.settled").length,
          interruptedAttempts: attempts - ended,
          replayedSteps: replayed(world.effects()),
          rows: rows.length,
          lostReplies,
          directory: world.directory
        }
        if (found.length === 0) rmSync(world.directory, { recursive: true, force: true, maxRetries: 5 }) // After the last look at it.
        return report
      })
    )
  )

/** Runs whose steps were done by one attempt and finished by a later one. */
const replayed = (
  effects: ReadonlyArray<{ readonly run: string; readonly attempt: number; readonly step: string | undefined }>
): number => {
  const attempts = new Map<string, Set<number>>()
  for (const { run, attempt, step } of effects) if (step !== undefined) attempts.set(run, (attempts.get(run) ?? new Set()).add(attempt))
  return [...attempts.values()].filter((of) => of.size > 1).length
}
