/** The command `holdfast` for the scripts of skills: a program in the state directory that starts the very one this runtime is part of. */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as fs from "node:fs"
import { createRequire } from "node:module"
import { dirname, join } from "node:path"
import { execPath } from "node:process"
import { errorCode } from "./platform.ts"

/** The command's own file; nothing where it cannot be found. Override it where Holdfast itself was bundled into another package. */
export const CommandFile = Context.Reference<string | undefined>("holdfast/layers/CommandFile", {
  defaultValue: () => {
    try {
      const root = dirname(createRequire(import.meta.url).resolve("holdfast/package.json"))
      return import.meta.url.endsWith(".ts") ? join(root, "src/bin.ts") : join(root, "dist/bin.js")
    } catch {
      return undefined
    }
  }
})

/** Sees to it that `holdfast` is in this folder (0700), and is ours: no other version, and nothing to install. A failure is a warning: most skills do without. */
export const placeShim = Effect.fn("Shim.place")(function* (folder: string) {
  const file = yield* CommandFile
  if (file === undefined) return yield* Effect.logWarning("SHIM_MISSING: skills have no `holdfast` on their PATH: its file is not there")
  const text = `#!/bin/sh\nexec ${[execPath, ...(file.endsWith(".ts") ? ["--conditions=holdfast-source"] : []), file].map(quoted).join(" ")} "$@"\n`
  yield* Effect.try({
    try: () => put(folder, text),
    catch: (cause) => cause as NodeJS.ErrnoException
  }).pipe(
    Effect.catch((error) => Effect.logWarning(`SHIM_MISSING: skills have no \`holdfast\` on their PATH: ${errorCode(error)} at ${folder}`))
  )
})

/** Whole or not at all: another run may be starting it at this moment. */
const put = (folder: string, text: string): void => {
  const file = join(folder, "holdfast")
  if (fs.statSync(file, { throwIfNoEntry: false })?.mode === 0o100700 && fs.readFileSync(file, "utf8") === text) return
  fs.mkdirSync(folder, { recursive: true, mode: 0o700 })
  const draft = join(folder, ".draft-holdfast")
  fs.rmSync(draft, { force: true })
  fs.writeFileSync(draft, text, { mode: 0o700, flag: "wx" })
  fs.renameSync(draft, file)
}

const quoted = (word: string): string => `'${word.replaceAll("'", `'\\''`)}'`
