/** The journal as anybody can read it: its lines, in order, as events. */
import { readdirSync, readFileSync } from "node:fs"
import { join } from "node:path"
import type { JournalEvent } from "../src/domain/JournalEvent.ts"

/** From the files of a disk in memory. */
export const journalOf = (files: ReadonlyMap<string, Uint8Array>): ReadonlyArray<JournalEvent> =>
  [...files.entries()].filter(([path]) => path.includes("/journal/")).sort(([a], [b]) => a < b ? -1 : 1)
    .flatMap(([, content]) => eventsIn(new TextDecoder().decode(content)))

/** From a state directory on a real disk. */
export const journalIn = (state: string): ReadonlyArray<JournalEvent> =>
  readdirSync(join(state, "journal")).sort().flatMap((name) => eventsIn(readFileSync(join(state, "journal", name), "utf8")))

const eventsIn = (text: string): ReadonlyArray<JournalEvent> =>
  text.split("\n").flatMap((line) => {
    const at = line.indexOf("{")
    const event = at < 0 ? undefined : JSON.parse(line.slice(at)) as JournalEvent | { readonly type?: undefined }
    return event?.type === undefined ? [] : [event]
  })
