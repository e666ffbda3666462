/** The session: one WebSocket to the gateway, kept up. Says whether it can be used, and if not, why. */
import { assign, enqueueActions, sendParent, setup } from "xstate"
import type { LinkCode } from "../domain/LinkProblem.ts"
import { backoffMs, type Distance, rejectedMs, retryAfterMax } from "../domain/policies/backoff.ts"
import { dwellMs, withLoss } from "../domain/policies/flapping.ts"
import { port } from "./port.ts"

/** Why a part of the link is down. */
export type LostReason =
  | "refused"
  | "reset"
  | "silent"
  | "restarting"
  | "draining"
  | "starting"
  | "limited"
  | "unauthorized"
  | "wrongProtocol"
  | "untrusted"
  | "notAGateway"
  | "closed"
  | "notConfigured"

/** How a connection, or the try to make one, came to its end. Ends are values: nothing about them is exceptional. */
export interface ConnectionEnd {
  readonly reason: LostReason
  /** For people; never holds a secret. */
  readonly detail: string
  /** What is wrong, where it has a name. */
  readonly problem?: LinkCode | undefined
  readonly atMs: number
  /** Whether it had got as far as hello. */
  readonly opened: boolean
  /** The peer's wish, a lower bound. */
  readonly retryAfterMs?: number | undefined
  /** A number from 0 to 1, drawn where chance may be drawn. */
  readonly chance: number
  readonly distance: Distance
}

export type SessionEvent =
  | { readonly type: "connection.opened"; readonly bootId: string; readonly atMs: number }
  /** An answer is overdue and not yet given up on; answers come in time again. */
  | { readonly type: "connection.slow" }
  | { readonly type: "connection.prompt" }

/** What the session tells its parent. */
export type SessionReport =
  | { readonly type: "session.up"; readonly bootId: string }
  | { readonly type: "session.lost"; readonly reason: LostReason }

export interface SessionContext {
  /** Ends in a row without being up in between. */
  readonly failures: number
  /** When opened connections were lost, of late. */
  readonly losses: ReadonlyArray<number>
  readonly bootId: string | undefined
  /** How long the present connection has to hold. */
  readonly dwellMs: number
  /** The latest end, and what the parent was last told. */
  readonly end: ConnectionEnd | undefined
  readonly told: LostReason | "up" | undefined
}

export const sessionMachine = setup({
  types: {
    context: {} as SessionContext,
    events: {} as SessionEvent,
    meta: {} as { readonly guarantee: string },
    tags: {} as "operational" | "degraded" | "stopped"
  },
  actors: {
    /** Dials, greets, sends back `connection.opened`, and reads until the end, which is its output. The socket is closed by then. */
    connection: port<ConnectionEnd>("connection"),
    /** Done when this machine is in another network than at its start. Never for a peer that is on this machine, or that has asked for time. */
    network: port<void, ConnectionEnd | undefined>("network")
  },
  guards: {
    isFlapping: ({ context }, atMs: number) => dwellMs(context.losses, atMs) > 0,
    isRejected: (_, end: ConnectionEnd) => end.reason === "unauthorized" || end.reason === "wrongProtocol"
  },
  actions: {
    rememberPeer: assign(({ context }, { bootId, atMs }: { readonly bootId: string; readonly atMs: number }) => ({
      bootId,
      dwellMs: dwellMs(context.losses, atMs)
    })),
    rememberEnd: assign(({ context }, end: ConnectionEnd) => ({
      end,
      bootId: undefined,
      failures: context.failures + 1,
      losses: end.opened ? withLoss(context.losses, end.atMs) : context.losses
    })),
    reportUp: enqueueActions(({ enqueue, context }) => {
      enqueue.assign({ failures: 0, told: "up" })
      enqueue(sendParent({ type: "session.up", bootId: context.bootId! } satisfies SessionReport))
    }),
    /** Once for each change of reason: a gateway that is down for hours is one fact, not ten thousand. */
    reportLost: enqueueActions(({ enqueue, context }, end: ConnectionEnd) => {
      if (context.told === end.reason) return
      enqueue.assign({ told: end.reason })
      enqueue(sendParent({ type: "session.lost", reason: end.reason } satisfies SessionReport))
    })
  },
  delays: {
    dwell: ({ context }) => context.dwellMs,
    backoff: ({ context: { end, failures } }) =>
      backoffMs(
        end?.distance ?? "remote",
        failures,
        end?.chance ?? 0,
        end?.retryAfterMs,
        retryAfterMax[end?.reason === "limited" ? "limited" : "other"]
      ),
    aMinute: rejectedMs
  }
}).createMachine({
  id: "session",
  meta: { guarantee: "At most one socket at a time; a loss is told once for each reason; a refusal is tried again once a minute." },
  initial: "connection",
  context: { failures: 0, losses: [], bootId: undefined, dwellMs: 0, end: undefined, told: undefined },
  states: {
    // One actor from dialing to the end owns the socket: the next one cannot begin before the old socket is closed.
    connection: {
      initial: "connecting",
      invoke: {
        id: "connection",
        src: "connection",
        onDone: [
          {
            guard: { type: "isRejected", params: ({ event }) => event.output },
            target: "rejected",
            actions: [
              { type: "rememberEnd", params: ({ event }) => event.output },
              { type: "reportLost", params: ({ event }) => event.output }
            ]
          },
          {
            target: "waiting",
            actions: [
              { type: "rememberEnd", params: ({ event }) => event.output },
              { type: "reportLost", params: ({ event }) => event.output }
            ]
          }
        ]
      },
      states: {
        connecting: {
          tags: ["degraded"],
          on: {
            "connection.opened": [
              {
                guard: { type: "isFlapping", params: ({ event }) => event.atMs },
                target: "steadying",
                actions: { type: "rememberPeer", params: ({ event }) => event }
              },
              { target: "up", actions: { type: "rememberPeer", params: ({ event }) => event } }
            ]
          }
        },
        /** Connected, but it has come and gone too often to be believed yet. */
        steadying: { tags: ["degraded"], after: { dwell: "up" } },
        up: {
          tags: ["operational"],
          entry: "reportUp",
          initial: "prompt",
          states: {
            prompt: { on: { "connection.slow": "slow" } },
            /** Late is not lost: calls are still made, and only silence to the end of the deadline is an outage. */
            slow: { on: { "connection.prompt": "prompt" } }
          }
        }
      }
    },
    /** For the next try, or for another network: what was out of reach in the last one may be there in this one. */
    waiting: {
      tags: ["degraded"],
      after: { backoff: "connection" },
      invoke: { src: "network", input: ({ context: { end } }) => end, onDone: "connection" }
    },
    /** Only a person can cure this: hammering would only fill the other side's log. */
    rejected: { tags: ["degraded"], after: { aMinute: "connection" } }
  }
})
