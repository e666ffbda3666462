/** An installation to import into: a gateway with jobs, a config that names it, and a folder for skills; gone with the test. */
import { mkdirSync, readFileSync, realpathSync, writeFileSync } from "node:fs"
import { join, resolve } from "node:path"
import { Effect } from "effect"
import type { EmbeddedGateway } from "../../src/gateway/index.ts"
import { createRuntime } from "../../src/index.ts"
import { folder, started } from "../gateway/world.ts"
import { run, type Said } from "./inProcess.ts"

export const fixtures = resolve(import.meta.dirname, "../fixtures/import")
/** What OpenClaw 2026.9.6 answered. */
export const { jobs } = JSON.parse(readFileSync(join(fixtures, "openclaw-cron-list.json"), "utf8")) as { readonly jobs: ReadonlyArray<any> }
export const named = (name: string) => jobs.find((job) => job.name === name)

export interface Here {
  readonly home: string
  readonly state: string
  readonly skills: string
  readonly gateway: EmbeddedGateway
  readonly openclaw: (...args: ReadonlyArray<string>) => Effect.Effect<Said>
  readonly doctor: Effect.Effect<Said>
}
export const here = Effect.fnUntraced(function* (
  given: ReadonlyArray<any>,
  change: { readonly url?: string; readonly token?: string } = {}
) {
  const gateway = yield* started({ jobs: given })
  const home = realpathSync(yield* folder)
  const config = join(home, "holdfast.config.json")
  writeFileSync(join(home, "token"), change.token ?? "secret-token", { mode: 0o600 })
  const settings = { gateway: { url: change.url ?? gateway.url, tokenFile: "token" }, skillsFolders: ["skills"], state: "state" }
  writeFileSync(config, JSON.stringify(settings))
  const openclaw = (...args: ReadonlyArray<string>) => run("import", "openclaw", "--config", config, ...args)
  const doctor = run("doctor", "--config", config, "--json")
  return { home, state: join(home, "state"), doctor, skills: join(home, "skills"), gateway, openclaw } satisfies Here
})
/** A runtime at work on it. */
export const atWork = ({ state, skills, gateway }: Here, linked = false) =>
  Effect.acquireRelease(
    Effect.promise(() =>
      createRuntime({ state, skills: [skills], ...(linked ? { gateway: { url: gateway.url, token: "secret-token" } } : {}) })
    ),
    (runtime) => Effect.promise(() => runtime.stop({ now: true }))
  )

/** Writes a skill, and gives its text. */
export const skill = (skills: string, name: string, settings: object): string => {
  mkdirSync(join(skills, name), { recursive: true })
  const text = `---\nname: ${name}\nmetadata:\n  holdfast: ${JSON.stringify(settings)}\n---\n`
  writeFileSync(join(skills, name, "SKILL.md"), text)
  return text
}
