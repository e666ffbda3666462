/**
 * Frames that nobody should send, by chance from a seed: read by themselves, against a second reading by other means, and sent over
 * real sockets, before hello and after it, beside bytes that are no frames. Each connection comes to an end that has a reason, or its
 * call to an answer.
 */
import type { Socket } from "node:net"
import { setFlagsFromString } from "node:v8"
import { runInNewContext } from "node:vm"
import { Deferred, Effect, Exit, Fiber, Result } from "effect"
import type { WebSocket } from "ws"
import { readFrame } from "../../src/domain/FrameReading.ts"
import * as Wire from "../../src/domain/Wire.ts"
import { Fuzz, mutated, type Pick, picks } from "../domain/fuzz.ts"
import { greeting, serving, sessionTo } from "./served.ts"

const good: ReadonlyArray<string> = [
  Wire.event("connect.challenge", { nonce: "n", ts: 1 }),
  Wire.event("tick", { ts: 1 }, 3),
  Wire.event("session.message", { sessionKey: "agent:main:main", message: { role: "user", content: [{ type: "text", text: 'a[{"' }] } }, 7),
  Wire.event("shutdown", { reason: "gateway stopping", restartExpectedMs: 1_500 }),
  Wire.event("gateway.redirect", { url: "ws://elsewhere.example/" }),
  Wire.reply("connect", { type: "hello-ok", protocol: 4, server: { version: "f", bootId: "b" } }),
  Wire.reply("h1", { messages: [], hasMore: false }),
  Wire.refusal("h2", { code: "UNAVAILABLE", message: "later", details: { reason: "gateway-restarting" }, retryAfterMs: 9 }),
  Wire.request("s1", "node.invoke", { a: [1, 2, { b: null }] })
]
const pieces = [
  "{",
  "}",
  "[",
  "]",
  '"',
  "\\",
  ",",
  ":",
  "1e400",
  "-0",
  "null",
  "true",
  '"__proto__":{}',
  '"type":"res"',
  '"ok":1',
  "\u0000",
  "\ud800",
  "é",
  "\ufeff",
  " "
]

/** A text that may be a frame. */
const textBy = (pick: Pick): string =>
  pick.of<() => string>([
    () => pick.of(good),
    () => mutated(pick, pick.of(good), pieces),
    () => mutated(pick, pick.of(good), pieces),
    () => pick.of(good).slice(0, pick.below(80)),
    () => nested(pick, pick.of([2, 30, 62, 63, 64, 65, 66, 200, 5_000])),
    () => Array.from({ length: pick.below(40) }, () => pick.of(pieces)).join(""),
    () => JSON.stringify({ type: "event", event: "x".repeat(pick.below(50_000)), payload: pick.of([{}, [], 1, null]) })
  ])()

const nested = (pick: Pick, levels: number): string => {
  const opened = Array.from({ length: levels }, () => pick.of(["[", '{"a":']))
  const closed = opened.map((one) => (one === "[" ? "]" : "}")).toReversed()
  return `{"type":"event","event":"e","payload":${opened.join("")}${pick.of(["1", '"[{"', "null"])}${closed.join("")}}`
}

/** Reads by themselves: accepted is what JSON, the schema of frames and a count of levels of the value accept. */
export const fuzzReading = (times: number, seed: number): Fuzz => {
  const pick = picks(seed)
  const fuzz = new Fuzz()
  for (let i = 0; i < times && fuzz.wrong === undefined; i++) {
    const text = textBy(pick)
    const read = fuzz.timed(() => readFrame(text))
    const known = Result.isSuccess(Wire.parseFrame(text)) && levelsOf(text) <= 64
    if (Result.isSuccess(read)) fuzz.accepted += 1
    else fuzz.refuse(read.failure.code)
    if (Result.isSuccess(read) !== known) fuzz.wrong = `${known ? "refused" : "accepted"}: ${text.slice(0, 2_000)}`
  }
  return fuzz
}

/** Levels of the value, one after another. */
const levelsOf = (text: string): number => {
  let level: ReadonlyArray<unknown> = [JSON.parse(text)]
  for (let levels = 0; ; levels++) {
    level = level.filter((value) => typeof value === "object" && value !== null)
    if (level.length === 0) return levels
    level = level.flatMap((value) => Object.values(value as object))
  }
}

