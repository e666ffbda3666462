/**
 * Holdfast keeps an AI agent's scheduled skills running while its Gateway is down. This is the whole promise API; the same
 * for Effect is `holdfast/effect`.
 *
 * @example
 * const runtime = await createRuntime({
 *   state: "/var/lib/agent/holdfast",
 *   skills: [skill({ name: "heartbeat", schedule: { every: "1 minute" }, run: () => ({ beats: 1 }) })]
 * })
 * runtime.subscribe(({ type }) => console.log(type))
 */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Cause from "effect/Cause"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import { resolve } from "node:path"
import type { Actor } from "xstate"
import type { AgentSettings } from "./domain/Agent.ts"
import type { GatewayAdapter } from "./domain/GatewayAdapter.ts"
import type { JournalEvent } from "./domain/JournalEvent.ts"
import type { Picture } from "./domain/Picture.ts"
import type { SkillFunction } from "./domain/SkillContext.ts"
import * as Holdfast from "./layers/Holdfast.ts"
import type { Inspector } from "./layers/Inspection.ts"
import type { Reloaded } from "./layers/Reloading.ts"
import { Runtime as RuntimeService } from "./layers/Runtime.ts"
import { promiseWork } from "./layers/SkillFunction.ts"
import type { Overrides } from "./layers/Skills.ts"
import { StateStore } from "./layers/StateStore.ts"
import type { Mode } from "./machines/guarantees.ts"
import type { RuntimeEnd, runtimeMachine } from "./machines/runtime.ts"

export { openclaw3Gateway } from "./domain/adapters/openclaw3.ts"
export { plainGateway } from "./domain/adapters/plain.ts"
export type { GatewayAdapter, LineAdapter, Turn } from "./domain/GatewayAdapter.ts"
export type { JournalEvent } from "./domain/JournalEvent.ts"
export type { Outcome, Phase, Verdict } from "./domain/Outcome.ts"
export type { Picture, SkillPicture } from "./domain/Picture.ts"
export type {
  Fields,
  History,
  Injected,
  SessionMessage,
  SkillContext,
  SkillFunction,
  SkillGateway,
  SkillResult,
  SkillSession
} from "./domain/SkillContext.ts"
export { LinkFailed, type LinkReason } from "./domain/LinkFailed.ts"
export type { Problem } from "./domain/Errors.ts"
export type { Reloaded } from "./layers/Reloading.ts"
export { guarantees, type Guarantee, type Mode } from "./machines/guarantees.ts"
export { version } from "./layers/Holdfast.ts"

/** A skill given in code: settings as in SKILL.md, and a function that does the work in this process. */
export type SkillOptions = Holdfast.SkillGiven["settings"] & {
  /** `[a-z0-9-]`, at most 64 characters. */
  readonly name: string
  readonly description?: string
  readonly run: SkillFunction
}

/** Describes a skill given in code. Nothing is checked before a runtime is created with it. */
export const skill = ({ name, description = "", run, ...settings }: SkillOptions): Holdfast.SkillGiven => ({
  name,
  description,
  settings,
  work: promiseWork(run)
})

export interface RuntimeOptions {
  /** The state directory. One runtime a directory, any number of directories a process. */
  readonly state: string
  /** Where the status files go instead of `<state>/skills/status`. */
  readonly status?: string
  /** Skills given in code, and folders of `<name>/SKILL.md`. */
  readonly skills?: ReadonlyArray<Holdfast.SkillGiven | string>
  /** Settings by skill name, laid over those of the files. */
  readonly overrides?: Overrides
  /** For cron schedules that name no zone. Default: the machine's. */
  readonly timezone?: string
  /** Names of variables whose values are secrets: they are taken out of everything that is written down or sent. */
  readonly redact?: ReadonlyArray<string>
  /** Skill files run only as they were when somebody approved them (`holdfast skills approve`); `overrides` can say so of single ones. */
  readonly approval?: "required"
  /**
   * Without one the mode is `standalone`. `hookToken` is that of the gateway's hooks, for skills with `report: { via: "hooks" }`; `adapter`
   * is for a gateway that does not speak OpenClaw's wire: `plainGateway`, `openclaw3Gateway`, or your own.
   */
  readonly gateway?: {
    readonly url: string
    readonly token?: string
    readonly hookToken?: string
    readonly session?: string
    readonly adapter?: GatewayAdapter
  }
  /** When the reports that wait for a session become one: more than `above` wait, the oldest for longer than `afterMs`. Default: never. */
  readonly digest?: { readonly afterMs: number; readonly above: number }
  /** The command that prompt skills hand their text to: `{ command: ["agent", "--file", "{promptFile}"], timeout, perDay, env }`. */
  readonly agent?: AgentSettings
  /** Start without firing anything; `release()` opens. */
  readonly hold?: boolean
  /** How long running skills may take to finish in `stop()`, in milliseconds (30,000). */
  readonly drainDeadlineMs?: number
  /** Starts in a row, none of which lasted a minute, after which nothing fires for a minute. Default: 5 within ten minutes; `failuresMax: 0` counts none. */
  readonly starts?: { readonly failuresMax: number; readonly windowMs: number }
  /** Processes of skills at a time (64), and places in the pools that skills name (one each). */
  readonly processes?: number
  readonly pools?: Readonly<Record<string, number>>
  /** How much late work begins a minute after an outage, and how much at once, by the cost of the skills. Default: 300 and 50. */
  readonly ramp?: { readonly perMinute: number; readonly burst: number }
  /** Sees every actor: runtime, layers, skills, runs. Anything that takes XState inspection events. */
  readonly inspect?: Inspector
  /** Hears every event once it is durable, from the very first; `subscribe` hears those after it was called. */
  readonly onEvent?: (event: JournalEvent) => void
}

