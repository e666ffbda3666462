/** The whole runtime as one layer: from what an embedder or the command gives to every layer, wired once, here. */
import * as NodeFileSystem from "@effect/platform-node-shared/NodeFileSystem"
import * as NodePath from "@effect/platform-node-shared/NodePath"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"
import * as Stream from "effect/Stream"
import { createHash } from "node:crypto"
import { resolve } from "node:path"
import { AgentSettings, placed } from "../domain/Agent.ts"
import { env } from "node:process"
import { chainProblem } from "../domain/Chain.ts"
import {
  ConfigInvalid,
  type LockHeld,
  type Problem,
  type ScheduleInvalid,
  shown,
  SkillInvalid,
  type StateUnusable,
  type StorageFailed
} from "../domain/Errors.ts"
import { approvalProblem } from "../domain/Approval.ts"
import type { DigestTerms } from "../domain/Backlog.ts"
import type { JournalEvent } from "../domain/JournalEvent.ts"
import { checkFields, fieldName } from "../domain/fields.ts"
import type { Ledger } from "../domain/Ledger.ts"
import { looksSecret } from "../domain/Redaction.ts"
import type { GatewayAdapter } from "../domain/GatewayAdapter.ts"
import { gatewayUrl, type GatewayUrl } from "../domain/GatewayUrl.ts"
import { type Intensity, startIntensity } from "../domain/policies/intensity.ts"
import type { RampRate } from "../domain/policies/ramp.ts"
import { draftSkill, invalid, nameProblem, SkillSettings } from "../domain/SkillFile.ts"
import { Claims } from "./Claims.ts"
import * as Control from "./Control.ts"
import { Disk } from "./Disk.ts"
import { Inspection, type Inspector } from "./Inspection.ts"
import { type Link, linkTo, noLink } from "./Link.ts"
import { Outbox } from "./Outbox.ts"
import { Pools, type PoolSizes } from "./Pools.ts"
import { Process } from "./Process.ts"
import { Ramp } from "./Ramp.ts"
import { Run } from "./Run.ts"
import { type ReadSkills, Runtime } from "./Runtime.ts"
import { lookEveryMs, Scheduler } from "./Scheduler.ts"
import { layerLoggers, Secrets, secretsOf } from "./Secrets.ts"
import type { Session } from "./Session.ts"
import type { FunctionWork, SkillEntry } from "./SkillFunction.ts"
import { HostZone, type LoadedSkills, type Overrides, Skills } from "./Skills.ts"
import { StateStore } from "./StateStore.ts"
import { youngestMs } from "./WallClock.ts"
import { Supervisor } from "./Supervisor.ts"
import * as Watch from "./Watch.ts"

/** A skill given in code, before its settings are checked. */
export interface SkillGiven {
  readonly name: string
  readonly description: string
  readonly settings: Omit<SkillSettings, "run" | "module" | "prompt" | "perDay" | "env" | "grace" | "silence" | "memory" | "importedFrom">
  readonly work: FunctionWork
}

