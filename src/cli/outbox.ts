/** `holdfast outbox`: the reports that wait to be sent, and those that are parked, read from the journal. */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import { shown } from "../domain/Errors.ts"
import { type EntryPicture, entryPictures } from "../domain/Picture.ts"
import { Disk } from "../layers/Disk.ts"
import { readState } from "../layers/StateStore.ts"
import { defineCommand, exit, shared } from "./command.ts"
import type { Out } from "./output.ts"
import { existingState } from "./place.ts"
import { length } from "./times.ts"

export const command = defineCommand({
  about:
    "Lists the reports that are not in their session: those that wait, in the order in which they go, and those that are parked, because they were refused or expired. " +
    "Reads the journal: it works while the runtime is down. A parked one goes again by holdfast outbox redrive, or is given up by holdfast outbox drop.",
  flags: shared,
  examples: [
    ["holdfast outbox", "what waits, what is parked, and why"],
    [`holdfast outbox --json | jq 'select(.state == "parked")'`, "one report a line, for programs"]
  ],
  run: ({ flags, out }) =>
    Effect.gen(function* () {
      const directory = yield* existingState(flags)
      const { ledger } = yield* Effect.provide(readState(directory), Disk.layerNode)
      const entries = entryPictures(ledger, yield* Clock.currentTimeMillis)
      if (out.json) for (const entry of entries) out.value(entry)
      else if (entries.length === 0) out.line("nothing waits, and nothing is parked")
      else out.table([["RUN", "STATE", "AGE", "SESSION", "REASON"].map(out.paint.dim), ...entries.map((entry) => row(entry, out))])
      return exit.ok
    })
})

const row = ({ run, state, ageMs, session, via, runs, reason, sentAt }: EntryPicture, { paint }: Out): ReadonlyArray<string> => [
  run,
  state === "parked" ? paint.red(state) : paint.yellow(state),
  ageMs === undefined ? "-" : length(ageMs),
  session === undefined ? "-" : `${shown(session)}${via === undefined ? "" : ` by ${via}, lossy`}`,
  [
    ...(runs === undefined ? [] : [`in place of ${runs.length} reports`]),
    ...(reason === undefined ? [] : [shown(reason)]),
    ...(state === "waiting" && sentAt !== undefined ? ["was sent, and is looked up before it is sent again"] : [])
  ].join("; ")
]
