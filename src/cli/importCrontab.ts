/** `holdfast import crontab`: the lines of a user's crontab as skills. */
import * as Effect from "effect/Effect"
import { defineCommand } from "./command.ts"
import { loadConfig } from "./config.ts"
import { crontabIn, userCrontab } from "./crontab.ts"
import { endedFlag, importFlags, importJobs } from "./importing.ts"
import { configFile } from "./place.ts"

export const command = defineCommand({
  about:
    "Shows what each line of a crontab (default: what crontab -l prints; - is stdin) would become as a skill, and what would differ; --write writes them. " +
    "A command goes through the shell that cron would start, in the home folder. The crontab is never changed: a written skill has no schedule until you say --ended, " +
    "or take the mark away in front of it.",
  words: { usage: "[FILE]", min: 0, max: 1 },
  flags: { ...importFlags, ...endedFlag },
  examples: [
    ["holdfast import crontab", "what would become of each line"],
    ["holdfast import crontab old.crontab --write --ended --to ./skills", "once the lines are out of the crontab"]
  ],
  run: ({ flags: { to, write, ended, config: file }, words: [source], out }) =>
    Effect.gen(function* () {
      const config = yield* loadConfig(configFile(file))
      const jobs = yield* source === undefined ? userCrontab : crontabIn(source)
      return yield* importJobs({ jobs, wanted: [], to, write, config, out, ended })
    })
})
