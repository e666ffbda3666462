/** `holdfast doctor`: what is wrong with an installation, and what to do about it. */
import * as Effect from "effect/Effect"
import { resolve } from "node:path"
import { gatewayUrl } from "../domain/GatewayUrl.ts"
import { type Check, gateway, runtime, schedulers, skillFiles, stateAndClock } from "./checks.ts"
import { defineCommand, shared } from "./command.ts"
import { loadConfig } from "./config.ts"
import { loadSkills } from "./loadSkills.ts"
import { visited } from "./openClaw.ts"
import { existsSync } from "node:fs"
import { configFile, stateDirectory } from "./place.ts"

/** The numbers of `status --exit-code`. */
const codes: Readonly<Record<Check["health"], number>> = { ok: 0, warn: 1, fail: 2 }

export const command = defineCommand({
  about:
    "Looks at the runtime, its state directory, the clock, the skills, the gateway with its token, and at the jobs of other schedulers that do what a skill does. " +
    "One line each, with what to do about it. Changes nothing. Leaves with 0 when all is well, 1 with a warning, 2 with a failure.",
  flags: {
    ...shared,
    skills: { type: "texts", value: "DIR", about: "a folder of skills, one folder each; in place of the config's" },
    gateway: { type: "text", value: "URL", about: "in place of the config's; its token comes from HOLDFAST_GATEWAY_TOKEN or the config" },
    "state-dir": { type: "text", value: "DIR", about: "the gateway's own state directory (default: OPENCLAW_STATE_DIR, else ~/.openclaw)" }
  },
  examples: [
    ["holdfast doctor", "all of it"],
    ["holdfast doctor --json | jq -r 'select(.health != \"ok\") | .fix'", "what there is to do"]
  ],
  run: ({ flags, out }) =>
    Effect.scoped(
      Effect.gen(function* () {
        const config = yield* loadConfig(configFile(flags.config))
        const state = yield* stateDirectory(flags)
        const url = flags.gateway === undefined ? config.gateway?.url : yield* Effect.fromResult(gatewayUrl(flags.gateway, "--gateway"))
        const folders = flags.skills.length > 0 ? flags.skills.map((folder) => resolve(folder)) : config.skillsFolders
        const loaded = yield* loadSkills(
          url === undefined ? config : { ...config, gateway: { url, session: undefined, adapter: undefined } },
          folders
        )
        const session = url === undefined ? undefined : yield* visited(url, config)
        const openClaw = flags["state-dir"] === undefined ? undefined : resolve(flags["state-dir"])
        const checks = [
          yield* runtime(state),
          ...(existsSync(state) ? yield* stateAndClock(state) : []),
          skillFiles(loaded),
          gateway(session, url),
          ...(yield* schedulers(loaded, state, session, openClaw))
        ]
        for (const check of checks) {
          if (out.json) out.value(check)
          else out.line(lineOf(check, out.paint))
        }
        return Math.max(...checks.map(({ health }) => codes[health]))
      })
    )
})

const lineOf = (
  { name, health, says, fix }: Check,
  { green, yellow, red }: Readonly<Record<"green" | "yellow" | "red", (text: string) => string>>
) =>
  `${{ ok: green, warn: yellow, fail: red }[health](health.padEnd(4))}  ${name.padEnd(10)}  ${says}${fix === undefined ? "" : `; fix: ${fix}`}`
