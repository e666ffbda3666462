/** The conversation as the gateway keeps it: read page by page, and written down for the time when it cannot be read. */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Queue from "effect/Queue"
import * as Result from "effect/Result"
import * as Stream from "effect/Stream"
import { writtenAtMs } from "../domain/Outbox.ts"
import { iso } from "../domain/Run.ts"
import * as Wire from "../domain/Wire.ts"
import { CallFailed, frameTooLarge, Session } from "./Session.ts"
import { StateStore } from "./StateStore.ts"

export class History extends Context.Service<
  History,
  {
    /**
     * Whether a message of that session matches, from the newest back to those written well before `backToMs`. Texts are cut
     * to 300 characters. Fails as the calls do; a session that does not exist is a refusal.
     */
    readonly has: (session: string, matches: (message: Wire.Message) => boolean, backToMs: number) => Effect.Effect<boolean, CallFailed>
    /** The newest messages of that session, oldest first: `limit` of them at most. Texts are cut to 2,000 characters. */
    readonly newest: (session: string, limit: number) => Effect.Effect<ReadonlyArray<Wire.Message>, CallFailed>
  }
>()("holdfast/layers/History") {
  /** While the session is up, keeps `history.json` no older than 30 s: the last messages of the session of that key. */
  static readonly layer = (options: { readonly session: string }): Layer.Layer<History, never, Session | StateStore> =>
    Layer.effect(
      History,
      Effect.gen(function* () {
        const session = yield* Session
        const page = paging(session)
        yield* Effect.forkScoped(keep(options.session, page))
        return { has: search(page), newest: (key, limit) => newest(page, key, limit) }
      })
    )
}

/** The view's name in the state directory. */
export const historyView = "history.json"
/** What the view holds at most. */
const messagesMax = 200
const bytesMax = 512 * 1_024
/** The view is never older than this while the session is up, and never read anew sooner than that. */
const readEveryMs = 30_000
const readAgainMs = 1_000
/** Messages of one page. With the texts cut, a page stays far below the longest frame; see `paging` for when it does not. */
const pageMax = 100
/** A search gives up this far back, in pages: a transcript has no end that it must show us. */
const pagesMax = 200
/** The gateway's clock may differ from ours by this much, and a search goes back that much further. */
const skewMs = 10 * 60_000

type Paging = (session: string, offset: number, maxChars: number) => Effect.Effect<Page, CallFailed>
interface Page {
  readonly messages: ReadonlyArray<Wire.Message>
  /** Where the page before this one begins; nothing when this is the oldest. */
  readonly next: number | undefined
}

/**
 * Reads one page. Parts that are not text are not cut, so that a page can still be longer than the longest frame, which ends
 * the connection. From then on pages are half as long: history may cost a few reconnections, never one after another. A
 * single message that is too long is not asked for again.
 */
const paging = (session: Session["Service"]): Paging => {
  let limit = pageMax
  return Effect.fnUntraced(function* (sessionKey, offset, maxChars) {
    const asked = limit
    if (asked === 0) return yield* new CallFailed({ reason: "refused", method: "chat.history", sent: false, code: frameTooLarge })
    const params: Wire.HistoryParams = { sessionKey, limit: asked, maxChars, ...(offset === 0 ? {} : { offset }) }
    const payload = yield* session.call("chat.history", params).pipe(
      Effect.tapError(({ code }) =>
        Effect.sync(() => {
          if (code === frameTooLarge) limit = asked >> 1
        })
      )
    )
    const history = Wire.parse(Wire.History, payload)
    if (Result.isFailure(history)) return { messages: [], next: undefined }
    const { messages, hasMore, nextOffset } = history.success
    const next = nextOffset ?? offset + messages.length
    return { messages, next: (hasMore ?? messages.length >= asked) && next > offset ? next : undefined }
  })
}

const search = (page: Paging): History["Service"]["has"] =>
  Effect.fnUntraced(function* (session, matches, backToMs) {
    let offset: number | undefined = 0
    // Rows that arrive meanwhile move the older ones away from the newest: some are seen twice, none is passed over.
    for (let pages = 0; offset !== undefined && pages < pagesMax; pages++) {
      const { messages, next }: Page = yield* page(session, offset, 300)
      if (messages.some(matches)) return true
      const oldest = messages.map(writtenAtMs).find((atMs) => atMs !== undefined)
      offset = oldest !== undefined && oldest < backToMs - skewMs ? undefined : next
    }
    return false
  })

/** Follows one session for as long as there is a connection, again for each one. */
const keep = Effect.fnUntraced(function* (key: string, page: Paging) {
  const session = yield* Session
  const store = yield* StateStore
  const added = yield* Queue.sliding<void>(1) // However many were added, one reading gets them all.
  const listen = session.events.pipe(
    Stream.runForEach((event) => {
      const message = event.event === "session.message" ? Wire.parse(Wire.SessionMessage, event.payload) : undefined
      const ours = message !== undefined && Result.isSuccess(message) && message.success.sessionKey === key
      return ours || event.event === Wire.eventsMissed.event ? Queue.offer(added, undefined) : Effect.void
    })
  )

  const write = Effect.gen(function* () {
    const messages = yield* newest(page, key, messagesMax)
    yield* store.view(historyView, viewOf(key, yield* Clock.currentTimeMillis, messages))
  })
  const follow = Effect.gen(function* () {
    yield* Effect.ignore(session.call("sessions.messages.subscribe", { key } satisfies typeof Wire.SubscribeParams.Type))
    for (;;) {
      yield* Effect.catch(write, (failed) => Effect.logDebug("history was not read", failed.reason, failed.code))
      yield* Effect.sleep(readAgainMs)
      yield* Effect.timeoutOption(Queue.take(added), readEveryMs - readAgainMs)
    }
  })

  yield* Effect.forkChild(listen)
  yield* session.changes.pipe(
    Stream.switchMap((state) => (state._tag === "Connected" ? Stream.fromEffect(follow) : Stream.empty)),
    Stream.runDrain
  )
})

const newest = Effect.fnUntraced(function* (page: Paging, key: string, limit: number) {
  let messages: ReadonlyArray<Wire.Message> = []
  let offset: number | undefined = 0
  while (offset !== undefined && messages.length < limit) {
    const older: Page = yield* page(key, offset, 2_000)
    messages = [...older.messages, ...messages]
    offset = older.next
  }
  return messages.slice(-limit)
})

const viewOf = (session: string, readAtMs: number, messages: ReadonlyArray<Wire.Message>): string => {
  const lines: Array<string> = []
  let bytes = 200 // The frame around them.
  for (const message of messages.toReversed()) {
    const atMs = writtenAtMs(message)
    const line = JSON.stringify({ role: message.role, text: Wire.textOf(message), ...(atMs === undefined ? {} : { at: iso(atMs) }) })
    bytes += Buffer.byteLength(line) + 4
    if (bytes > bytesMax) break
    lines.unshift(line)
  }
  return `{ "session": ${JSON.stringify(session)}, "readAt": ${JSON.stringify(iso(readAtMs))}, "messages": [\n  ${lines.join(",\n  ")}\n] }\n`
}
