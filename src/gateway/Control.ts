/** The ways in which the embedded gateway can be made to fail, and to recover. */
import * as Effect from "effect/Effect"
import * as Schedule from "effect/Schedule"
import * as Semaphore from "effect/Semaphore"
import type { ListenFailed, StateUnusable } from "../domain/Errors.ts"
import { closeCodes } from "../domain/Wire.ts"
import type { Client } from "./Client.ts"
import type { Condition } from "./Condition.ts"
import type { Listener } from "./Listener.ts"

/** Came back on its own port, or could not. */
export type Return = Effect.Effect<void, ListenFailed | StateUnusable>

/**
 * What takes a length of time in milliseconds returns when the gateway is back: fork it to look at the time between.
 * Everything else returns at once and lasts until it is undone.
 */
export interface Control {
  /** Resets every open connection; new ones are taken. */
  readonly drop: Effect.Effect<void>
  /** Nobody listens: connections are reset, new ones refused. Until `accept`. */
  readonly refuse: Effect.Effect<void>
  readonly accept: Effect.Effect<void, ListenFailed>
  /** `refuse`, and `accept` after so long. The process lives on: same boot. */
  readonly dropFor: (ms: number) => Effect.Effect<void, ListenFailed>
  /** Cuts the WebSockets and refuses new ones with 503, while HTTP stays healthy. */
  readonly refuseSessions: Effect.Effect<void>
  readonly acceptSessions: Effect.Effect<void>
  /** HTTP says 503 to everything, while WebSockets live on. */
  readonly failHttp: Effect.Effect<void>
  /** HTTP requests are reset unanswered, while WebSockets live on. */
  readonly resetHttp: Effect.Effect<void>
  readonly healHttp: Effect.Effect<void>
  /**
   * A frozen process: connections open and nothing is read or said on any, pongs included. What it has read but not yet
   * committed (see `delayCommit`), and what arrives meanwhile, is committed after the thaw; its replies go nowhere.
   */
  readonly hang: Effect.Effect<void>
  readonly thaw: Effect.Effect<void>
  /** The next `count` rows are committed, and their connections reset in place of a reply. */
  readonly loseReplies: (count: number) => Effect.Effect<void>
  /** The next `count` tool calls are done and answered with this status (500) in place of their result. */
  readonly failTools: (count: number, status?: number) => Effect.Effect<void>
  /** The next `count` tool calls are done, and their connections reset in place of a reply. */
  readonly loseTools: (count: number) => Effect.Effect<void>
  /** Every row is committed so long after its frame was read. 0 ends it. */
  readonly delayCommit: (ms: number) => Effect.Effect<void>
  /**
   * A planned restart: for `drainingMs` (250) `/readyz` and every request say so, then `shutdown`, close 1012, down for
   * `downMs`, and a new boot. What is still uncommitted by then is lost.
   */
  readonly drain: (downMs: number, drainingMs?: number) => Return
  /** The process is killed, and a new one is there after so long. Ends a hang. */
  readonly restart: (downMs: number) => Return
  /** The process is killed, and the new one takes so long to get ready: it listens, and turns sessions away with 1013. */
  readonly starting: (ms: number) => Return
}

interface Parts {
  readonly condition: Condition
  readonly listener: Listener
  readonly clients: ReadonlySet<Client>
  /** Forgets what is in memory and reads what is on disk, under a new boot id. */
  readonly boot: Effect.Effect<void, StateUnusable>
}

export const makeControl = ({ condition, listener, clients, boot }: Parts): Control => {
  const set = (change: Partial<Condition>) =>
    Effect.sync(() => {
      Object.assign(condition, change)
    })
  const lives = Semaphore.makeUnsafe(1) // One life of the process ends before the next.
  // While nobody listens, the system may lend the port to an outgoing connection for a moment.
  const comeBack = Effect.retry(listener.open, Schedule.spaced("50 millis").pipe(Schedule.upTo({ times: 40 })))
  const thaw = Effect.andThen(listener.thaw, condition.thawed.open)

  const reboot = (downMs: number, phase: Condition["phase"]): Return =>
    Effect.gen(function* () {
      yield* listener.shut
      yield* boot // Before the thaw: a killed process commits nothing of what it had read.
      yield* thaw
      yield* Effect.sleep(downMs)
      yield* set({ phase })
      yield* comeBack
    })

  const sayGoodbye = Effect.gen(function* () {
    for (const client of clients) {
      if (client.scopes !== undefined) client.tell("shutdown", { reason: "gateway restarting", restartExpectedMs: 1_500 })
    }
    yield* Effect.sleep(25)
    for (const client of clients) client.close(closeCodes.restart, "service restart")
    // A reset right behind a close frame could overtake it.
    yield* Effect.sleep(5).pipe(Effect.repeat({ until: () => clients.size === 0 }), Effect.timeoutOption(goodbyeMaxMs))
  })

  return {
    drop: listener.reset,
    refuse: listener.shut,
    accept: comeBack,
    dropFor: (ms) => Effect.andThen(Effect.andThen(listener.shut, Effect.sleep(ms)), comeBack),
    refuseSessions: Effect.sync(() => {
      condition.sessions = "refused"
      for (const client of clients) client.reset()
    }),
    acceptSessions: set({ sessions: "accepted" }),
    failHttp: set({ http: "failing" }),
    resetHttp: set({ http: "resetting" }),
    healHttp: set({ http: "healthy" }),
    hang: Effect.andThen(condition.thawed.close, listener.freeze),
    thaw: Effect.asVoid(thaw),
    loseReplies: (count) => set({ repliesToLose: count }),
    failTools: (count, status = 500) => set({ toolReplies: Array.from({ length: count }, () => status) }),
    loseTools: (count) => set({ toolReplies: Array.from({ length: count }, () => "lost" as const) }),
    delayCommit: (ms) => set({ commitDelayMs: ms }),
    drain: (downMs, drainingMs = 250) =>
      lives.withPermit(
        Effect.gen(function* () {
          yield* condition.thawed.await // A frozen process does not hear that it should stop.
          yield* set({ phase: "draining" })
          yield* Effect.sleep(drainingMs)
          yield* sayGoodbye
          yield* reboot(downMs, "live")
        })
      ),
    restart: (downMs) => lives.withPermit(reboot(downMs, "live")),
    starting: (ms) =>
      lives.withPermit(
        Effect.gen(function* () {
          yield* reboot(0, "starting")
          yield* Effect.sleep(ms)
          yield* set({ phase: "live" })
        })
      )
  }
}

/** How long a client may take to answer a close frame. */
const goodbyeMaxMs = 500
