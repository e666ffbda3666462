/** Holdfast beside the real OpenClaw, which is killed, frozen, drained, restarted and cut off; each test prints its figures. */
import { Effect } from "effect"
import { setTimeout as sleep } from "node:timers/promises"
import { afterAll, assert, beforeAll, beforeEach, it, onTestFinished } from "vitest"
import { createRuntime, type JournalEvent, skill } from "../../src/index.ts"
import { connected } from "../gateway/client.ts"
import { folder } from "../layers/children.ts"
import { beside, come, rowsOf } from "./beside.ts"
import { type Figures, figures, median } from "./figures.ts"
import { install, version } from "./installed.ts"
import { OpenClaw, token } from "./OpenClaw.ts"
import { Relay } from "./Relay.ts"

let gateway: OpenClaw
let missing: string | undefined

beforeAll(async () => {
  missing = install()
  if (missing === undefined) {
    gateway = await OpenClaw.make()
    const startedAtMs = Date.now()
    missing = await gateway.start().then(
      (readyAtMs) => {
        console.log(`OpenClaw ${version}: ready after ${seconds(readyAtMs - startedAtMs)}`)
        return undefined
      },
      (error: Error) => error.message
    )
  }
  if (missing !== undefined) console.log(`OpenClaw: skipped, because ${missing}`)
})
afterAll(() => gateway?.remove())
beforeEach((context) => {
  if (missing !== undefined) context.skip(missing)
})

it("killed and a minute away: every slot runs on time, and each run has one row, in order", async () => {
  const runtime = await beside(gateway, "killed", 1)
  const lostAtMs = Date.now()
  gateway.signal("SIGKILL")
  await sleep(60_000)
  const backAtMs = await gateway.start()
  await runtime.delivered(backAtMs)
  const seen = figures(runtime.journal(), lostAtMs, backAtMs)
  say("killed", backAtMs - lostAtMs, seen)
  assert.deepStrictEqual(await runtime.violations(backAtMs), [])
  assert.isAtLeast(seen.late.length, 30)
  assert.isBelow(seen.late.at(-1)!, 1_000)
  assert.isBelow(seen.degradedMs, 1_000)
  assert.isBelow(seen.deliveredMs, 10_000)
})

it("frozen for half a minute in the middle of reports: silent within five seconds, and each run has one row, in order", async () => {
  const runtime = await beside(gateway, "frozen", 8)
  await runtime.reporting()
  const lostAtMs = Date.now()
  gateway.signal("SIGSTOP")
  onTestFinished(() => gateway.signal("SIGCONT"))
  await sleep(30_000)
  gateway.signal("SIGCONT")
  const backAtMs = await gateway.ready()
  await runtime.delivered(backAtMs)
  const seen = figures(runtime.journal(), lostAtMs, backAtMs)
  say("frozen", backAtMs - lostAtMs, seen)
  assert.deepStrictEqual(await runtime.violations(backAtMs), [])
  assert.match(seen.reason, /silent/)
  assert.isBelow(seen.degradedMs, 5_000)
  assert.isBelow(seen.deliveredMs, 10_000)
})

it("stopped in the middle of reports, and started again: each run has one row, in order", async () => {
  const runtime = await beside(gateway, "stopped", 8)
  await runtime.reporting()
  const lostAtMs = Date.now()
  gateway.signal("SIGTERM")
  await gateway.gone()
  const backAtMs = await gateway.start()
  await runtime.delivered(backAtMs)
  const seen = figures(runtime.journal(), lostAtMs, backAtMs)
  say("stopped", backAtMs - lostAtMs, seen)
  assert.deepStrictEqual(await runtime.violations(backAtMs), [])
  assert.isBelow(seen.deliveredMs, 30_000) // Two readings of the transcript, two seconds apart, from a gateway that has only just started.
})

it("restarted by request five times in the middle of reports: each run has one row, in order", async () => {
  const runtime = await beside(gateway, "restarted", 8)
  let backAtMs = 0
  for (let restart = 1; restart <= 5; restart++) {
    await runtime.reporting()
    const lostAtMs = await restarted()
    backAtMs = await gateway.ready()
    await runtime.delivered(backAtMs)
    say(`restarted, ${restart}`, backAtMs - lostAtMs, figures(runtime.journal(), lostAtMs, backAtMs))
  }
  assert.deepStrictEqual(await runtime.violations(backAtMs), [])
})

