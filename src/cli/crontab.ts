/** The jobs of a user's crontab. */
import * as Effect from "effect/Effect"
import { execFile } from "node:child_process"
import { resolve } from "node:path"
import { readCrontab } from "../domain/Crontab.ts"
import type { Refused } from "../domain/Errors.ts"
import type { ForeignJob } from "../domain/ForeignJob.ts"
import { HostZone } from "../layers/Skills.ts"
import { anotherFile, textIn } from "./textIn.ts"

/** Of this user, by `crontab -l`; none where there is no crontab, or no such program. */
export const userCrontab: Effect.Effect<ReadonlyArray<ForeignJob>> = Effect.gen(function* () {
  const text = yield* Effect.callback<string>((resume) => {
    execFile("crontab", ["-l"], { timeout: 5_000, maxBuffer: 1_048_576 }, (error, stdout) =>
      resume(Effect.succeed(error === null ? stdout : ""))
    )
  })
  return readCrontab(text, (yield* HostZone)())
})

/** Of a file, or of stdin for `-`. Fails with CRONTAB_SYSTEM: those of the system have a user column, and run as others. */
export const crontabIn = Effect.fnUntraced(function* (file: string): Effect.fn.Return<ReadonlyArray<ForeignJob>, Refused> {
  if (/^\/etc\/(?:crontab$|cron\.)/.test(resolve(file))) {
    return yield* anotherFile(
      "CRONTAB_SYSTEM",
      file,
      "a crontab of the system, with a user column",
      "a user's own, as crontab -l prints it"
    )
  }
  const text = yield* textIn(file)
  return readCrontab(text, (yield* HostZone)())
})
