/** `holdfast import hermes`: the cron jobs of Hermes Agent as skills. */
import * as Effect from "effect/Effect"
import { defineCommand } from "./command.ts"
import { loadConfig } from "./config.ts"
import { hermesFile, hermesJobs } from "./hermes.ts"
import { endedFlag, importFlags, importJobs } from "./importing.ts"
import { configFile } from "./place.ts"

export const command = defineCommand({
  about:
    "Shows what each cron job of Hermes Agent (default: ~/.hermes/cron/jobs.json) would become as a skill, and what would differ; --write writes them. " +
    "Its file is never changed: a written skill has no schedule until you say --ended, or take the mark away in front of it.",
  words: { usage: "[FILE]", min: 0, max: 1 },
  flags: { ...importFlags, ...endedFlag },
  examples: [
    ["holdfast import hermes", "what would become of each job"],
    ["holdfast import hermes --write --ended --to ./skills", "once they are paused there"]
  ],
  run: ({ flags: { to, write, ended, config: file }, words: [source], out }) =>
    Effect.gen(function* () {
      const config = yield* loadConfig(configFile(file))
      const jobs = yield* hermesJobs(source ?? hermesFile())
      return yield* importJobs({ jobs, wanted: [], to, write, config, out, ended })
    })
})
