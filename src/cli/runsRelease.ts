/** `holdfast runs release`: lets a parked run be tried again. */
import * as Effect from "effect/Effect"
import { ask } from "../layers/ControlClient.ts"
import { defineCommand, exit, shared } from "./command.ts"
import { existingState, user } from "./place.ts"

export const command = defineCommand({
  about:
    "Lets a parked run be tried again (holdfast status shows them). A run is parked when its skill was changed in the middle of it and asks for other steps than " +
    "those on record. After a release the steps on record are replayed as before and the others are done, whatever they are called: " +
    "give the steps their old names first, unless the new ones are meant to be done as well.",
  words: { usage: "RUN", min: 1, max: 1 },
  flags: shared,
  examples: [
    ["holdfast runs release post-pipeline@20261122T090000Z", "tries it again"],
    ["holdfast runs release post-pipeline@20261122T090000Z --json", "the same for programs"]
  ],
  run: ({ flags, words, out }) =>
    Effect.gen(function* () {
      const run = words[0]!
      yield* ask(yield* existingState(flags), { id: 1, do: "run.release", run, by: user() })
      if (out.json) out.value({ run, released: true })
      else out.line(`${run} is tried again; holdfast runs shows what it comes to`)
      return exit.ok
    })
})
