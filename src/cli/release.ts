/** `holdfast release`: opens the intake of a runtime that was started with `--hold`. */
import * as Effect from "effect/Effect"
import type { Picture } from "../domain/Picture.ts"
import { ask } from "../layers/ControlClient.ts"
import { defineCommand, exit, shared } from "./command.ts"
import { existingState } from "./place.ts"

export const command = defineCommand({
  about:
    "Opens a runtime that is held, because it was started with --hold or because restarts loop: from then on its skills fire. On one that is open it changes nothing.",
  flags: shared,
  examples: [
    ["holdfast up --hold", "look around first"],
    ["holdfast release", "then let it work"]
  ],
  run: ({ flags, out }) =>
    Effect.gen(function* () {
      const directory = yield* existingState(flags)
      yield* ask(directory, { id: 1, do: "release" })
      const { mode, means } = (yield* ask(directory, { id: 2, do: "status" })) as Picture
      if (out.json) out.value({ mode, means })
      else out.line(`${mode}: ${means}`)
      return exit.ok
    })
})
