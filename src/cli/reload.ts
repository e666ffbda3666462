/** `holdfast reload`: has a runtime read its skills again. */
import * as Effect from "effect/Effect"
import { ask } from "../layers/ControlClient.ts"
import type { Reloaded } from "../layers/Reloading.ts"
import { defineCommand, exit, shared } from "./command.ts"
import { existingState } from "./place.ts"

export const command = defineCommand({
  about:
    "Has a runtime read its skills folders again, with the config and the flags of its start, and take over what has changed: all of it, " +
    "or nothing where something has a problem that it did not have before (RELOAD_REFUSED). SIGHUP to holdfast up asks for the same.",
  flags: shared,
  examples: [
    ["holdfast skills check ./skills", "see what would be read"],
    ["holdfast reload", "then take it over"]
  ],
  run: ({ flags, out }) =>
    Effect.gen(function* () {
      const reloaded = (yield* ask(yield* existingState(flags), { id: 1, do: "reload" })) as Reloaded
      if (out.json) out.value(reloaded)
      else out.line(reloadedWords(reloaded))
      return exit.ok
    })
})

/** What a reload has done, on one line. */
export const reloadedWords = (reloaded: Reloaded): string => {
  const parts = (["added", "changed", "removed"] as const).flatMap((what) =>
    reloaded[what].length === 0 ? [] : [`${what} ${reloaded[what].join(", ")}`]
  )
  return parts.length === 0 ? "no skill has changed" : parts.join("; ")
}
