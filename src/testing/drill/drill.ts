/** One drill from its first file to its verdict: a real runtime, real sockets, a real loss, and what came of it. */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import * as Scope from "effect/Scope"
import { randomUUID } from "node:crypto"
import type { ListenFailed, StateUnusable } from "../../domain/Errors.ts"
import { EmbeddedGateway } from "../../gateway/index.ts"
import { checkSlots, checkTranscript, unfinishedRuns } from "../checkers/index.ts"
import { measure, type Measures } from "./measure.ts"
import { type Scenario, type ScenarioName, scenarios, type Stage } from "./scenarios.ts"
import { makeWorld, type RuntimeCommand, type RuntimeProcess, until, type World } from "./world.ts"

export interface DrillOptions {
  readonly command: RuntimeCommand
  /** How long the loss lasts, in seconds; the scenario's own length when absent. */
  readonly seconds?: number | undefined
  /** Keep the folder also after success. */
  readonly keep?: boolean | undefined
  /** Hears what is being done, a sentence at a time. */
  readonly tell?: ((progress: string) => void) | undefined
}

export interface DrillReport extends Measures {
  readonly scenario: ScenarioName
  readonly seconds: number
  /** Nothing lost, nothing twice, each result once and in order, and the loss really happened. */
  readonly ok: boolean
  /** Skills that waited during the loss, each with the reason that the runtime gave. */
  readonly heldFor: ReadonlyArray<{ readonly skill: string; readonly reason: string }>
  /** What kept the drill itself from going as planned. */
  readonly trouble: ReadonlyArray<string>
  /** The folder with everything in it, where it was kept: always after a failure. */
  readonly directory: string | undefined
}

/** Runs one. Fails only when the gateway cannot be served or come back; all that the runtime does is in the report. */
export const runDrill = (name: ScenarioName, options: DrillOptions): Effect.Effect<DrillReport, ListenFailed | StateUnusable> =>
  Effect.gen(function* () {
    const world = yield* makeWorld(name, options.command)
    const seconds = options.seconds ?? scenarios[name].seconds
    const { trouble, heldFor, ...measures } = yield* Effect.scoped(
      perform(world, scenarios[name], seconds * 1_000, options.tell ?? (() => {}))
    ).pipe(Effect.onInterrupt(() => Effect.sync(world.remove)))
    const ok = verdict(measures) && trouble.length === 0
    const kept = !ok || options.keep === true
    if (!kept) world.remove()
    return { scenario: name, seconds, ok, ...measures, heldFor, trouble, directory: kept ? world.directory : undefined }
  })

const verdict = ({ faultSeen, violations, runs, slots, results }: Measures): boolean =>
  faultSeen && violations.length === 0 && runs.unfinished === 0 && slots.unheld === 0 && slots.stalled === 0 && results.parked === 0

type Performed = Measures & Pick<DrillReport, "heldFor" | "trouble">

