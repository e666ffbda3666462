/** `holdfast outbox drop`: gives a parked report up. */
import * as Effect from "effect/Effect"
import { ask } from "../layers/ControlClient.ts"
import { defineCommand, exit, shared } from "./command.ts"
import { existingState, user } from "./place.ts"

export const command = defineCommand({
  about:
    "Gives a parked report up for good: its session is never told. That is on record with who asked; the run and what it came to stay as they are.",
  words: { usage: "RUN", min: 1, max: 1 },
  flags: shared,
  examples: [
    ["holdfast outbox drop daily-memory@20261122T060000Z", "nobody wants to know it any more"],
    ["holdfast outbox drop daily-memory@20261122T060000Z --json", "the same for programs"]
  ],
  run: ({ flags, words, out }) =>
    Effect.gen(function* () {
      const run = words[0]!
      yield* ask(yield* existingState(flags), { id: 1, do: "entry.drop", run, by: user() })
      if (out.json) out.value({ run, dropped: true })
      else out.line(`${run} is given up: its session is not told`)
      return exit.ok
    })
})
