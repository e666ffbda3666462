/** `holdfast up`: the whole runtime in the foreground, with a log for people or for programs. */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Queue from "effect/Queue"
import type * as Scope from "effect/Scope"
import { resolve } from "node:path"
import type { ConfigInvalid, ListenFailed, LockHeld, StateUnusable } from "../domain/Errors.ts"
import type { JournalEvent } from "../domain/JournalEvent.ts"
import { drainDeadlineMs, type HoldfastOptions, layer } from "../layers/Holdfast.ts"
import { attend } from "./attend.ts"
import { type Asked, defineCommand, shared } from "./command.ts"
import { loadConfig } from "./config.ts"
import { configFile, defaultState } from "./place.ts"
import { reloadSignals, stopSignals } from "./signals.ts"
import { UsageInvalid } from "./usage.ts"

const flags = {
  ...shared,
  skills: { type: "texts", value: "DIR", about: "a folder of skills, one folder each; in place of the config's" },
  status: { type: "text", value: "DIR", about: "where status files go (default: skills/status in the state directory)" },
  gateway: {
    type: "text",
    value: "URL",
    about: "ws://localhost:PORT, or wss:// to another machine; its token comes from HOLDFAST_GATEWAY_TOKEN or the config"
  },
  drain: {
    type: "number",
    value: "SECONDS",
    min: 0,
    max: 3_600,
    about: `how long running skills may take once asked to stop (default: ${drainDeadlineMs / 1_000})`
  },
  hold: { type: "switch", about: "start without firing anything; holdfast release opens" },
  demo: { type: "switch", about: "a gateway and two skills in a folder of their own, to try it" }
} as const
type UpFlags = typeof flags

export const command = defineCommand({
  about:
    "Runs the skills until it is asked to stop. SIGINT (Ctrl-C) and SIGTERM let running skills finish within the deadline; " +
    "a second one cuts that short. SIGHUP has it read the skills again, as holdfast reload does. " +
    "Leaves with 0 after a stop, 69 when another runtime holds the state directory, 74 when storage failed, 78 when the config is wrong.",
  flags,
  examples: [
    ["holdfast up --demo", "see it work within seconds"],
    ["holdfast up --skills ./skills", "without a gateway: the skills alone"],
    ["holdfast up --skills ./skills --gateway ws://localhost:3019", "and report to a session"],
    ["holdfast up --json >> holdfast.log", "one event a line"]
  ],
  run: (asked: Asked<UpFlags>) =>
    Effect.scoped(
      Effect.gen(function* () {
        const { out } = asked
        process.umask(0o077) // Skills inherit it: what they write is for this user, unless they say otherwise.
        const signals = yield* stopSignals
        const reloads = yield* reloadSignals
        const { options, notes } = yield* plan(asked)
        const events = yield* Queue.unbounded<JournalEvent>()
        const onEvent = (event: JournalEvent) => void Queue.offerUnsafe(events, event)
        const services = yield* Layer.build(layer({ ...options, onEvent }))
        return yield* attend({ options, notes, signals, reloads, events, out }).pipe(Effect.provideContext(services))
      })
    )
})

interface Plan {
  readonly options: HoldfastOptions
  readonly notes: ReadonlyArray<string>
}

/** What was asked for: flags over config over defaults. */
const plan = Effect.fnUntraced(function* ({
  flags: given
}: Asked<UpFlags>): Effect.fn.Return<Plan, ConfigInvalid | UsageInvalid | ListenFailed | StateUnusable | LockHeld, Scope.Scope> {
  const status = given.status === undefined ? undefined : resolve(given.status)
  const common = { hold: given.hold, ...(given.drain === undefined ? {} : { drainDeadlineMs: given.drain * 1_000 }) }
  if (given.demo) {
    if (given.gateway !== undefined || given.config !== undefined || given.skills.length > 0) return yield* Effect.fail(demoAlone)
    const { startDemo } = yield* Effect.promise(() => import("./demo.ts")) // With the gateway in it, which nobody else pays for.
    const { options, notes } = yield* startDemo(given.state)
    return { options: { ...options, ...common, status }, notes }
  }
  const config = yield* loadConfig(configFile(given.config))
  const url = given.gateway ?? config.gateway?.url
  const tokenAgain = Effect.map(loadConfig(configFile(given.config)), ({ token }) => token) // The file may name another file by now.
  const state = given.state === undefined ? (config.state ?? defaultState()) : resolve(given.state)
  return {
    notes: config.file === undefined ? [] : [`config ${config.file}`],
    options: {
      state,
      status: status ?? config.status,
      skillsFolders: given.skills.length > 0 ? given.skills.map((folder) => resolve(folder)) : config.skillsFolders,
      overrides: config.overrides,
      timezone: config.zone,
      gateway:
        url === undefined
          ? undefined
          : {
              url,
              token: config.token,
              tokenAgain,
              hookToken: config.hookToken,
              session: config.gateway?.session,
              adapter: config.gateway?.adapter
            },
      report: config.report,
      digest: config.digest,
      env: config.env,
      agent: config.agent,
      redact: config.redact,
      approval: config.approval,
      drainDeadlineMs: config.drainDeadlineMs,
      starts: config.starts,
      processes: config.concurrency,
      pools: config.pools,
      ramp: config.ramp,
      ...common
    }
  }
})

const demoAlone = new UsageInvalid({
  code: "FLAGS_CONFLICT",
  where: "holdfast up",
  got: "--demo with --gateway, --config or --skills",
  want: "--demo with --state, --status, --drain or --hold",
  fix: "the demo brings its own gateway and skills: leave out --demo, or the others"
})
