/**
 * Partitions: a real runtime in a network namespace of its own, a real gateway outside, and a cable between that is cut, thinned, reset and
 * unplugged at random. Plain ws goes to a literal loopback address alone, so at both ends of the cable a relay hands the bytes on: the runtime
 * meets what any relay or tunnel in front of a gateway does, sockets that are accepted and lead nowhere among it.
 */
import { Effect, Redacted, type Scope } from "effect"
import { type ChildProcess, spawn, spawnSync } from "node:child_process"
import { rmSync } from "node:fs"
import { join } from "node:path"
import type { JournalEvent } from "../../src/domain/JournalEvent.ts"
import { EmbeddedGateway } from "../../src/gateway/index.ts"
import type { Violation } from "../../src/testing/checkers/index.ts"
import { makeWorld, until } from "../../src/testing/drill/world.ts"
import { bin } from "../built.ts"
import { settled, violationsOf } from "./aftermath.ts"
import { mulberry32 } from "./mulberry32.ts"

/** What becomes of the cable, in words of `ip` and `iptables` at the runtime's end. */
const faults = {
  drop: ["iptables -A INPUT -i cable -j DROP", "iptables -A OUTPUT -o cable -j DROP"],
  "drop what comes": ["iptables -A INPUT -i cable -j DROP"],
  "drop what goes": ["iptables -A OUTPUT -o cable -j DROP"],
  "lose 30 %": ["iptables -A INPUT -i cable -m statistic --mode random --probability 0.3 -j DROP"],
  reset: [
    "iptables -A INPUT -i cable -p tcp -j REJECT --reject-with tcp-reset",
    "iptables -A OUTPUT -o cable -p tcp -j REJECT --reject-with tcp-reset"
  ],
  unplug: ["ip link set cable down"]
} as const
type Fault = keyof typeof faults
const mended = ["iptables -F", "ip link set cable up"]

export interface Partitioned {
  readonly rounds: number
  readonly slots: number
  readonly rows: number
  /** From slot to work, of skills that need no gateway, in milliseconds; ascending. */
  readonly late: ReadonlyArray<number>
  /** From a fault to the mode that says so, where there came one before it was mended. */
  readonly noticed: ReadonlyArray<{ readonly fault: Fault; readonly afterMs: number }>
  readonly violations: ReadonlyArray<Violation>
  readonly directory: string
}

/** Why there can be none here; nothing where there can. */
export const unable = (): string | undefined => {
  if (process.platform !== "linux" || process.getuid?.() !== 0) return "namespaces are for root on Linux"
  const made = spawnSync("ip", ["netns", "add", "holdfast-try"], { encoding: "utf8" })
  if (made.status !== 0) return `ip netns: ${made.error?.message ?? made.stderr.trim()}`
  const rule = spawnSync("ip", ["netns", "exec", "holdfast-try", ...faults["lose 30 %"][0].split(" ")], { encoding: "utf8" })
  spawnSync("ip", ["netns", "del", "holdfast-try"])
  return rule.status === 0 ? undefined : `iptables: ${rule.error?.message ?? rule.stderr.trim()}`
}

