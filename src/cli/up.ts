/** `holdfast up`: the whole runtime in the foreground, with a log for people or for programs. */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Queue from "effect/Queue"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import { resolve } from "node:path"
import { type ConfigInvalid, explain, type ListenFailed, type LockHeld, shown, type StateUnusable, StorageFailed } from "../domain/Errors.ts"
import type { Ledger } from "../domain/Ledger.ts"
import type { Picture } from "../domain/Picture.ts"
import { next as nextSlot } from "../domain/Schedule.ts"
import { drainDeadlineMs, type HoldfastOptions, layer, type Services, version } from "../layers/Holdfast.ts"
import { reasonOf, Runtime } from "../layers/Runtime.ts"
import { StateStore } from "../layers/StateStore.ts"
import { Supervisor } from "../layers/Supervisor.ts"
import { guarantees, type Mode } from "../machines/guarantees.ts"
import { type Asked, defineCommand, exit, shared } from "./command.ts"
import { loadConfig } from "./config.ts"
import { startDemo } from "./demo.ts"
import { invocation } from "./invocation.ts"
import type { Out } from "./output.ts"
import { configFile, defaultState } from "./place.ts"
import { stopSignals } from "./signals.ts"
import { clock, length, relative } from "./times.ts"
import { eventLine, heldLine, line, modeLine } from "./upLog.ts"
import { UsageInvalid } from "./usage.ts"

const flags = {
  ...shared,
  skills: { type: "texts", value: "DIR", about: "a folder of skills, one folder each; in place of the config's" },
  status: { type: "text", value: "DIR", about: "where status files go (default: skills/status in the state directory)" },
  gateway: { type: "text", value: "URL", about: "ws://localhost:PORT, or wss:// to another machine; its token comes from HOLDFAST_GATEWAY_TOKEN or the config" },
  drain: { type: "number", value: "SECONDS", min: 0, max: 3_600, about: `how long running skills may take once asked to stop (default: ${drainDeadlineMs / 1_000})` },
  hold: { type: "switch", about: "start without firing anything; holdfast release opens" },
  demo: { type: "switch", about: "a gateway and two skills in a folder of their own, to try it" }
} as const
type UpFlags = typeof flags

export const command = defineCommand({
  about: "Runs the skills until it is asked to stop. SIGINT (Ctrl-C) and SIGTERM let running skills finish within the deadline; a second one cuts that short. "
    + "Leaves with 0 after a stop, 69 when another runtime holds the state directory, 74 when storage failed, 78 when the config is wrong.",
  flags,
  examples: [
    ["holdfast up --demo", "see it work within seconds"],
    ["holdfast up --skills ./skills", "without a gateway: the skills alone"],
    ["holdfast up --skills ./skills --gateway ws://localhost:3019", "and report to a session"],
    ["holdfast up --json >> holdfast.log", "one event a line"]
  ],
  run: (asked: Asked<UpFlags>) => Effect.scoped(Effect.gen(function*() {
    const { out } = asked
    const signals = yield* stopSignals
    const { options, notes } = yield* plan(asked)
    const services = yield* Layer.build(layer(options))
    return yield* attend(options, notes, signals, out).pipe(Effect.provideContext(services))
  }))
})

interface Plan {
  readonly options: HoldfastOptions
  readonly notes: ReadonlyArray<string>
}

