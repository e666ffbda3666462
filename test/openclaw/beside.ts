/** `holdfast up` beside OpenClaw, and a session of its own whose transcript is read back. */
import { Effect } from "effect"
import { assert } from "vitest"
import type { JournalEvent } from "../../src/domain/JournalEvent.ts"
import { label } from "../../src/domain/Outbox.ts"
import { textOf, type Message } from "../../src/domain/Wire.ts"
import { checkRuns, checkSlots, checkTranscript, type TranscriptRow } from "../../src/testing/checkers/index.ts"
import { makeWorld } from "../cli/holdfast.ts"
import { connected, type Frame } from "../gateway/client.ts"
import { journalIn } from "../journal.ts"
import { until } from "../layers/children.ts"
import { type OpenClaw, token } from "./OpenClaw.ts"

/** A runtime as a process, connected, with so many skills that each report every two seconds. */
export const beside = async (gateway: OpenClaw, name: string, skills: number) => {
  const session = `agent:main:${name}`
  const world = makeWorld({ HOLDFAST_GATEWAY_TOKEN: token })
  const settings = { schedule: { every: "2 seconds" }, run: ["true"], report: { when: "always", session } }
  for (let skill = 1; skill <= skills; skill++) world.skill(`tick-${skill}`, settings)
  const runtime = world.start("up", "--state", world.state, "--skills", world.skills, "--gateway", gateway.url)
  await runtime.says(/mode {4}connected/)
  await runtime.says(/report {2}tick-1@\S+ {2}acknowledged/)
  const journal = () => journalIn(world.state)
  return {
    journal,
    /** Resolves in the middle of a report: sent, and not acknowledged. */
    reporting: () => come(() => reporting(journal()), "a report under way"),
    /** Resolves once the mode is `connected` and every report that waited at that instant is acknowledged. */
    delivered: (backAtMs: number) => come(() => delivered(journal(), backAtMs), "the reports that waited", 60_000),
    /** Ends the runtime; what is wrong with its slots and runs, and with their rows, of all that was due or had settled by then. */
    violations: async (throughMs: number) => {
      runtime.kill("SIGTERM")
      assert.deepInclude(await runtime.ended, { code: 0, stderr: "" })
      const [events, rows] = [journal(), await transcript(gateway, session)]
      return [...checkRuns(events), ...checkSlots(events, throughMs), ...checkTranscript(events, rows, { session, throughMs })]
    }
  }
}

/** The rows of a session, oldest first: every page that there is. */
export const transcript = (gateway: OpenClaw, session: string): Promise<ReadonlyArray<TranscriptRow>> =>
  Effect.runPromise(
    Effect.scoped(
      Effect.gen(function* () {
        const client = yield* connected(gateway.url)
        const rows: Array<TranscriptRow> = []
        for (let offset: number | undefined = 0; offset !== undefined;) {
          const { payload }: Frame = yield* client.call("chat.history", { sessionKey: session, limit: 100, offset })
          rows.unshift(...(payload.messages as ReadonlyArray<Message>).map((message) => ({ text: textOf(message) })))
          offset = payload.hasMore === true ? payload.nextOffset : undefined
        }
        return rows
      })
    )
  )

/** How many rows a session has of each of these runs. */
export const rowsOf = async (gateway: OpenClaw, session: string, runs: ReadonlyArray<string>): Promise<ReadonlyArray<number>> => {
  const rows = await transcript(gateway, session)
  return runs.map((run) => rows.filter(({ text }) => text.startsWith(`[${label(run)}]`)).length)
}

/** Resolves once the condition holds. */
export const come = (condition: () => boolean, what: string, withinMs?: number): Promise<void> =>
  Effect.runPromise(until(condition, what, withinMs))

const reporting = (events: ReadonlyArray<JournalEvent>): boolean =>
  events.findLast(({ type }) => type === "entry.sent" || type === "entry.acknowledged")?.type === "entry.sent"

const delivered = (events: ReadonlyArray<JournalEvent>, backAtMs: number): boolean => {
  if (!events.some((event) => event.type === "mode.changed" && event.atMs >= backAtMs && event.to === "connected")) return false
  const waiting = new Set(events.flatMap((event) => (event.type === "run.settled" && event.atMs <= backAtMs ? [event.run] : [])))
  for (const event of events) if (event.type === "entry.acknowledged") waiting.delete(event.run)
  return waiting.size === 0
}