/** What became of connections. */
export interface Sent {
  readonly connections: number
  readonly frames: number
  /** How many calls were answered or refused, and how many connections ended instead, by problem or reason. */
  readonly ends: Readonly<Record<string, number>>
  readonly counted: Readonly<Record<string, number>>
  /** By how much the heap grew after the first tenth, in MB. */
  readonly grownMb: number
  readonly slowestMs: number
  readonly wrong: string | undefined
}

/** Longer than anything here has a right to take: a flood is held back for a second, a bad page of half of one. */
const hangMs = 3_500

/** Sends them over real sockets, in so many connections of one session. */
export const fuzzSending = Effect.fnUntraced(function* (connections: number, seed: number) {
  const pick = picks(seed)
  const ends: Record<string, number> = {}
  let [frames, slowestMs, heapMb] = [0, 0, 0]
  let wrong: string | undefined
  const lines = new Set<WebSocket>()

  const send = (socket: WebSocket, count: number, raw: boolean) => {
    const { _socket: bytes } = socket as unknown as { readonly _socket: Socket }
    frames += count
    for (let i = 0; i < count; i++) {
      if (raw && pick.chance(0.1)) bytes.write(Buffer.from(Array.from({ length: 1 + pick.below(20) }, () => pick.below(256))))
      else if (pick.chance(0.1)) socket.send(Buffer.from(textBy(pick)))
      else socket.send(textBy(pick))
    }
  }
  const url = yield* serving((socket) => {
    lines.add(socket.on("error", () => {}).on("close", () => lines.delete(socket)))
    const raw = pick.chance(0.2)
    if (pick.chance(0.2)) send(socket, pick.below(4), raw)
    greeting(({ id }, line) => {
      if (pick.chance(0.02)) for (let i = 0; i < 8_000; i++) line.send("{}")
      send(line, pick.below(20), raw)
      line.send(Wire.reply(id, "well"))
      if (raw) line.terminate() // What it says may have become a part of a frame that never ends.
    })(socket)
  })
  const session = yield* sessionTo(url)

  for (let i = 0; i < connections && wrong === undefined; i++) {
    const opened = yield* Deferred.make<void>()
    const ending = yield* Effect.forkChild(
      session.connection(() => Deferred.doneUnsafe(opened, Exit.void)),
      { startImmediately: true }
    )
    const called = Effect.andThen(Deferred.await(opened), Effect.result(session.call("health", {}, { timeoutMs: hangMs })))
    const ended = Effect.map(Fiber.join(ending), ({ problem, reason }) => problem ?? reason)
    const began = performance.now()
    const came = yield* Effect.raceFirst(
      ended,
      Effect.flatMap(called, (call) => {
        if (Result.isSuccess(call)) return Effect.succeed("answered")
        const { reason } = call.failure
        // Whoever loses a call has lost the connection; a frame by chance may have been a refusal.
        return reason === "lost" ? ended : Effect.succeed(reason === "refused" ? "refused" : `hung: ${reason}`)
      })
    ).pipe(Effect.timeoutOrElse({ duration: 2 * hangMs, orElse: () => Effect.succeed("hung: no end") }))
    const ms = performance.now() - began
    slowestMs = Math.max(slowestMs, ms)
    ends[came] = (ends[came] ?? 0) + 1
    if (came.startsWith("hung") || ms > hangMs) wrong = `connection ${i}: ${came}, after ${Math.round(ms)} ms`
    yield* Fiber.interrupt(ending)
    if ((yield* session.state)._tag !== "NotConnected") wrong = `connection ${i} is still there`
    if (i === Math.floor(connections / 10)) heapMb = heapNowMb()
  }
  for (let i = 0; i < 300 && lines.size > 0; i++) yield* Effect.sleep(10)
  if (lines.size > 0) wrong = `${lines.size} sockets are left`
  const { counted } = yield* session.oddities
  return { connections, frames, ends, counted, grownMb: heapNowMb() - heapMb, slowestMs, wrong } satisfies Sent
}, Effect.scoped)

/** What is in use, once the collector has been. */
const heapNowMb = (): number => {
  setFlagsFromString("--expose-gc")
  ;(runInNewContext("gc") as () => void)()
  return process.memoryUsage().heapUsed / 2 ** 20
}
