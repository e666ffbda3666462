/** `holdfast runs cancel`: ends a run, or gives it up. */
import * as Effect from "effect/Effect"
import { ask } from "../layers/ControlClient.ts"
import { defineCommand, exit, shared } from "./command.ts"
import { existingState, user } from "./place.ts"

export const command = defineCommand({
  about:
    "Settles a run as cancelled: one that is under way, waits, is to be tried again, or is parked. What it has started gets TERM and its grace, and the answer comes when that is gone. " +
    "What its steps did stays done; nothing of it is tried again.",
  words: { usage: "RUN", min: 1, max: 1 },
  flags: shared,
  examples: [
    ["holdfast runs cancel post-pipeline@20261122T090000Z", "ends it"],
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