/** What a runtime is made of. */
export interface HoldfastOptions extends PoolSizes {
  /** The state directory, absolute. One runtime a directory. */
  readonly state: string
  /** Where the status files go instead of `skills/status` in the state directory; absolute. */
  readonly status?: string | undefined
  /** Folders of `<name>/SKILL.md`. */
  readonly skillsFolders?: ReadonlyArray<string> | undefined
  readonly skills?: ReadonlyArray<SkillGiven> | undefined
  /** Settings by skill name, laid over those of the files. */
  readonly overrides?: Overrides | undefined
  /** For cron schedules that name no zone. Default: the machine's. */
  readonly timezone?: string | undefined
  /** Without one the mode is `standalone`. `session` is the key of the session that gets the reports (`agent:main:main`). */
  readonly gateway?:
    | {
        readonly url: string | GatewayUrl
        readonly token?: Redacted.Redacted | undefined
        /** Of the gateway's hooks, for reports that go that way. */
        readonly hookToken?: Redacted.Redacted | undefined
        /** The token as it is by now: asked before each try after one that was refused for it. */
        readonly tokenAgain?: Effect.Effect<Redacted.Redacted | undefined, Problem> | undefined
        readonly session?: string | undefined
        /** Of a gateway that does not speak OpenClaw's wire. */
        readonly adapter?: GatewayAdapter | undefined
      }
    | undefined
  readonly report?: SkillSettings["report"] | undefined
  /** When the reports that wait for a session become one digest; never where nothing is said. */
  readonly digest?: DigestTerms | undefined
  /** Names of variables handed on to every skill. */
  readonly env?: ReadonlyArray<string> | undefined
  /** The command that prompt skills hand their text to, as in the config. A program that begins with `./` is one of the working directory. */
  readonly agent?: AgentSettings | undefined
  /** Names of variables whose values are secrets, beside the token and what is handed to skills and looks like one. */
  readonly redact?: ReadonlyArray<string> | undefined
  /** Whether all skill files run only as they were when somebody approved them; `overrides` can say so of single ones. */
  readonly approval?: "required" | undefined
  /** Start without firing anything. */
  readonly hold?: boolean | undefined
  /** How long running skills may take to finish once asked to stop, in milliseconds (30,000). */
  readonly drainDeadlineMs?: number | undefined
  /** How many starts within how long keep skills from firing for a minute; `failuresMax: 0` does not count them. */
  readonly starts?: Intensity | undefined
  /** Until the clock shows this instant it is not set, and nothing is done. Default: when this software was young. */
  readonly clockFromMs?: number | undefined
  /** How often the clocks are looked at, in milliseconds (5,000): a jump is noticed that much later at most. */
  readonly lookEveryMs?: number | undefined
  /** The rate at which late work begins after an outage. */
  readonly ramp?: RampRate | undefined
  readonly inspect?: Inspector | undefined
  /** Hears every event once it is durable, from the very first: what a start finds and settles comes before anybody can subscribe. */
  readonly onEvent?: ((event: JournalEvent) => void) | undefined
}

export type HoldfastError = ConfigInvalid | SkillInvalid | ScheduleInvalid | StateUnusable | LockHeld | StorageFailed

/** Everything a runtime consists of, for those who want more of it than `Runtime`. */
export type Services = Runtime | Supervisor | StateStore | Session

export const version = "0.1.0"
/** The session of OpenClaw's main agent. */
export const mainSession = "agent:main:main"
export const drainDeadlineMs = 30_000

/** A runtime on this machine's disk and network. Skills given in code fail it when they are wrong; skill files never do. */
export const layer = (options: HoldfastOptions): Layer.Layer<Services, HoldfastError> =>
  Layer.unwrap(
    Effect.gen(function* () {
      const agent = options.agent && (yield* agentOf(options.agent))
      const skills = yield* Skills
      const load = skills.load(options.skillsFolders ?? [], options.overrides, {
        zone: options.timezone,
        gateway: options.gateway !== undefined,
        report: options.report,
        env: options.env,
        agent,
        approval: options.approval
      })
      const loaded = yield* load
      const hostZone = yield* HostZone
      const given = yield* Effect.forEach(options.skills ?? [], (skill) =>
        entryOf(skill, () => options.timezone ?? hostZone(), options.gateway !== undefined)
      )
      const url =
        options.gateway === undefined
          ? undefined
          : typeof options.gateway.url === "string"
            ? yield* Effect.fromResult(gatewayUrl(options.gateway.url))
            : options.gateway.url
      const session = options.gateway?.session ?? mainSession
      const skillsNow = [...loaded.skills, ...given.map(({ definition }) => definition)]
      const link = url && { session, layer: linkTo({ ...options.gateway, url, session, version, state: options.state }, skillsNow) }
      const handed = loaded.skills.flatMap((skill) => skill.env)
      const secrets = secretsOf({
        ours: env,
        handed,
        redact: options.redact ?? [],
        tokens: [options.gateway?.token, options.gateway?.hookToken]
      })
      const reread = Effect.map(load, (read) => withSecretsKnown(read, new Set([...handed, ...(options.redact ?? [])])))
      return Layer.merge(Control.layer, Watch.layer).pipe(
        Layer.provideMerge(
          assembled(
            options,
            yield* together(loaded, given),
            Effect.flatMap(reread, (read) => together(read, given)),
            link
          )
        ),
        Layer.provide(layerLoggers),
        Layer.provideMerge(Layer.succeed(Secrets, secrets))
      )
    })
  ).pipe(Layer.provide([skillsLayer, Disk.layerNode]), Layer.provide(Layer.succeed(Inspection, options.inspect)))

