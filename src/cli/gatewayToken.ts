/** The embedded gateway's token: from the environment, or a file that only its owner can read. It is never printed. */
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import { randomBytes } from "node:crypto"
import * as fs from "node:fs"
import { dirname } from "node:path"
import { ConfigInvalid, shown } from "../domain/Errors.ts"

/** The token in this file, which is made (0600, 256 random bits) where it is missing. Fails with SECRET_MISSING or CONFIG_PERMISSIONS. */
export const tokenIn = (file: string): Effect.Effect<Redacted.Redacted, ConfigInvalid> =>
  Effect.try({
    try: () => {
      fs.mkdirSync(dirname(file), { recursive: true, mode: 0o700 })
      try {
        fs.writeFileSync(file, `${randomBytes(32).toString("hex")}\n`, { mode: 0o600, flag: "wx" })
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error
      }
      const { mode } = fs.statSync(file)
      return { mode, text: (mode & 0o077) === 0 ? fs.readFileSync(file, "utf8").trim() : "" }
    },
    catch: (error) =>
      refused(
        "SECRET_MISSING",
        file,
        (error as NodeJS.ErrnoException).code ?? "an error",
        "a file we may write and read",
        "correct the folder's permissions"
      )
  }).pipe(
    Effect.flatMap(({ mode, text }) =>
      (mode & 0o077) !== 0
        ? Effect.fail(refused("CONFIG_PERMISSIONS", file, `mode 0${(mode & 0o777).toString(8)}`, "mode 0600", `chmod 600 ${file}`))
        : text === ""
          ? Effect.fail(refused("SECRET_MISSING", file, "an empty file", "the token in one line", "remove the file: a new one is made"))
          : Effect.succeed(Redacted.make(text))
    )
  )

const refused = (code: string, where: string, got: string, want: string, fix: string) =>
  new ConfigInvalid({ code, where: shown(where), got, want, fix })