/** What was asked for: flags over config over defaults. */
const plan = Effect.fnUntraced(function*(
  { flags: given }: Asked<UpFlags>
): Effect.fn.Return<Plan, ConfigInvalid | UsageInvalid | ListenFailed | StateUnusable | LockHeld, Scope.Scope> {
  const status = given.status === undefined ? undefined : resolve(given.status)
  const common = { hold: given.hold, ...given.drain === undefined ? {} : { drainDeadlineMs: given.drain * 1_000 } }
  if (given.demo) {
    if (given.gateway !== undefined || given.config !== undefined || given.skills.length > 0) return yield* Effect.fail(demoAlone)
    const { options, notes } = yield* startDemo(given.state)
    return { options: { ...options, ...common, status }, notes }
  }
  const config = yield* loadConfig(configFile(given.config))
  const url = given.gateway ?? config.gateway?.url
  const state = given.state === undefined ? config.state ?? defaultState() : resolve(given.state)
  return {
    notes: config.file === undefined ? [] : [`config ${config.file}`],
    options: {
      state,
      status: status ?? config.status,
      skillsFolders: given.skills.length > 0 ? given.skills.map((folder) => resolve(folder)) : config.skillsFolders,
      overrides: config.overrides,
      timezone: config.zone,
      gateway: url === undefined ? undefined : { url, token: config.token, session: config.gateway?.session },
      report: config.report,
      env: config.env,
      drainDeadlineMs: config.drainDeadlineMs,
      ...common
    }
  }
})

const demoAlone = new UsageInvalid({
  code: "FLAGS_CONFLICT", where: "holdfast up", got: "--demo with --gateway, --config or --skills", want: "--demo with --state, --status, --drain or --hold",
  fix: "the demo brings its own gateway and skills: leave out --demo, or the others"
})

/** Says what happens until the runtime has ended, and passes the signals on. */
const attend = Effect.fnUntraced(function*(
  options: HoldfastOptions, notes: ReadonlyArray<string>, signals: Queue.Dequeue<string>, out: Out
): Effect.fn.Return<number, StorageFailed, Services | Scope.Scope> {
  const runtime = yield* Runtime
  const store = yield* StateStore
  const tell = (value: unknown, text: string | undefined): void => {
    if (out.json) out.value(value)
    else if (text !== undefined) out.line(text)
  }
  yield* Effect.forkScoped(Stream.runForEach(store.events, (event) => Effect.sync(() => {
    if (event.type !== "mode.changed") tell(event, eventLine(event, out)) // Modes are told below: also while nothing can be written.
  })), { startImmediately: true })
  yield* Effect.forkScoped(passOn(signals, options.drainDeadlineMs ?? drainDeadlineMs, tell, out))
  yield* Effect.forkScoped(sayHeld(tell, out))

  let before: Mode = "starting"
  yield* Stream.runForEach(runtime.modes, (mode) => Effect.gen(function*() {
    if (mode === "starting" || mode === "stopped" || mode === "failed") return
    if (before === "starting") greet(options, notes, yield* runtime.picture, store.ledger, out)
    else {
      const atMs = yield* Clock.currentTimeMillis
      const reason = reasonOf(runtime.actor.getSnapshot())
      tell({ type: "mode.changed", atMs, from: before, to: mode, reason, guarantee: guarantees[mode] }, modeLine(atMs, mode, reason, out))
    }
    before = mode
  })).pipe(Effect.forkScoped({ startImmediately: true }))

  const end = yield* runtime.ended
  if (end.mode === "failed") {
    return yield* new StorageFailed({
      code: "RUNTIME_FAILED", where: options.state, got: shown(end.reason), want: "a disk that takes what is written, and no defect",
      fix: "mend what is named, then start again: it recovers as after a crash", retryable: false
    })
  }
  const atMs = yield* Clock.currentTimeMillis
  tell({ type: "runtime.ended", atMs, ...end }, line(atMs, "mode", `stopped: ${shown(end.reason)}`, out))
  return exit.ok
})

