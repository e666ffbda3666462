/** `holdfast outbox redrive`: has parked reports sent again. */
import * as Effect from "effect/Effect"
import { ask } from "../layers/ControlClient.ts"
import { defineCommand, exit, shared } from "./command.ts"
import { existingState, user } from "./place.ts"
import { UsageInvalid } from "./usage.ts"

export const command = defineCommand({
  about:
    "Has a parked report sent again, or all of them, once what they were refused for is mended (holdfast outbox shows it). " +
    "They go behind what waits already, and do not expire. One that may stand in the session is looked up first: it is not told twice.",
  words: { usage: "RUN|--all", min: 0, max: 1 },
  flags: { all: { type: "switch", about: "every report that is parked" }, ...shared },
  examples: [
    ["holdfast outbox redrive daily-memory@20261122T060000Z", "one of them"],
    ["holdfast outbox redrive --all --json", "all of them, for programs"]
  ],
  run: ({ flags, words: [run], out }) =>
    Effect.gen(function* () {
      if ((run === undefined) !== flags.all) return yield* Effect.fail(oneOfBoth)
      const asked = { id: 1, do: "entry.redrive", ...(run === undefined ? {} : { run }), by: user() } as const
      const redriven = (yield* ask(yield* existingState(flags), asked)) as ReadonlyArray<string>
      if (out.json) out.value({ redriven })
      else if (redriven.length === 0) out.line("nothing is parked")
      else for (const one of redriven) out.line(`${one} is sent again`)
      return exit.ok
    })
})

const oneOfBoth = new UsageInvalid({
  code: "WORDS",
  where: "holdfast outbox redrive",
  got: "not one of both",
  want: "RUN, or --all",
  fix: "name a run that holdfast outbox shows as parked, or say --all"
})