const skillsLayer = Skills.layer.pipe(Layer.provide([NodeFileSystem.layer, NodePath.layer]))

/** Every skill there is, and what is known of those that cannot be used. */
export interface Household extends Pick<LoadedSkills, "problems" | "unreadable"> {
  readonly entries: ReadonlyArray<SkillEntry>
}

/** The same over any disk and any link: what the simulated world uses. */
export const assembled = (
  options: Pick<
    HoldfastOptions,
    | "state"
    | "status"
    | "hold"
    | "drainDeadlineMs"
    | "starts"
    | "ramp"
    | "processes"
    | "pools"
    | "lookEveryMs"
    | "clockFromMs"
    | "onEvent"
    | "digest"
  >,
  household: Household,
  /** What is found when the skills are read again. */
  reread: Effect.Effect<Household, Problem>,
  link: { readonly layer: Link; readonly session: string } | undefined
): Layer.Layer<Services, StateUnusable | LockHeld | StorageFailed, Disk> => {
  const working = Layer.unwrap(
    StateStore.useSync(({ ledger }) => {
      const skills = approved(household, ledger)
      const runtime = Runtime.layer({
        ...skills,
        reread: Effect.map(reread, (read) => approved(read, ledger)),
        version,
        linked: link !== undefined,
        hold: options.hold ?? false,
        drainDeadlineMs: options.drainDeadlineMs ?? drainDeadlineMs,
        starts: options.starts ?? startIntensity,
        clockFromMs: options.clockFromMs ?? youngestMs
      })
      return runtime.pipe(Layer.provide(listening(options.onEvent)), Layer.provideMerge(Supervisor.layer(skills.entries)))
    })
  )
  return working.pipe(
    Layer.provide(Outbox.layer(options.digest)),
    Layer.provideMerge(link?.layer ?? noLink),
    Layer.provide([
      Run.layer({ session: link?.session }),
      Claims.layer,
      Scheduler.layer(options.lookEveryMs ?? lookEveryMs),
      Ramp.layer(options.ramp)
    ]),
    Layer.provide(Pools.layer(options)),
    Layer.provide(Process.layer),
    Layer.provideMerge(
      StateStore.layer(options.state, { version, ...(options.status === undefined ? {} : { statusDirectory: options.status }) })
    )
  )
}

/** Without those that somebody has yet to look at. */
const approved = ({ entries, problems, unreadable }: Household, { approvals, skills }: Ledger): ReadSkills => {
  const judged = entries.map((entry) => ({ entry, problem: approvalProblem(entry.definition, approvals) }))
  const unapproved = judged.flatMap(({ entry, problem }) => (problem === undefined ? [] : [entry.definition.name]))
  return {
    entries: judged.flatMap(({ entry, problem }) => (problem === undefined ? [entry] : [])),
    problems: [...problems, ...judged.flatMap(({ problem }) => problem ?? [])],
    // Of a skill whose file is wrong or not approved we know nothing today: its record stays as it was.
    unreadable: new Set(unreadable === "any" ? skills.keys() : [...unreadable, ...unapproved])
  }
}

/** Listens before the runtime is built. A listener that throws harms nobody. */
const listening = (listener: ((event: JournalEvent) => void) | undefined): Layer.Layer<never, never, StateStore> =>
  listener === undefined
    ? Layer.empty
    : Layer.effectDiscard(
        Effect.gen(function* () {
          const { events } = yield* StateStore
          const hear = (event: JournalEvent) => Effect.ignoreCause(Effect.sync(() => listener(event)))
          yield* Effect.forkScoped(Stream.runForEach(events, hear), { startImmediately: true })
        })
      )

const agentOf = (given: AgentSettings): Effect.Effect<AgentSettings, ConfigInvalid> => {
  const checked = checkFields(AgentSettings, given)
  if (Result.isSuccess(checked)) return Effect.succeed(placed(checked.success, (path) => resolve(path)))
  const { code, path, got, want, fix } = checked.failure[0]!
  return Effect.fail(new ConfigInvalid({ code, where: fieldName(["agent", ...path]), got, want, fix }))
}

