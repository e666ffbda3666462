import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { historyView } from "../../src/layers/History.ts"
import { linked, mainSession, pass } from "./linked.ts"
import { type Memory, memory } from "./memoryStore.ts"
import { type Peer, scriptedPeer } from "../../src/testing/ScriptedPeer.ts"

const view = (kept: Memory) =>
  JSON.parse(kept.views.get(historyView) ?? "null") as {
    readonly session: string
    readonly readAt: string
    readonly messages: ReadonlyArray<{ readonly role: string; readonly text: string; readonly at?: string }>
  } | null
const texts = (kept: Memory) => view(kept)!.messages.map(({ text }) => text)
const reads = (peer: Peer) => peer.calls.filter(({ method }) => method === "chat.history").length

describe("History", () => {
  it.effect("writes the conversation down as soon as there is a session", () =>
    Effect.gen(function* () {
      const peer = yield* scriptedPeer
      const kept = memory()
      yield* peer.say(mainSession, "good morning")
      yield* linked(peer, kept)
      yield* pass(500)
      assert.deepStrictEqual(view(kept), {
        session: mainSession,
        readAt: view(kept)!.readAt,
        messages: [{ role: "assistant", text: "good morning", at: "1970-01-01T00:00:00Z" }]
      })
    })
  )

  it.effect("follows within two seconds what is said, in one reading for many messages", () =>
    Effect.gen(function* () {
      const peer = yield* scriptedPeer
      const kept = memory()
      yield* linked(peer, kept)
      yield* pass(2_000)
      const before = reads(peer)
      for (let i = 0; i < 20; i++) yield* peer.say(mainSession, `m${i}`)
      yield* pass(2_000)
      assert.strictEqual(texts(kept).at(-1), "m19")
      assert.isAtMost(reads(peer) - before, 2)
      assert.isTrue(
        peer.calls.some(({ method, params }) => method === "sessions.messages.subscribe" && (params as { key: string }).key === mainSession)
      )
    })
  )

  it.effect("is read again every thirty seconds though nothing is said", () =>
    Effect.gen(function* () {
      const peer = yield* scriptedPeer
      const kept = memory()
      yield* linked(peer, kept)
      yield* pass(1_000)
      const before = reads(peer)
      yield* pass(90_000)
      assert.strictEqual(reads(peer) - before, 3)
    })
  )

  it.effect("stays as it was last read while the session is down, and is read anew when it is back", () =>
    Effect.gen(function* () {
      const peer = yield* scriptedPeer
      const kept = memory()
      yield* peer.say(mainSession, "before")
      yield* linked(peer, kept)
      yield* pass(1_000)
      const readAt = view(kept)!.readAt
      peer.refuse("refused")
      yield* peer.drop()
      yield* peer.say(mainSession, "meanwhile")
      yield* pass(60_000)
      assert.strictEqual(view(kept)!.readAt, readAt)
      peer.refuse(undefined)
      yield* pass(1_000)
      assert.deepStrictEqual(texts(kept), ["before", "meanwhile"])
    })
  )

  it.effect("reads anew at a gap in the numbers of events: what was missed may have been a message", () =>
    Effect.gen(function* () {
      const peer = yield* scriptedPeer
      const kept = memory()
      yield* linked(peer, kept)
      yield* pass(2_000)
      const before = reads(peer)
      for (const seq of [7, 8, 9]) yield* peer.tell("presence", {}, seq)
      yield* pass(3_000)
      assert.strictEqual(reads(peer), before)
      peer.transcript.push({ session: mainSession, text: "unheard", atMs: 0 })
      yield* peer.tell("tick", { ts: 1 }, 11)
      yield* pass(1_500)
      assert.deepStrictEqual(texts(kept), ["unheard"])
    })
  )

  it.effect("holds the last two hundred messages, and half a mebibyte at most", () =>
    Effect.gen(function* () {
      const peer = yield* scriptedPeer
      const kept = memory()
      for (let i = 0; i < 450; i++) yield* peer.say(mainSession, `m${i}`)
      yield* linked(peer, kept)
      yield* pass(1_000)
      assert.deepStrictEqual([texts(kept).length, texts(kept)[0], texts(kept).at(-1)], [200, "m250", "m449"])
      for (let i = 0; i < 200; i++) yield* peer.say(mainSession, `${i}:${"\u00e9".repeat(3_000)}`)
      yield* pass(20_000) // A step of the test's clock lets a bounded amount of work pass, and this is much.
      const text = kept.views.get(historyView)!
      assert.isAtMost(Buffer.byteLength(text), 512 * 1_024)
      assert.isAbove(texts(kept).length, 50)
      assert.isTrue(texts(kept).at(-1)!.startsWith("199:"))
    })
  )

  it.effect("asks for half as much after a page that ended the connection, so that it ends no more than a few", () =>
    Effect.gen(function* () {
      const peer = yield* scriptedPeer
      const kept = memory()
      for (let i = 0; i < 300; i++) yield* peer.say(mainSession, `m${i}`)
      peer.dropAtPagesOf(30) // As a client does at a frame over its limit.
      const world = yield* linked(peer, kept)
      yield* pass(60_000)
      assert.strictEqual(world.mode(), "connected")
      assert.strictEqual(texts(kept).length, 200)
      assert.isBelow(peer.lines().ever, 6)
    })
  )
})
