/** `holdfast state backup DIR`: a copy to start from, made at any time. */
import * as Effect from "effect/Effect"
import { resolve } from "node:path"
import { backup } from "../layers/Backup.ts"
import { Disk } from "../layers/Disk.ts"
import { defineCommand, exit, shared } from "./command.ts"
import { existingState } from "./place.ts"
import { progress } from "./progress.ts"
import { readable } from "./readable.ts"

export const command = defineCommand({
  about:
    "Copies the journal and what runs left into DIR, which has to be empty or not there, and verifies the copy. May be run while a runtime works. " +
    "To restore, stop the runtime, put the copy in the place of the directory, and start. Never run the copy beside the original.",
  words: { usage: "DIR", min: 1, max: 1 },
  flags: { state: shared.state, config: shared.config },
  examples: [["holdfast state backup /backup/holdfast-monday", "a copy of the usual directory"]],
  run: ({ flags, words, out }) =>
    Effect.gen(function* () {
      const directory = yield* existingState(flags)
      const to = resolve(words[0]!)
      const { segments, records, hash } = yield* readable(to, backup(directory, to, progress(out, "copied"))).pipe(
        Effect.provide(Disk.layerNode)
      )
      if (out.json) out.value({ to, segments, records, hash })
      else out.line(`copied to ${to}: ${records} records in ${segments} segments, state ${hash}`)
      return exit.ok
    })
})
