/** `holdfast runs cancel`: gives a parked run up. */
import * as Effect from "effect/Effect"
import { ask } from "../layers/ControlClient.ts"
import { defineCommand, exit, shared } from "./command.ts"
import { existingState, user } from "./place.ts"

export const command = defineCommand({
  about:
    "Settles a parked run as cancelled (holdfast status shows them, and why). What its steps did stays done; nothing of it is tried again.",
  words: { usage: "RUN", min: 1, max: 1 },
  flags: shared,
  examples: [
    ["holdfast runs cancel post-pipeline@20261122T090000Z", "gives it up"],
    ["holdfast runs cancel post-pipeline@20261122T090000Z --json", "the same for programs"]
  ],
  run: ({ flags, words, out }) =>
    Effect.gen(function* () {
      const run = words[0]!
      yield* ask(yield* existingState(flags), { id: 1, do: "run.cancel", run, by: user() })
      if (out.json) out.value({ run, outcome: "cancelled" })
      else out.line(`${run} is cancelled`)
      return exit.ok
    })
})
