/** The events that a journal still has, read beside a runtime or without one. */
import * as Effect from "effect/Effect"
import { join } from "node:path"
import type { DiskError, StateUnusable } from "../domain/Errors.ts"
import type { JournalEvent } from "../domain/JournalEvent.ts"
import { decodeEvent, recordsOf } from "../domain/JournalReading.ts"
import { Disk } from "./Disk.ts"
import { eachSegment, segmentsIn } from "./Recovery.ts"

/**
 * Gives every event to `take`, oldest first; a tail that is just being written is left out, as are events of types that a later version
 * has. `wanted` says of a record's JSON whether it is worth decoding, which takes most of the time.
 */
export const eachEvent = Effect.fnUntraced(function* (
  directory: string,
  take: (event: JournalEvent) => void,
  wanted: (json: string) => boolean = () => true
): Effect.fn.Return<void, DiskError | StateUnusable, Disk> {
  const disk = yield* Disk
  const numbers = segmentsIn(yield* disk.list(join(directory, "journal")))
  yield* eachSegment(directory, numbers, (segment, next) =>
    Effect.sync(() => {
      for (const { json } of recordsOf(segment.bytes, next._tag === "Segment" ? next.after : undefined)) {
        if (!wanted(json)) continue
        const event = decodeEvent(json)
        if (event !== "unknown" && event._tag === "Event") take(event.event)
      }
    })
  )
})
