/**
 * A gateway in memory, on the clock of whoever tests: the server's side of the wire behind `Dial`, driven by commands.
 *
 * It keeps what a gateway keeps through crashes (`transcript`), and does what one does at its worst: it reads a frame and
 * commits its row only later, freezes with frames in hand and commits them after it thaws, dies between commit and reply,
 * and comes back as another boot. Nothing here asserts anything: tests look at `transcript` and `calls`.
 */
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Latch from "effect/Latch"
import * as Layer from "effect/Layer"
import * as Queue from "effect/Queue"
import * as Result from "effect/Result"
import type * as Scope from "effect/Scope"
import { Dial, type Line, type LineEnd } from "../layers/Dial.ts"
import type { LostReason } from "../machines/session.ts"
import * as Wire from "../domain/Wire.ts"

/** A row of a transcript, as it was committed. */
export interface Row {
  readonly session: string
  readonly text: string
  readonly atMs: number
}

export interface Peer {
  /** What the session dials. */
  readonly dial: Layer.Layer<Dial>
  /** Every row that was ever committed, in the order of their commits. */
  readonly transcript: Array<Row>
  /** Every request the peer has read after hello, in order. */
  readonly calls: Array<{ readonly method: string; readonly params: unknown; readonly atMs: number }>
  /** How many lines are open now, and how many were ever opened. */
  readonly lines: () => { readonly open: number; readonly ever: number }
  readonly bootId: () => string

  /** From reading an injected message to committing its row; 50 ms at first. The reply follows at once. */
  readonly commitAfter: (ms: number) => void
  /** Before the answer to any other call; none at first. */
  readonly answerAfter: (ms: number) => void
  /** Before each pong; none at first. */
  readonly pongAfter: (ms: number) => void
  /** An event to every open line. */
  readonly tell: (name: string, payload: unknown, seq?: number) => Effect.Effect<void>
  /** Ends every open line. */
  readonly drop: (code?: number) => Effect.Effect<void>
  /** Nobody listens any more (or somebody does again): new lines fail, open ones stay. */
  readonly refuse: (reason: LostReason | undefined) => void
  /** Stops reading, answering and accepting. Lines stay open, frames pile up. */
  readonly hang: Effect.Effect<void>
  /** Goes on where it stopped, with every frame that piled up, those of lines that have ended too. */
  readonly thaw: Effect.Effect<void>
  /** Dies, with every frame it had not committed, and is back at once as another boot. */
  readonly reboot: Effect.Effect<void>
  /** The next `n` injected messages are committed, and the line drops before the reply. */
  readonly loseReplies: (n: number) => void
  /** The next `n` calls of this method are refused so. */
  readonly refuseCalls: (method: string, error: Wire.WireError, n?: number) => void
  /** A page of history with this many messages or more ends the line, as a frame over the client's limit would. */
  readonly dropAtPagesOf: (messages: number) => void
  /** Somebody else writes a row. */
  readonly say: (session: string, text: string) => Effect.Effect<void>
  /** Sessions that exist; `agent:main:main` at first. */
  readonly sessions: Set<string>
}

interface Wired {
  readonly toClient: Queue.Queue<string | undefined, LineEnd>
  alive: boolean
  greeted: boolean
}

