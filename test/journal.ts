/** The journal of a state directory on a real disk, as anybody can read it. */
import { readdirSync, readFileSync } from "node:fs"
import { join } from "node:path"
import type { JournalEvent } from "../src/domain/JournalEvent.ts"
import { readJournal } from "../src/testing/checkers/journal.ts"

export const journalIn = (state: string): ReadonlyArray<JournalEvent> =>
  readJournal(
    readdirSync(join(state, "journal"))
      .filter((name) => name.endsWith(".log"))
      .sort()
      .map((name) => readFileSync(join(state, "journal", name)))
  ).events
