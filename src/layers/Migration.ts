/** Before a start writes the first segment of a newer format, the older ones are kept as they are, beside the journal. */
import * as Effect from "effect/Effect"
import { join } from "node:path"
import { Disk } from "./Disk.ts"
import { segmentName, segmentsIn } from "./Recovery.ts"

/**
 * Copies every segment below `below` to `backup/format-<n>/`, durably. A start that died half way is followed by one that
 * copies again, since the journal is of the old format until the copy is whole.
 */
export const keepFormat = Effect.fnUntraced(function* (directory: string, format: number, below: number) {
  const disk = yield* Disk
  const journal = join(directory, "journal")
  const folder = join(directory, "backup", `format-${format}`)
  yield* disk.removeTree(folder)
  yield* disk.makeDir(folder)
  for (const number of segmentsIn(yield* disk.list(journal)).filter((number) => number < below)) {
    const copy = yield* disk.open(join(folder, segmentName(number)), { create: true })
    yield* copy.append(yield* disk.read(join(journal, segmentName(number))))
    yield* copy.datasync
  }
  yield* disk.syncDir(folder)
  yield* disk.syncDir(join(directory, "backup"))
  yield* disk.syncDir(directory)
}, Effect.scoped)