export interface Runtime {
  /** What it is doing; what that promises is in `guarantees[runtime.mode]`. */
  readonly mode: Mode
  /** The whole picture, as in `status.json`. */
  readonly status: () => Promise<Picture>
  /** Every event once it is durable, `mode.changed` among them. Returns how to stop listening. */
  readonly subscribe: (listener: (event: JournalEvent) => void) => () => void
  /** Runs a skill now; resolves with the run's id once its claim is durable. The same key asks for the same run. */
  readonly trigger: (skill: string, options?: { readonly key?: string }) => Promise<string>
  /**
   * Makes good slots of the past that got no run, from `from` to `to`, both included; resolves with the runs' ids once their claims are
   * durable. They run in the order of their slots, behind what is under way. `limit`: so many, the oldest first; at most 100 may wait.
   * Slots that have a run are left out, so the rest is asked for by asking again.
   */
  readonly backfill: (
    skill: string,
    options: { readonly from: Date; readonly to: Date; readonly limit?: number; readonly by?: string; readonly why?: string }
  ) => Promise<ReadonlyArray<string>>
  /**
   * Skips the slots of a skill until it is resumed, also over restarts; a run under way goes on, and `trigger` still works.
   * `by` and `why` stand in the status and on the record of each skipped slot.
   */
  readonly pause: (skill: string, wish?: { readonly by?: string; readonly why?: string }) => Promise<void>
  /** Ends a pause. Nothing of what it skipped is made good. */
  readonly resume: (skill: string, wish?: { readonly by?: string; readonly why?: string }) => Promise<void>
  /** Ends a run that has no outcome yet, and settles it as cancelled; resolves once what it has started is gone. */
  readonly cancel: (run: string, options?: { readonly by?: string }) => Promise<void>
  /**
   * Reads the skills folders again and takes over what has changed, all or nothing; says which skills. Rejects with
   * RELOAD_REFUSED where something has a problem that it did not have before. Skills given in code stay as they are.
   */
  readonly reload: () => Promise<Reloaded>
  /** Opens a runtime that was started with `hold`. */
  readonly release: () => void
  /** Starts nothing new, lets running skills finish within the deadline, closes. `now` does not wait for them. */
  readonly stop: (options?: { readonly now?: boolean }) => Promise<RuntimeEnd>
  /** How it ended, whenever that is. */
  readonly ended: Promise<RuntimeEnd>
  /** The root actor, for those who look at machines. */
  readonly actor: Actor<typeof runtimeMachine>
}

/**
 * Starts a runtime. Rejects with the typed error of what is wrong: an option, a skill given in code, the state directory, or
 * another runtime that holds it. Skill files that are wrong are in `status().problems`; a gateway that is down is a mode.
 */
export const createRuntime = async ({ skills = [], gateway, inspect, ...options }: RuntimeOptions): Promise<Runtime> => {
  const scope = Effect.runSync(Scope.make())
  const layer = Holdfast.layer({
    ...options,
    state: resolve(options.state),
    status: options.status === undefined ? undefined : resolve(options.status),
    skills: skills.filter((one) => typeof one !== "string"),
    skillsFolders: skills.filter((one) => typeof one === "string"),
    gateway: gateway && {
      ...gateway,
      token: gateway.token === undefined ? undefined : Redacted.make(gateway.token),
      hookToken: gateway.hookToken === undefined ? undefined : Redacted.make(gateway.hookToken)
    },
    inspect
  })
  const close = () => Effect.runPromise(Scope.close(scope, Exit.void))
  const built = await Effect.runPromiseExit(Layer.buildWithScope(layer, scope))
  if (Exit.isFailure(built)) {
    await close()
    throw Cause.squash(built.cause)
  }
  const run = Effect.runPromiseWith(built.value)
  const runtime = await run(RuntimeService)
  const store = await run(StateStore)
  const ended = run(runtime.ended).then((end) => close().then(() => end))
  await run(runtime.started)

  return {
    get mode() {
      return Effect.runSync(runtime.mode)
    },
    status: () => run(runtime.picture),
    subscribe: (listener) => {
      const fiber = Effect.runFork(Stream.runForEach(store.events, (event) => Effect.ignoreCause(Effect.sync(() => listener(event)))))
      return () => fiber.interruptUnsafe()
    },
    trigger: (name, { key } = {}) => run(runtime.trigger(name, key)),
    backfill: async (name, { from, to, limit, by = embedder, why = "" }) =>
      (await run(runtime.backfill(name, { fromMs: from.getTime(), toMs: to.getTime(), limit }, { by, why }))).runs,
    pause: (name, wish) => run(runtime.pause(name, { by: embedder, why: "", ...wish })),
    resume: (name, wish) => run(runtime.resume(name, { by: embedder, why: "", ...wish })),
    cancel: (id, { by = embedder } = {}) => run(runtime.cancelRun(id, by)),
    reload: () => run(runtime.reload),
    release: () => runtime.actor.send({ type: "intake.release" }),
    stop: async ({ now = false } = {}) => {
      if (runtime.actor.getSnapshot().status === "active") runtime.actor.send({ type: now ? "runtime.stop" : "runtime.drain" })
      return ended
    },
    ended,
    actor: runtime.actor
  }
}

/** Who asks, where the embedding program names nobody. */
const embedder = "the embedding program"