/** The first signal drains, the second one stops. */
const passOn = Effect.fnUntraced(function*(signals: Queue.Dequeue<string>, deadlineMs: number, tell: (value: unknown, text: string) => void, out: Out) {
  const runtime = yield* Runtime
  const supervisor = yield* Supervisor
  const send = (type: "runtime.drain" | "runtime.stop") => {
    if (runtime.actor.getSnapshot().status === "active") runtime.actor.send({ type })
  }
  const first = yield* Queue.take(signals)
  const busy = (yield* supervisor.skills).flatMap(({ run }) => run ?? [])
  const atMs = yield* Clock.currentTimeMillis
  const waiting = busy.length === 0 ? "nothing is running" : `waiting for ${busy.join(", ")}, at most ${length(deadlineMs)} until ${clock(atMs + deadlineMs)}; again to stop now`
  tell({ type: "drain.asked", atMs, signal: first, waitsFor: busy, deadlineAtMs: atMs + deadlineMs }, line(atMs, "stop", `${first}: ${waiting}`, out))
  send("runtime.drain")
  const second = yield* Queue.take(signals)
  const nowMs = yield* Clock.currentTimeMillis
  tell({ type: "stop.asked", atMs: nowMs, signal: second }, line(nowMs, "stop", `${second} again: what runs is ended now, and tried again by the next start`, out))
  send("runtime.stop")
})

/** Being held is a state and no event, so it is looked for; only in modes in which something can be. */
const sayHeld = Effect.fnUntraced(function*(tell: (value: unknown, text: string) => void, out: Out) {
  const runtime = yield* Runtime
  const supervisor = yield* Supervisor
  let known = new Set<string>()
  for (;;) {
    yield* Effect.sleep(lookEveryMs)
    const guarantee = guarantees[yield* runtime.mode]
    if (guarantee.local === "fires" && guarantee.session !== "held" && guarantee.gateway !== "held") {
      known = new Set()
      continue
    }
    const held = (yield* supervisor.skills).filter(({ state }) => state === "held")
    const atMs = yield* Clock.currentTimeMillis
    for (const { name, reason } of held) {
      if (!known.has(name)) tell({ type: "skill.held", atMs, skill: name, reason }, heldLine(atMs, name, reason ?? "", out))
    }
    known = new Set(held.map(({ name }) => name))
  }
})
const lookEveryMs = 1_000

const greet = (options: HoldfastOptions, notes: ReadonlyArray<string>, picture: Picture, { skills }: Ledger, out: Out): void => {
  const { paint } = out
  const nowMs = Date.parse(picture.updatedAt)
  const when = (name: string): string => {
    const schedule = skills.get(name)?.schedule // The skills' own actors are only just starting.
    const due = schedule === undefined ? undefined : nextSlot(schedule, nowMs)
    return due === undefined ? "when triggered" : `next ${clock(due, nowMs)} ${paint.dim(relative(due, nowMs))}`
  }
  if (out.json) return out.value({ type: "runtime.up", atMs: nowMs, state: options.state, pid: process.pid, mode: picture.mode, skills: picture.skills, problems: picture.problems, notes })
  out.line(`${paint.bold(`holdfast ${version}`)}  pid ${process.pid}`)
  out.line(paint.dim(`state ${options.state}`))
  for (const note of notes) out.line(paint.dim(note))
  for (const problem of picture.problems) out.line(`\n${paint.red(explain(problem))}`)
  out.line("")
  if (picture.skills.length === 0) out.line(paint.yellow("no skills: name their folder with --skills"))
  else out.table(picture.skills.map(({ name }) => [`  ${name}`, when(name)]))
  out.line("\nFrom another terminal:")
  for (const text of hints(options, picture)) out.line(`  ${text}`)
  out.line("")
  out.line(modeLine(nowMs, picture.mode as Mode, Object.entries(picture.reasons).filter(([, reason]) => reason !== "notConfigured").map((pair) => pair.join(" ")).join(", "), out))
}

/** Three commands to try next, as they work from here. */
const hints = ({ state, hold }: HoldfastOptions, { skills }: Picture): ReadonlyArray<string> => {
  const at = state === defaultState() ? "" : ` --state ${quoted(state)}`
  const call = invocation()
  return [
    `${call} status${at}`,
    hold === true ? `${call} release${at}` : skills[0] === undefined ? `${call} skills check DIR` : `${call} trigger ${skills[0].name} --wait${at}`,
    `${call} runs${at}`
  ]
}

const quoted = (path: string): string => /^[\w./@+-]+$/.test(path) ? path : `'${path.replaceAll("'", "'\\''")}'`