/** So many rounds of one pair of runtime and gateway, the `number`-th of this process. */
export const partitions = Effect.fnUntraced(function* (
  rounds: number,
  seed: number,
  number: number
): Effect.fn.Return<Partitioned, unknown, Scope.Scope> {
  const random = mulberry32(seed)
  const between = (least: number, most: number) => Math.round(least + random() * (most - least))
  const cable = yield* plugged(number)
  const world = yield* makeWorld(`partition-${number}`, ({ state, skills, gateway }) =>
    cable.inside(process.execPath, bin, "up", "--state", state, "--skills", skills, "--gateway", gateway)
  )
  const token = "partition-token-0123456789abcdef"
  const gateway = yield* EmbeddedGateway.make({ port: 0, token: Redacted.make(token), directory: world.gatewayDirectory })
  yield* relay(["node", "relay.mjs"], [cable.outer, gateway.port, "127.0.0.1", gateway.port])
  yield* relay(cable.inside("node", "relay.mjs"), ["127.0.0.1", gateway.port, cable.outer, gateway.port])
  const runtime = yield* world.start(gateway.url, token)
  const isConnected = () => world.picture()?.mode === "connected"
  yield* until(isConnected, 30_000)

  const times: Array<{ readonly fault: Fault; readonly fromMs: number; readonly toMs: number }> = []
  const kinds = Object.keys(faults) as ReadonlyArray<Fault>
  for (let round = 0; round < rounds; round++) {
    const fault = kinds[between(0, kinds.length - 1)]!
    const fromMs = Date.now()
    for (const command of faults[fault]) cable.set(command)
    yield* Effect.sleep(between(100, 7_000))
    for (const command of mended) cable.set(command)
    times.push({ fault, fromMs, toMs: Date.now() })
    yield* Effect.sleep(between(100, 2_500))
  }

  const throughMs = yield* settled(world, runtime)
  const found = yield* violationsOf(world, gateway, throughMs)
  const { events } = world.journal()
  const rows = yield* gateway.transcript("agent:main:main")
  const local = new Set(world.skills.flatMap(({ name, needs }) => (needs.length === 0 ? [name] : [])))
  if (found.length === 0) rmSync(world.directory, { recursive: true, force: true, maxRetries: 5 })
  return {
    rounds,
    slots: events.filter(({ type }) => type === "run.claimed").length,
    rows: rows.length,
    late: latenessOf(events, local),
    noticed: times.flatMap(({ fault, fromMs, toMs }) => {
      const told = events.find((event) => event.type === "mode.changed" && event.atMs >= fromMs && event.to.startsWith("degraded"))
      return told === undefined || told.atMs > toMs ? [] : [{ fault, afterMs: told.atMs - fromMs }]
    }),
    violations: found,
    directory: world.directory
  }
})

const latenessOf = (events: ReadonlyArray<JournalEvent>, skills: ReadonlySet<string>): ReadonlyArray<number> => {
  const slots = new Map(
    events.flatMap((event) => (event.type === "run.claimed" && skills.has(event.skill) ? [[event.run, event.slot]] : []))
  )
  return events
    .flatMap((event) => {
      const slot = event.type === "attempt.started" && event.attempt === 1 ? slots.get(event.run) : undefined
      return slot === undefined ? [] : [event.atMs - slot]
    })
    .toSorted((a, b) => a - b)
}

/** A namespace with one cable to ours. */
const plugged = (number: number) => {
  const name = `holdfast-${process.pid}-${number}`
  const link = `hf${process.pid % 10_000}-${number}`
  const [outer, inner] = [`10.77.${number}.1`, `10.77.${number}.2`]
  const inside = (program: string, ...argv: ReadonlyArray<string>) => ["ip", "netns", "exec", name, program, ...argv] as const
  const set = (command: string) => run(inside(...(command.split(" ") as [string, ...Array<string>])))
  return Effect.acquireRelease(
    Effect.sync(() => {
      run(["ip", "netns", "add", name])
      run(["ip", "link", "add", link, "type", "veth", "peer", "name", "cable", "netns", name])
      run(["ip", "addr", "add", `${outer}/30`, "dev", link])
      run(["ip", "link", "set", link, "up"])
      for (const command of [`ip addr add ${inner}/30 dev cable`, "ip link set cable up", "ip link set lo up"]) set(command)
      return { outer, inside, set }
    }),
    () => Effect.sync(() => run(["ip", "netns", "del", name]))
  )
}

const run = ([program, ...argv]: readonly [string, ...ReadonlyArray<string>]): void => {
  const { status, stderr } = spawnSync(program, argv, { encoding: "utf8" })
  if (status !== 0) throw new Error(`${[program, ...argv].join(" ")}: ${stderr}`)
}

const relay = ([program, ...argv]: readonly [string, ...ReadonlyArray<string>], words: ReadonlyArray<string | number>) =>
  Effect.acquireRelease(
    Effect.callback<ChildProcess>((resume) => {
      const own = argv.map((word) => (word === "relay.mjs" ? join(import.meta.dirname, word) : word === "node" ? process.execPath : word))
      const child = spawn(program === "node" ? process.execPath : program, [...own, ...words.map(String)], {
        stdio: ["ignore", "pipe", "inherit"]
      })
      child.stdout.once("data", () => resume(Effect.succeed(child)))
    }),
    (child) =>
      Effect.callback<void>((resume) => {
        child.once("exit", () => resume(Effect.void))
        child.kill("SIGKILL")
      })
  )
