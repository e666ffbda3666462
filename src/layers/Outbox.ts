/** The outbox's hands: sends the oldest entry, looks up what became of it, and puts on record what it learns. */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Result from "effect/Result"
import * as Semaphore from "effect/Semaphore"
import * as Stream from "effect/Stream"
import { type DigestTerms, expired, isExpired, tidied } from "../domain/Backlog.ts"
import type { StorageFailed } from "../domain/Errors.ts"
import type { Entry } from "../domain/Ledger.ts"
import { injection, isReportOf, scopeOf, wakeText } from "../domain/Outbox.ts"
import * as Wire from "../domain/Wire.ts"
import { type Delivery, outboxMachine, type Verification } from "../machines/outbox.ts"
import { fromEffect } from "./actor.ts"
import { History } from "./History.ts"
import { Hooks } from "./Hooks.ts"
import { type CallFailed, Session } from "./Session.ts"
import { type NewEvent, StateStore } from "./StateStore.ts"

export class Outbox extends Context.Service<
  Outbox,
  {
    /** Resolves as soon as an entry waits. */
    readonly arrival: Effect.Effect<void>
    /** Sends the oldest entry. One that was sent before is only named, unless it is the one known to be `absent`. */
    readonly deliver: (absent: string | undefined) => Effect.Effect<Delivery>
    /** Finds out whether an entry that was sent stands in the transcript. Takes two seconds at least, when it does not. */
    readonly verify: (run: string) => Effect.Effect<Verification>
    /** The same for entries that go by the gateway's hooks: they need no session, and are never ambiguous, since nothing can be looked up. */
    readonly hookArrival: Effect.Effect<void>
    readonly deliverHook: Effect.Effect<Delivery>
    /** Resolves once every entry that waits now for the session is acknowledged or parked. */
    readonly catchUp: Effect.Effect<void>
  }
>()("holdfast/layers/Outbox") {
  /** With `digest`, many reports of a long outage become one. */
  static readonly layer = (digest?: DigestTerms) =>
    Layer.effect(
      Outbox,
      Effect.suspend(() => make(digest))
    )
}

/** The outbox's machine with its ports plugged. */
export const bind = Effect.map(Outbox, (outbox) =>
  outboxMachine.provide({
    actors: {
      arrival: fromEffect(() => outbox.arrival),
      deliver: fromEffect(({ input }: { input: { readonly absent: string | undefined } }) => outbox.deliver(input.absent)),
      verify: fromEffect(({ input }: { input: { readonly run: string } }) => outbox.verify(input.run)),
      catchUp: fromEffect(() => outbox.catchUp),
      hookArrival: fromEffect(() => outbox.hookArrival),
      deliverHook: fromEffect(() => outbox.deliverHook)
    }
  })
)

/** At most 50 entries a second: the gateway commits a row in 24 ms at the median, and it has others to serve. */
const paceMs = 20
/**
 * The time between two readings. A frame may be read by the gateway and committed 25 to 120 ms later; one that was frozen
 * commits what it had already received after it thaws, and may answer a reading before that. The second reading sees it.
 * The same holds for a new boot within the same process, so it is not made an exception of.
 */
const readingsApartMs = 2_000
/** The wait after a failure that names none, and the longest one that a peer may ask for. */
const retryMs = 1_000
const retryMax = 60_000
const hookRetryMs = 5_000
/** A session that the gateway answers with "not now" may hold up the others for this long; then they go first. */
const holdUpMs = 60_000
/** Events can fall between a look at the ledger and the subscription; what was missed is seen this much later, in milliseconds. */
export const OutboxLookEveryMs = Context.Reference<number>("holdfast/layers/OutboxLookEveryMs", { defaultValue: () => 1_000 })

