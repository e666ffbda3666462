/** `holdfast pause`: keeps a skill's slots from becoming runs. */
import * as Effect from "effect/Effect"
import { ask } from "../layers/ControlClient.ts"
import { defineCommand, exit, shared } from "./command.ts"
import { existingState, user } from "./place.ts"

export const command = defineCommand({
  about:
    "Skips the slots of a skill until it is resumed, also over restarts of the runtime. Each is on record as skipped, with who paused the skill and why, and none is made good later. " +
    "A run under way goes on to its end, and holdfast trigger still runs the skill.",
  words: { usage: "SKILL", min: 1, max: 1 },
  flags: {
    why: { type: "text", value: "TEXT", about: "for whoever finds it paused" },
    ...shared
  },
  examples: [
    ["holdfast pause post-pipeline --why 'the account is locked'", "no posts until it is resumed"],
    ["holdfast pause post-pipeline --json", "the same for programs"]
  ],
  run: ({ flags, words, out }) =>
    Effect.gen(function* () {
      const skill = words[0]!
      const [by, why] = [user(), flags.why ?? ""]
      yield* ask(yield* existingState(flags), { id: 1, do: "skill.pause", skill, by, why })
      if (out.json) out.value({ skill, paused: { by, why } })
      else out.line(`${skill} is paused; holdfast resume ${skill} ends that`)
      return exit.ok
    })
})
