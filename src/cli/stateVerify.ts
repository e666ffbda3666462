/** `holdfast state verify`: whether a state directory is whole, and what it adds up to. */
import * as Effect from "effect/Effect"
import { iso } from "../domain/Run.ts"
import { Disk } from "../layers/Disk.ts"
import { verify } from "../layers/Verify.ts"
import { defineCommand, exit, shared } from "./command.ts"
import { existingState } from "./place.ts"
import { progress } from "./progress.ts"
import { readable } from "./readable.ts"

export const command = defineCommand({
  about:
    "Reads every segment and checkpoint of the journal and compares them with each other: lines, chain, digests, and each checkpoint with what comes before it. " +
    "Changes nothing and may be run beside a runtime. Leaves with 0 when all is whole (a torn last line is, it was never acknowledged), with 74 when not.",
  flags: { state: shared.state, config: shared.config },
  examples: [
    ["holdfast state verify", "the usual directory"],
    ["holdfast state verify --state ./copy --json | jq -r .hash", "two directories of one hash are in the same state"]
  ],
  run: ({ flags, out }) =>
    Effect.gen(function* () {
      const directory = yield* existingState(flags)
      const verified = yield* readable(directory, verify(directory, progress(out, "read"))).pipe(Effect.provide(Disk.layerNode))
      const { segments, records, checkpoints, hash, durableAtMs, torn } = verified
      const lastDurable = durableAtMs === undefined ? undefined : iso(durableAtMs)
      if (out.json) out.value({ segments, records, checkpoints, hash, lastDurable: lastDurable ?? null, torn })
      else {
        out.line(`whole: ${records} records in ${segments} segments, ${checkpoints} checkpoints`)
        out.line(`state ${hash}`)
        out.line(`durable through ${lastDurable ?? "nothing yet"}`)
        for (const { file, offset, bytes } of torn)
          out.line(`torn tail: ${bytes} bytes of ${file} at ${offset}; the next start keeps and cuts them`)
      }
      return exit.ok
    })
})
