/** The text of a file that a person has named. */
import * as Effect from "effect/Effect"
import { readFileSync } from "node:fs"
import { Refused, shown } from "../domain/Errors.ts"

/** `-` is stdin. Fails with FILE_UNREADABLE. */
export const textIn = (file: string): Effect.Effect<string, Refused> =>
  Effect.try({
    try: () => readFileSync(file === "-" ? 0 : file, "utf8"),
    catch: (error) => anotherFile("FILE_UNREADABLE", file, (error as NodeJS.ErrnoException).code ?? "an error", "a file that can be read")
  })

/** The file is not what was meant. */
export const anotherFile = (code: string, where: string, got: string, want: string) =>
  new Refused({ code, where: shown(where), got, want, fix: "name another file" })
