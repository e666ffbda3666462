/** `holdfast skills release`: lets a skill that was put aside work again. */
import * as Effect from "effect/Effect"
import { ask } from "../layers/ControlClient.ts"
import { defineCommand, exit, shared } from "./command.ts"
import { existingState, user } from "./place.ts"

export const command = defineCommand({
  about:
    "Lets a skill work again that was put aside (holdfast status shows it as quarantined, and why): because its runs or its actor kept failing, because it may be what ended the runtime, or because what it had started could not be ended. " +
    "Its crashes are counted anew. Of the slots that fell due meanwhile it does what its catchUp says.",
  words: { usage: "SKILL", min: 1, max: 1 },
  flags: shared,
  examples: [
    ["holdfast skills release post-pipeline", "once the cause is mended"],
    ["holdfast skills release post-pipeline --json", "the same for programs"]
  ],
  run: ({ flags, words, out }) =>
    Effect.gen(function* () {
      const skill = words[0]!
      yield* ask(yield* existingState(flags), { id: 1, do: "skill.release", skill, by: user() })
      if (out.json) out.value({ skill, released: true })
      else out.line(`${skill} works again; holdfast why ${skill} says what became of its slots`)
      return exit.ok
    })
})