it("twenty reports whose reply is lost on the way are twenty rows", async () => {
  const relay = await Relay.make(gateway.port)
  onTestFinished(() => relay.break())
  const session = "agent:main:cut"
  const { runtime, events } = await embedded(relay, session)
  const began = Date.now()
  relay.cut(...Array.from({ length: 20 }, (_, index) => (index % 2 === 0 ? "asked" : "answered")))
  const runs: Array<string> = []
  for (let run = 0; run < 20; run++) runs.push(await runtime.trigger("note"))
  const ended = () => events.filter((event) => event.type === "entry.acknowledged")
  await come(() => ended().length === 20, "twenty acknowledgements", 500_000)
  const sent = events.filter((event) => event.type === "entry.sent").length
  const found = ended().filter(({ how }) => how === "history").length
  console.log(`cut: 20 reports sent ${sent} times, ${found} found in the transcript, in ${seconds(Date.now() - began)}`)
  await runtime.stop()
  assert.strictEqual(relay.cuts, 0)
  assert.deepStrictEqual(await rowsOf(gateway, session, runs), Array(20).fill(1))
})

it.each([
  { awayMs: 1_000, trials: 12 },
  { awayMs: 10_000, trials: 6 },
  { awayMs: 60_000, trials: 3 }
])("a gateway that is back after $awayMs ms is connected to within two seconds", async ({ awayMs, trials }) => {
  const one = (_: unknown, trial: number) => sleep(trial * 700).then(() => returned(awayMs)) // One after another, on two cores.
  const took = (await Promise.all(Array.from({ length: trials }, one))).sort((a, b) => a - b)
  console.log(`away ${seconds(awayMs)}: connected after ${Math.round(median(took))} ms (median of ${trials}), ${took.at(-1)} ms at worst`)
  assert.isBelow(took.at(-1)!, 2_000)
})

it("a wrong token is told as one, however long the refusal takes that has been seen before", async () => {
  const took: Array<number> = []
  for (let trial = 0; trial < 6; trial++) {
    const beganAt = Date.now()
    const runtime = await createRuntime({ state: folder(), gateway: { url: gateway.url, token: "wrong" } })
    onTestFinished(() => runtime.stop({ now: true }).then(() => {}))
    let reason: string | undefined
    while (reason === undefined || reason === "closed") {
      await sleep(20)
      reason = (await runtime.status()).reasons.session
    }
    took.push(Date.now() - beganAt)
    assert.strictEqual(reason, "unauthorized")
    await runtime.stop()
  }
  console.log(`wrong token: refused after ${took.map(seconds).join(", ")}`)
})

/** A runtime in this process that reports through the relay, connected, with all that is put on record. */
const embedded = async (relay: Relay, session: string) => {
  const events: Array<JournalEvent> = []
  const note = skill({ name: "note", report: { when: "always" }, overlap: "allowAll", run: () => ({}) })
  const runtime = await createRuntime({
    state: folder(),
    skills: [note],
    gateway: { url: relay.url, token, session },
    onEvent: (event) => events.push(event)
  })
  onTestFinished(() => runtime.stop({ now: true }).then(() => {}))
  await come(() => runtime.mode === "connected", "the connection")
  return { runtime, events }
}

/** How long a new runtime takes to be connected again after the relay refused it for so long. */
const returned = async (awayMs: number): Promise<number> => {
  const relay = await Relay.make(gateway.port)
  const { runtime, events } = await embedded(relay, "agent:main:away")
  await relay.break()
  await sleep(awayMs)
  const backAtMs = await relay.mend()
  await come(() => runtime.mode === "connected", "the connection again", 60_000)
  await runtime.stop()
  await relay.break()
  return figures(events, 0, backAtMs).connectedMs
}

/** Asks the gateway to restart, and waits until it has closed; resolves with the instant at which it was asked. */
const restarted = (): Promise<number> =>
  Effect.runPromise(
    Effect.scoped(
      Effect.gen(function* () {
        const client = yield* connected(gateway.url)
        const askedAtMs = Date.now()
        assert.isTrue((yield* client.call("gateway.restart.request", { reason: "a test" })).ok)
        yield* Effect.promise(() => come(() => client.closed !== undefined, "the restart", 120_000))
        return askedAtMs
      })
    )
  )

const say = (what: string, awayMs: number, { late, ...seen }: Figures): void =>
  console.log(
    `${what}: away ${seconds(awayMs)}; ${seen.underWay} under way; degraded after ${seen.degradedMs} ms (${seen.reason}); ` +
      `${late.length} slots, started ${median(late)} ms late (median), ${late.at(-1)} ms at worst; ` +
      `connected ${seconds(seen.connectedMs)} and ${seen.waiting} reports delivered ${seconds(seen.deliveredMs)} after ready`
  )
const seconds = (ms: number): string => `${(ms / 1_000).toFixed(1)} s`