const make = Effect.fnUntraced(function* (
  digest: DigestTerms | undefined
): Effect.fn.Return<Outbox["Service"], never, StateStore | Session | History> {
  const store = yield* StateStore
  const session = yield* Session
  const history = yield* History
  const lookEveryMs = yield* OutboxLookEveryMs
  const hooks = yield* Hooks
  const { outbox } = store.ledger
  /** Since when the gateway says "not now" of a session's oldest entry. */
  const refusedSince = new Map<string, number>()
  const oneTidying = Semaphore.makeUnsafe(1)
  let sentAtMs = -paceMs

  /** Waits until the ledger says so. */
  const until = (holds: () => boolean): Effect.Effect<void> =>
    Stream.merge(Stream.tick(lookEveryMs), store.events).pipe(Stream.takeUntil(holds), Stream.runDrain)

  /** The entry to send: the oldest one, unless its session has held up the others for long enough. Each session keeps its order. */
  const next = (nowMs: number): Entry | undefined => {
    const holdsUp = ({ session }: Entry) => nowMs - (refusedSince.get(session) ?? nowMs) > holdUpMs
    return outbox.values().find((entry) => bySession(entry) && !holdsUp(entry)) ?? outbox.values().find(bySession)
  }
  const refused = Effect.fnUntraced(function* ({ session }: Entry, { reason }: CallFailed) {
    if (reason === "refused" && !refusedSince.has(session)) refusedSince.set(session, yield* Clock.currentTimeMillis)
  })

  const deliver = Effect.fnUntraced(function* (absent: string | undefined): Effect.fn.Return<Delivery, StorageFailed> {
    yield* tidy(bySession)
    const nowMs = yield* Clock.currentTimeMillis
    const entry = next(nowMs)
    if (entry === undefined) return { _tag: "Empty" }
    const { run } = entry
    if (entry.via === undefined && entry.sent !== undefined && run !== absent) return { _tag: "Ambiguous", run }
    if (isExpired(entry, nowMs)) return yield* park(entry, expired(entry))
    yield* Effect.sleep(Math.max(0, sentAtMs + paceMs - (yield* Clock.currentTimeMillis)))
    const state = yield* session.state
    if (state._tag === "NotConnected") return { _tag: "Postponed", run, absent: run === absent, delayMs: retryMs, reason: "notConnected" }
    if (!state.scopes.includes(scopeOf(entry.via)!)) {
      yield* session.renew // Its greeting asks for what the waiting entries need.
      return { _tag: "Postponed", run, absent: run === absent, delayMs: retryMs, reason: "scope" }
    }
    sentAtMs = yield* Clock.currentTimeMillis
    yield* store.append({ type: "entry.sent", run, gatewayBootId: state.bootId }) // First: a crash from here on must not double it.
    const wake = { mode: "next-heartbeat", text: wakeText(entry), sessionKey: entry.session } satisfies Wire.WakeParams
    return yield* Effect.matchEffect(entry.via === undefined ? inject(entry) : session.call("wake", wake), {
      onSuccess: () => acknowledge(entry),
      onFailure: (failed) => unacknowledged(entry, failed)
    })
  })

  /** A session that does not exist is made, and then is there. No other reading of an invalid request is safe to guess at. */
  const inject = (entry: Entry): Effect.Effect<unknown, CallFailed> =>
    Effect.catchIf(
      session.call("chat.inject", injection(entry)),
      (failed) => failed.code === Wire.errorCodes.invalid,
      () =>
        Effect.andThen(
          session.call("sessions.create", { key: entry.session } satisfies typeof Wire.CreateParams.Type),
          session.call("chat.inject", injection(entry))
        )
    )

  const unacknowledged = Effect.fnUntraced(function* (entry: Entry, failed: CallFailed): Effect.fn.Return<Delivery, StorageFailed> {
    const { run, via } = entry
    yield* refused(entry, failed)
    // Lost on the way to making the session is not ambiguous: the first try was refused, so nothing was written.
    const absent = failed.reason === "refused" || !failed.sent || failed.method === "sessions.create"
    // Of what is held in memory nothing can be looked up: rather twice than not at all.
    if (!absent)
      return via === undefined ? { _tag: "Ambiguous", run } : { _tag: "Postponed", run, absent, delayMs: retryMs, reason: failed.reason }
    if (isTerminal(failed)) return yield* park(entry, refusal(failed))
    return { _tag: "Postponed", run, absent, delayMs: delayOf(failed), reason: failed.code ?? failed.reason }
  })

  const verify = Effect.fnUntraced(function* (run: string): Effect.fn.Return<Verification, StorageFailed> {
    const entry = outbox.get(run)
    if (entry === undefined) return { _tag: "Settled", run }
    // The first frame cannot have left before the run settled.
    const stands = history
      .has(entry.session, (message) => isReportOf(run, message), entry.settledAtMs)
      .pipe(
        Effect.catchIf(
          (failed) => failed.code === Wire.errorCodes.invalid,
          () => Effect.succeed(false)
        ) // No session, no row in it.
      )
    const again = Effect.andThen(Effect.sleep(readingsApartMs), stands)
    const found = yield* Effect.result(Effect.flatMap(stands, (already) => (already ? Effect.succeed(true) : again)))
    if (Result.isFailure(found)) {
      yield* refused(entry, found.failure)
      if (isTerminal(found.failure)) return yield* park(entry, refusal(found.failure))
      return { _tag: "Postponed", run, delayMs: delayOf(found.failure), reason: found.failure.code ?? found.failure.reason }
    }
    if (!found.success) return { _tag: "Absent", run }
    return yield* settle(entry, { type: "entry.acknowledged", run, how: "history" })
  })

  const deliverHook = Effect.fnUntraced(function* (): Effect.fn.Return<Delivery, StorageFailed> {
    yield* tidy(byHooks)
    const entry = outbox.values().find(byHooks)
    if (entry === undefined) return { _tag: "Empty" }
    const { run } = entry
    if (isExpired(entry, yield* Clock.currentTimeMillis)) return yield* park(entry, expired(entry))
    yield* Effect.sleep(paceMs)
    if (entry.sent === undefined) yield* store.append({ type: "entry.sent", run, gatewayBootId: "" })
    return yield* Effect.matchEffect(hooks.wake(wakeText(entry)), {
      onSuccess: () => acknowledge(entry),
      onFailure: ({ terminal, reason }): Effect.Effect<Delivery, StorageFailed> =>
        terminal ? park(entry, reason) : Effect.succeed({ _tag: "Postponed", run, absent: false, delayMs: hookRetryMs, reason })
    })
  })

  /**
   * In a fiber of its own: a session that is lost meanwhile stops who waits, and not the append. The next one looks when that
   * is over, since a second digest of the same reports would tell them twice.
   */
  const tidy = (which: (entry: Entry) => boolean): Effect.Effect<void, StorageFailed> => {
    const work = Effect.flatMap(Clock.currentTimeMillis, (nowMs) => {
      const events = tidied(outbox.values().filter(which), digest, nowMs)
      return events.length === 0 ? Effect.void : Effect.asVoid(store.append(...events))
    })
    return Effect.flatMap(Effect.forkDetach(oneTidying.withPermit(work), { startImmediately: true }), Fiber.join)
  }

  const acknowledge = (entry: Entry) =>
    settle(entry, { type: "entry.acknowledged", run: entry.run, how: "reply", ...(entry.via && { via: entry.via }) })

  const park = (entry: Entry, reason: string) => settle(entry, { type: "entry.parked", run: entry.run, reason })

  const settle = ({ run, session }: Entry, event: NewEvent) => {
    refusedSince.delete(session)
    return Effect.as(store.append(event), { _tag: "Settled", run } as const)
  }

  return {
    arrival: until(() => outbox.values().some(bySession)),
    deliver: (absent) => Effect.catch(deliver(absent), () => Effect.sync(() => unwritten(outbox.values().find(bySession)?.run ?? ""))),
    hookArrival: until(() => outbox.values().some(byHooks)),
    deliverHook: Effect.suspend(() =>
      Effect.catch(deliverHook(), () => Effect.sync(() => unwritten(outbox.values().find(byHooks)?.run ?? "")))
    ),
    verify: (run) => Effect.catch(verify(run), () => Effect.succeed(unwritten(run))),
    catchUp: Effect.suspend(() => {
      const waited = new Set(
        outbox
          .values()
          .filter(bySession)
          .map(({ run }) => run)
      )
      const stillWaits = ({ run, runs }: Entry) => waited.has(run) || runs?.some((one) => waited.has(one)) === true
      return until(() => !outbox.values().some(stillWaits))
    })
  }
})

const byHooks = ({ via }: Entry): boolean => via === "hooks"
const bySession = ({ via }: Entry): boolean => via !== "hooks"

/** The disk refused. The runtime hears of that elsewhere; the entry simply stays. */
const unwritten = (run: string) => ({ _tag: "Postponed", run, absent: false, delayMs: retryMs, reason: "storage" }) as const

const refusal = ({ method, code, detail }: CallFailed): string => `${method}: ${code}: ${detail}`

/** A refusal that would come again. */
const isTerminal = ({ reason, code, retryable }: CallFailed): boolean =>
  reason === "refused" && retryable !== true && code !== Wire.errorCodes.unavailable

const delayOf = ({ retryAfterMs }: CallFailed): number => Math.min(retryMax, Math.max(retryAfterMs ?? 0, retryMs))
