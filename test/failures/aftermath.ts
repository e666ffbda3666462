/** What comes after real faults: a runtime that settles and tells everything that is owed, and the judgement of all that can be seen. */
import { Effect } from "effect"
import type { EmbeddedGateway } from "../../src/gateway/index.ts"
import { checkRuns, checkSlots, checkSteps, checkTranscript, unfinishedRuns, type Violation } from "../../src/testing/checkers/index.ts"
import { type RuntimeProcess, until, type World } from "../../src/testing/drill/world.ts"

/** Waits until the link is whole and nothing is owed any more, then asks the runtime to stop. Gives the instant up to which it owed. */
export const settled = Effect.fnUntraced(function* (world: World, runtime: RuntimeProcess) {
  yield* until(() => world.picture()?.mode === "connected", 60_000)
  const throughMs = Date.now()
  yield* until(() => {
    const { events } = world.journal()
    return unfinishedRuns(events, throughMs).length === 0 && checkSlots(events, throughMs).length === 0
  }, 60_000)
  yield* until(() => world.picture()?.outbox.waiting === 0, 60_000)
  runtime.signal("SIGTERM")
  yield* until(() => runtime.ended() !== undefined, 40_000)
  return throughMs
})

/** Everything that is wrong with the journal, the skills' own book, and the session's transcript. */
export const violationsOf = Effect.fnUntraced(function* (world: World, gateway: EmbeddedGateway, throughMs: number) {
  const { events, violations } = world.journal()
  const rows = yield* gateway.transcript("agent:main:main")
  return [
    ...violations,
    ...checkSlots(events, throughMs),
    ...checkRuns(events),
    ...checkSteps(events, world.effects()),
    ...checkTranscript(events, rows, { throughMs }),
    ...unfinishedRuns(events, throughMs).map((run): Violation => ({ rule: "run.unclaimed", subject: run, detail: "never settled" }))
  ]
})