/** Folders and code in one list; a name in both is refused in both, and so is a chain that cannot be followed. */
const together = (loaded: LoadedSkills, given: ReadonlyArray<SkillEntry>): Effect.Effect<Household, SkillInvalid | ScheduleInvalid> => {
  const names = new Set<string>()
  for (const {
    definition: { name }
  } of given) {
    if (names.has(name)) return Effect.fail(twice(name))
    names.add(name)
  }
  const files = loaded.skills.filter(({ name }) => !names.has(name)).map((definition): SkillEntry => ({ definition, work: undefined }))
  const both = loaded.skills.flatMap(({ name }) => (names.has(name) ? [name] : []))
  const entries = [...files, ...given.filter(({ definition }) => !both.includes(definition.name))]
  const all = new Map(entries.map(({ definition }) => [definition.name, definition]))
  const unchained = new Map(entries.flatMap(({ definition }) => [[definition.name, chainProblem(definition, all)] as const]))
  const wrong = given.flatMap(({ definition }) => unchained.get(definition.name) ?? [])[0]
  if (wrong !== undefined) return Effect.fail(wrong)
  const astray = files.flatMap(({ definition: { name } }) => (unchained.get(name) === undefined ? [] : [name]))
  return Effect.succeed({
    entries: entries.filter(({ definition }) => !astray.includes(definition.name)),
    problems: [...loaded.problems, ...both.map(twice), ...astray.flatMap((name) => unchained.get(name) ?? [])],
    unreadable: loaded.unreadable === "any" ? "any" : [...loaded.unreadable, ...both, ...astray]
  })
}

/** Secrets are learnt at a start: what is read later must not be handed one that nothing would take out of what it says. */
const withSecretsKnown = (read: LoadedSkills, known: ReadonlySet<string>): LoadedSkills => ({
  ...read,
  problems: [
    ...read.problems,
    ...read.skills.flatMap(({ name, env: names }) =>
      names
        .filter((one) => !known.has(one) && looksSecret({ name: one, value: env[one] ?? "" }))
        .map((one) => {
          const want = "a variable that was handed on, or under redact, when the runtime started"
          return invalid("RELOAD_SECRET", `skills.${name}.env`, one, want, "start the runtime anew")
        })
    )
  ]
})

const twice = (name: string) =>
  new SkillInvalid({
    code: "SKILL_DUPLICATE",
    where: `skills.${name}`,
    got: name,
    want: "one skill of each name",
    fix: "rename one of them"
  })

/** A skill given in code, checked like a file. */
export const entryOf = (
  given: SkillGiven,
  zone: () => string,
  linked: boolean
): Effect.Effect<SkillEntry, SkillInvalid | ScheduleInvalid> =>
  Effect.gen(function* () {
    const where = `skills.${shown(given.name)}`
    const wrongName = nameProblem(given.name, where)
    if (wrongName !== undefined) return yield* wrongName
    const checked = checkFields(SkillSettings, given.settings)
    if (Result.isFailure(checked)) {
      const { code, path, got, want, fix } = checked.failure[0]!
      return yield* invalid(code, `${where}.${fieldName(path)}`, got, want, fix)
    }
    const draft = draftSkill({
      name: given.name,
      description: given.description,
      settings: { ...checked.success, module: "./given-in-code" },
      folder: "",
      zone,
      where: (path) => `${where}.${fieldName(path)}`
    })
    if (Result.isFailure(draft)) return yield* draft.failure[0]!
    if (!linked && draft.success.needs.length > 0) {
      return yield* invalid(
        "NEEDS_GATEWAY",
        `${where}.needs`,
        draft.success.needs.join(", "),
        "no needs where no gateway is configured",
        "configure the gateway, or remove needs"
      )
    }
    const definition = { ...draft.success, work: { _tag: "Function" } as const }
    const digest = createHash("sha256").update(JSON.stringify(definition)).digest("hex")
    return { definition: { ...definition, digest }, work: given.work }
  })