const perform = Effect.fnUntraced(function* (
  world: World,
  scenario: Scenario,
  lastsMs: number,
  tell: (progress: string) => void
): Effect.fn.Return<Performed, ListenFailed | StateUnusable, Scope.Scope> {
  const trouble: Array<string> = []
  const hopeFor = (holds: () => boolean, what: string, withinMs = 30_000) =>
    Effect.map(until(holds, withinMs), (came) => {
      if (!came) trouble.push(`${what}: not within ${withinMs / 1_000} s`)
    })
  const token = randomUUID()
  const gateway = yield* EmbeddedGateway.make({ port: 0, token: Redacted.make(token), directory: world.gatewayDirectory })
  const begin = world.start(gateway.url, token)
  let runtime: RuntimeProcess = yield* begin
  const scope = yield* Effect.scope
  const stage: Stage = {
    gateway: gateway.control,
    kill: Effect.suspend(() => {
      runtime.signal("SIGKILL")
      return Effect.asVoid(until(() => runtime.ended() !== undefined, 10_000))
    }),
    start: Effect.map(Effect.provideService(begin, Scope.Scope, scope), (next) => {
      runtime = next
    })
  }
  const lastMode = (fromMs: number) => world.journal().events.findLast((event) => event.type === "mode.changed" && event.atMs >= fromMs)
  const connected = (fromMs: number) => () => {
    const mode = lastMode(fromMs)
    return mode?.type === "mode.changed" && mode.to === "connected"
  }

  tell("starting a runtime with six skills, and a gateway")
  yield* hopeFor(connected(0), "connected at first")
  yield* gateway.control.delayCommit(commitMs)
  yield* hopeFor(() => inTheMiddle(world, Date.now()), "a run with a step behind it, another one at work, and a report on its way")
  tell(`${scenario.title}: begins, with runs in flight`)
  const faultAtMs = yield* Clock.currentTimeMillis
  yield* scenario.begin(stage)
  const heldFor = yield* watch(world, lastsMs)
  yield* gateway.control.delayCommit(0)
  const healedAtMs = yield* Clock.currentTimeMillis
  yield* scenario.end(stage)
  tell(`${scenario.title}: is over after ${(healedAtMs - faultAtMs) / 1_000} s`)
  yield* hopeFor(connected(healedAtMs), "connected again")
  yield* Effect.sleep(Math.max(afterwardsMs, faultAtMs + spanMinMs - (yield* Clock.currentTimeMillis)))

  const endAtMs = yield* Clock.currentTimeMillis
  const rows = gateway.transcript(sessionKey)
  tell("waiting until what is owed is on record and in the session")
  const settled = () => {
    const { events } = world.journal()
    const reports = checkTranscript(events, Effect.runSync(rows), { throughMs: endAtMs })
    return checkSlots(events, endAtMs).length === 0 && reports.length === 0 && unfinishedRuns(events, endAtMs).length === 0
  }
  yield* hopeFor(settled, "every slot on record and every result in the session", 20_000)
  runtime.signal("SIGTERM")
  yield* hopeFor(() => runtime.ended() !== undefined, "the runtime's end", 45_000)
  if (runtime.ended() !== "exit 0") trouble.push(`the runtime left with ${runtime.ended()}: ${world.lastWords()}`)

  const { events, violations } = world.journal()
  const measures = measure({
    events,
    faultAtMs,
    healedAtMs,
    endAtMs,
    effects: world.effects(),
    rows: yield* rows,
    needs: new Map(world.skills.map(({ name, needs }) => [name, needs])),
    mode: scenario.mode
  })
  return { ...measures, violations: [...violations, ...measures.violations], heldFor, trouble }
})

/** Where results go when nothing else is said. */
const sessionKey = "agent:main:main"
/**
 * How long the gateway takes to write a report down until the loss, so that the loss catches one: it is in the transcript, and
 * nobody was told. Whoever sends it again without looking has done it twice.
 */
const commitMs = 1_000
/** How long the drill looks on after the link is back. */
const afterwardsMs = 2_000
/** From the loss to the end, at the least: the skills have three and a half slots a second, and twenty are too few to say much. */
const spanMinMs = 7_000

/** Whether one run has one step behind it, another one is at work, and a report was sent so lately that its answer cannot be near. */
const inTheMiddle = (world: World, nowMs: number): boolean => {
  const { events } = world.journal()
  const settled = new Set(events.flatMap((event) => (event.type === "run.settled" ? [event.run] : [])))
  const open = (skill: string) => (run: string) => run.startsWith(`${skill}@`) && !settled.has(run)
  const steps = events.filter((event) => event.type === "step.finished" && open("pipeline")(event.run)).length
  const atWork = events.some((event) => event.type === "attempt.spawned" && open("reading")(event.run))
  const sent = events.findLast((event) => event.type === "entry.sent")
  return steps === 1 && atWork && sent !== undefined && nowMs - sent.atMs < commitMs / 3
}

/** Lets the time pass, and notes what waits and why. */
const watch = Effect.fnUntraced(function* (world: World, forMs: number) {
  const held = new Map<string, string>()
  yield* until(() => {
    for (const { name, state, reason } of world.picture()?.skills ?? [])
      if (state === "held" && reason !== undefined) held.set(name, reason)
    return false
  }, forMs)
  return [...held].map(([skill, reason]) => ({ skill, reason }))
})
