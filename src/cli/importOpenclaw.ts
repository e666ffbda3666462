/** `holdfast import openclaw`: the automations of an OpenClaw gateway as skills, and back. */
import * as Effect from "effect/Effect"
import { resolve } from "node:path"
import { Refused } from "../domain/Errors.ts"
import type { Session } from "../layers/Session.ts"
import { enable } from "../layers/OpenClawJobs.ts"
import { defineCommand, shared } from "./command.ts"
import { loadConfig } from "./config.ts"
import { handBack } from "./handBack.ts"
import { importFlags, importJobs } from "./importing.ts"
import { openClawJobs } from "./openClaw.ts"
import { configFile, existingState } from "./place.ts"
import { UsageInvalid } from "./usage.ts"

export const command = defineCommand({
  about:
    "Shows what the jobs of an OpenClaw gateway would become as skills, and what would differ; --write writes them. " +
    "They are asked of the gateway while it is up, else read from its file. No slot gets two schedulers: a skill whose job is still enabled there is written without its schedule, " +
    "and --disable, which needs the gateway, disables the job there before the skill gets it. --hand-back goes the other way. JOB is an id or a name.",
  words: { usage: "[JOB ...]", min: 0, max: 64 },
  flags: {
    gateway: {
      type: "text",
      value: "URL",
      about: "ws://localhost:PORT; its token comes from HOLDFAST_GATEWAY_TOKEN or the config (default: the config's)"
    },
    "state-dir": { type: "text", value: "DIR", about: "the gateway's own state directory (default: OPENCLAW_STATE_DIR, else ~/.openclaw)" },
    ...importFlags,
    disable: { type: "switch", about: "with --write: disable the jobs there, so that the skills have their schedules" },
    "hand-back": { type: "switch", about: "pause the skill of this JOB here, then enable the job there" },
    state: shared.state
  },
  examples: [
    ["holdfast import openclaw --gateway ws://localhost:18789", "what would become of each job"],
    ["holdfast import openclaw --write --to ./skills", "writes the skills; the gateway keeps their slots"],
    ["holdfast import openclaw --write --disable 'Daily backup'", "takes one job over"],
    ["holdfast import openclaw --hand-back 'Daily backup'", "gives it back"]
  ],
  run: ({ flags, words, out }) =>
    Effect.scoped(
      Effect.gen(function* () {
        if (flags.disable && !flags.write) return yield* Effect.fail(conflict("--disable without --write", "add --write"))
        if (flags["hand-back"] && (flags.write || words.length !== 1))
          return yield* Effect.fail(conflict("--hand-back with --write, or without one JOB", "say --hand-back and one JOB"))
        const config = yield* loadConfig(configFile(flags.config))
        const stateDirectory = flags["state-dir"] === undefined ? undefined : resolve(flags["state-dir"])
        const { jobs, session, why } = yield* openClawJobs({ config, gateway: flags.gateway, stateDirectory })
        if (why !== undefined) out.note(why)
        if (!flags.disable && !flags["hand-back"]) {
          return yield* importJobs({ jobs, wanted: words, to: flags.to, write: flags.write, config, out })
        }
        if (session === undefined) return yield* needsGateway
        if (flags["hand-back"]) return yield* handBack({ job: words[0]!, jobs, session, state: yield* existingState(flags), config, out })
        return yield* importJobs({ jobs, wanted: words, to: flags.to, write: true, config, out, end: (job) => disabled(session, job.id) })
      })
    )
})

const disabled = (session: Session["Service"], id: string) => Effect.asVoid(enable(session, id, false))

const needsGateway = new Refused({
  code: "GATEWAY_DOWN",
  where: "holdfast import openclaw",
  got: "no gateway that answers",
  want: "the gateway, to switch its jobs",
  fix: "start it, and name it with --gateway; without --disable the skills can be written now"
})

const conflict = (got: string, fix: string) =>
  new UsageInvalid({ code: "FLAGS_CONFLICT", where: "holdfast import openclaw", got, want: "flags that go together", fix })
