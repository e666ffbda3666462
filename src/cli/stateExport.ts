/** `holdfast state export`: the journal for other tools. */
import * as Effect from "effect/Effect"
import { once } from "node:events"
import { join } from "node:path"
import { Disk } from "../layers/Disk.ts"
import { eachSegment, segmentsIn } from "../layers/Recovery.ts"
import { recordsOf } from "../domain/JournalReading.ts"
import { defineCommand, exit, shared } from "./command.ts"
import { existingState } from "./place.ts"
import { readable } from "./readable.ts"

export const command = defineCommand({
  about:
    "Writes every event that the journal still has as one line of JSON, oldest first, each with its number `seq`. Changes nothing and may be run beside a runtime.",
  flags: { state: shared.state, config: shared.config },
  examples: [["holdfast state export | jq -r 'select(.type == \"run.settled\") | [.run, .outcome] | @tsv'", "what each run came to"]],
  run: ({ flags, out }) =>
    Effect.gen(function* () {
      const directory = yield* existingState(flags)
      const disk = yield* Disk
      const numbers = segmentsIn(yield* readable(directory, disk.list(join(directory, "journal"))))
      yield* readable(
        directory,
        eachSegment(directory, numbers, (segment, next) =>
          Effect.gen(function* () {
            for (const { seq, json } of recordsOf(segment.bytes, next._tag === "Segment" ? next.after : undefined)) {
              out.line(`{"seq":${seq},${json.slice(1)}`)
              if (out.backlog() > backlogMax) yield* Effect.promise(() => once(process.stdout, "drain"))
            }
          })
        )
      )
      return exit.ok
    }).pipe(Effect.provide(Disk.layerNode))
})

/** Bytes that may wait for a slow reader. */
const backlogMax = 1_048_576
