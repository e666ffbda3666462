/** `holdfast resume`: ends a pause. */
import * as Effect from "effect/Effect"
import type { Picture } from "../domain/Picture.ts"
import { ask } from "../layers/ControlClient.ts"
import { defineCommand, exit, shared } from "./command.ts"
import { existingState, user } from "./place.ts"
import { clock, relative } from "./times.ts"

export const command = defineCommand({
  about: "Ends the pause of a skill. What the pause skipped stays skipped: the next slot is the first one again.",
  words: { usage: "SKILL", min: 1, max: 1 },
  flags: {
    why: { type: "text", value: "TEXT", about: "for the record" },
    ...shared
  },
  examples: [
    ["holdfast resume post-pipeline", "and says when its next slot is"],
    ["holdfast resume post-pipeline --why 'unlocked' --json", "the same for programs"]
  ],
  run: ({ flags, words, out }) =>
    Effect.gen(function* () {
      const skill = words[0]!
      const directory = yield* existingState(flags)
      yield* ask(directory, { id: 1, do: "skill.resume", skill, by: user(), why: flags.why ?? "" })
      const { skills } = (yield* ask(directory, { id: 2, do: "status" })) as Picture
      const next = skills.find(({ name }) => name === skill)?.next
      if (out.json) out.value({ skill, paused: null, next: next ?? null })
      else if (next === undefined) out.line(`${skill} is resumed`)
      else
        out.line(
          `${skill} is resumed; its next slot is at ${clock(Date.parse(next), Date.now())} ${relative(Date.parse(next), Date.now())}`
        )
      return exit.ok
    })
})