export const scriptedPeer: Effect.Effect<Peer, never, Scope.Scope> = Effect.gen(function* () {
  const inbox = yield* Queue.unbounded<{ readonly wired: Wired; readonly frame: string }>()
  const running = yield* Latch.make(true)
  const scope = yield* Effect.scope
  const transcript: Array<Row> = []
  const calls: Peer["calls"] = []
  const refusals = new Map<string, Array<Wire.WireError>>()
  const sessions = new Set(["agent:main:main"])
  const open = new Set<Wired>()
  let boot = 1
  let ever = 0
  let refusing: LostReason | undefined
  let commitMs = 50
  let answerMs = 0
  let pongMs = 0
  let repliesToLose = 0
  let pageTooLong = Infinity

  const end = (wired: Wired, reason: LineEnd) =>
    Effect.sync(() => {
      wired.alive = false
      open.delete(wired)
      Queue.failCauseUnsafe(wired.toClient, Cause.fail(reason))
    })
  const drop = (code: number = Wire.closeCodes.abnormal) =>
    Effect.forEach([...open], (wired) => end(wired, { _tag: "Closed", code, detail: "" }), { discard: true })
  const tell = (wired: Wired, frame: string) =>
    Effect.sync(() => {
      if (wired.alive) Queue.offerUnsafe(wired.toClient, frame)
    })
  const tellAll: Peer["tell"] = (name, payload, seq) =>
    Effect.suspend(() => Effect.forEach([...open], (wired) => tell(wired, Wire.event(name, payload, seq)), { discard: true }))
  const commit = Effect.fnUntraced(function* (session: string, text: string) {
    transcript.push({ session, text, atMs: yield* Clock.currentTimeMillis })
    yield* tellAll("session.message", { sessionKey: session })
  })

  const inject = Effect.fnUntraced(function* (wired: Wired, id: string, params: Wire.InjectParams) {
    const reader = boot
    yield* Effect.sleep(commitMs)
    yield* running.await
    if (reader !== boot) return
    yield* commit(params.sessionKey, params.label === undefined ? params.message : `[${params.label}]\n\n${params.message}`)
    if (repliesToLose > 0) {
      repliesToLose -= 1
      return yield* drop()
    }
    yield* tell(wired, Wire.reply(id, { ok: true, messageId: `m${transcript.length}` }))
  })

  const answer = Effect.fnUntraced(function* (wired: Wired, { id, method, params }: Wire.Request) {
    const refusal = refusals.get(method)?.shift()
    if (refusal !== undefined) return yield* tell(wired, Wire.refusal(id, refusal))
    const key = (params as { readonly sessionKey?: string } | undefined)?.sessionKey
    if (key !== undefined && !sessions.has(key)) {
      return yield* tell(wired, Wire.refusal(id, { code: Wire.errorCodes.invalid, message: "session not found" }))
    }
    if (method === "chat.inject") return yield* inject(wired, id, params as Wire.InjectParams)
    yield* Effect.sleep(answerMs)
    switch (method) {
      case "sessions.create":
        sessions.add((params as typeof Wire.CreateParams.Type).key)
        return yield* tell(wired, Wire.reply(id, { sessionId: "s" }))
      case "chat.history": {
        const { limit = 200, offset = 0, sessionKey } = params as Wire.HistoryParams
        const rows = transcript.filter((row) => row.session === sessionKey)
        const page = rows.slice(Math.max(0, rows.length - offset - limit), Math.max(0, rows.length - offset))
        if (page.length >= pageTooLong) return yield* drop(Wire.closeCodes.tooBig)
        const hasMore = rows.length > offset + page.length
        return yield* tell(
          wired,
          Wire.reply(id, {
            messages: page.map(({ text, atMs }) => ({ role: "assistant", content: [{ type: "text", text }], timestamp: atMs })),
            hasMore,
            ...(hasMore ? { nextOffset: offset + page.length } : {})
          })
        )
      }
      default:
        return yield* tell(wired, Wire.reply(id, {}))
    }
  })

  const hello = (requested: Wire.ConnectParams) => ({
    type: "hello-ok",
    protocol: Wire.protocol,
    server: { version: "scripted", bootId: `boot-${boot}`, connId: `c${ever}` },
    auth: { role: requested.role, scopes: requested.scopes }
  })

  const handle = Effect.fnUntraced(function* (wired: Wired, frame: string) {
    const request = Result.getOrThrow(Wire.parseFrame(frame))
    if (request.type !== "req") return
    if (!wired.greeted) {
      wired.greeted = true
      return yield* tell(wired, Wire.reply(request.id, hello(request.params as Wire.ConnectParams)))
    }
    calls.push({ method: request.method, params: request.params, atMs: yield* Clock.currentTimeMillis })
    yield* Effect.forkIn(answer(wired, request), scope) // A commit under way keeps nobody waiting.
  })

  yield* Effect.forkScoped(
    Effect.forever(
      Effect.gen(function* () {
        const { wired, frame } = yield* Queue.take(inbox)
        yield* running.await
        yield* handle(wired, frame)
      })
    )
  )

  const connect = Effect.fnUntraced(function* (): Effect.fn.Return<Line, LineEnd, Scope.Scope> {
    if (refusing !== undefined) return yield* Effect.fail<LineEnd>({ _tag: "Failed", reason: refusing, detail: "scripted" })
    yield* running.await
    const wired: Wired = { toClient: yield* Queue.unbounded<string | undefined, LineEnd>(), alive: true, greeted: false }
    yield* Effect.acquireRelease(
      Effect.sync(() => {
        open.add(wired)
      }),
      () => end(wired, { _tag: "Closed", code: 1000, detail: "hung up" })
    )
    ever += 1
    yield* tell(wired, Wire.event("connect.challenge", { nonce: `n${ever}`, ts: yield* Clock.currentTimeMillis }))
    return {
      send: (frame) => Effect.asVoid(Queue.offer(inbox, { wired, frame })),
      take: Queue.take(wired.toClient),
      ping: Effect.suspend(() => Effect.andThen(pongMs > 0 ? Effect.sleep(pongMs) : Effect.void, running.await))
    }
  })

  return {
    dial: Layer.succeed(Dial, { connect }),
    transcript,
    calls,
    sessions,
    lines: () => ({ open: open.size, ever }),
    bootId: () => `boot-${boot}`,
    commitAfter: (ms) => {
      commitMs = ms
    },
    answerAfter: (ms) => {
      answerMs = ms
    },
    pongAfter: (ms) => {
      pongMs = ms
    },
    tell: tellAll,
    drop,
    refuse: (reason) => {
      refusing = reason
    },
    hang: Effect.asVoid(running.close),
    thaw: Effect.asVoid(running.open),
    reboot: Effect.gen(function* () {
      boot += 1
      yield* Queue.clear(inbox)
      yield* drop(Wire.closeCodes.restart)
      yield* running.open
    }),
    loseReplies: (n) => {
      repliesToLose = n
    },
    refuseCalls: (method, error, n = 1) => {
      refusals.set(
        method,
        Array.from({ length: n }, () => error)
      )
    },
    dropAtPagesOf: (messages) => {
      pageTooLong = messages
    },
    say: commit
  }
})
