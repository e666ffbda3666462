/** The outbox: reports on their way to the session, one after another, each of them once. */
import { assign, sendParent, setup } from "xstate"
import { port } from "./port.ts"

/** What became of the oldest entry. */
export type Delivery =
  /** Nothing waits. */
  | { readonly _tag: "Empty" }
  /** It is acknowledged, or parked with its reason: the next one may go. */
  | { readonly _tag: "Settled"; readonly run: string }
  /** It was sent at least once and nobody knows what became of that. */
  | { readonly _tag: "Ambiguous"; readonly run: string }
  /** The peer said not now, or we could not ask. `absent` when that answer proves that nothing was written. */
  | { readonly _tag: "Postponed"; readonly run: string; readonly absent: boolean; readonly delayMs: number; readonly reason: string }

/** What the transcript said about an ambiguous entry. */
export type Verification =
  /** It stands there and is acknowledged, or it cannot be looked up and is parked. */
  | { readonly _tag: "Settled"; readonly run: string }
  /** It does not stand there, and nothing sent before can bring it there any more. */
  | { readonly _tag: "Absent"; readonly run: string }
  | { readonly _tag: "Postponed"; readonly run: string; readonly delayMs: number; readonly reason: string }

/** What the parent tells the outbox. */
export type OutboxEvent =
  | { readonly type: "session.up"; readonly bootId: string }
  | { readonly type: "session.lost" }
  | { readonly type: "resync.started" }

/** What the outbox tells its parent. */
export type OutboxReport = { readonly type: "outbox.caughtUp" }

export const outboxMachine = setup({
  types: {
    context: {} as {
      /** Of the gateway that the session speaks to; nothing without a session. */
      readonly bootId: string | undefined
      /** The entry that is known not to stand in the transcript: it may be sent again. */
      readonly absent: string | undefined
      /** The entry whose fate is being looked up. */
      readonly questioned: string | undefined
      readonly delayMs: number
      readonly reason: string | undefined
      readonly hookDelayMs: number
    },
    /** `bootId` when the session is up already. */
    input: {} as { readonly bootId: string | undefined },
    events: {} as OutboxEvent,
    meta: {} as { readonly guarantee: string },
    tags: {} as "operational" | "degraded" | "stopped"
  },
  actors: {
    /** Done as soon as an entry waits. */
    arrival: port<void>("arrival"),
    /** Sends the oldest entry, unless its fate has to be looked up first. */
    deliver: port<Delivery, { readonly absent: string | undefined }>("deliver"),
    /** Reads the transcript twice. */
    verify: port<Verification, { readonly run: string }>("verify"),
    /** Done once each entry that waits at its start is acknowledged or parked. */
    catchUp: port<void>("catchUp"),
    /** Done as soon as an entry waits that goes by the gateway's hooks. */
    hookArrival: port<void>("hookArrival"),
    /** Sends the oldest of those. None of them is ever ambiguous: nothing of it can be looked up. */
    deliverHook: port<Delivery>("deliverHook")
  },
  guards: {
    hasSession: ({ context }) => context.bootId !== undefined,
    isEmpty: (_, delivery: Delivery) => delivery._tag === "Empty",
    isAmbiguous: (_, delivery: Delivery) => delivery._tag === "Ambiguous",
    isPostponed: (_, result: Delivery | Verification) => result._tag === "Postponed"
  },
  actions: {
    greet: assign(({ event }) => (event.type === "session.up" ? { bootId: event.bootId, absent: undefined } : {})),
    part: assign({ bootId: undefined }),
    question: assign((_, delivery: Delivery) => ({
      absent: undefined,
      questioned: delivery._tag === "Ambiguous" ? delivery.run : undefined
    })),
    postpone: assign((_, result: Delivery | Verification) =>
      result._tag !== "Postponed"
        ? {}
        : {
            delayMs: result.delayMs,
            reason: result.reason,
            absent: "absent" in result && result.absent ? result.run : undefined
          }
    ),
    postponeHook: assign((_, result: Delivery) => (result._tag === "Postponed" ? { hookDelayMs: result.delayMs } : {})),
    conclude: assign((_, result: Verification) => ({ absent: result._tag === "Absent" ? result.run : undefined })),
    proceed: assign({ absent: undefined, reason: undefined }),
    reportCaughtUp: sendParent({ type: "outbox.caughtUp" } satisfies OutboxReport)
  },
  delays: {
    postponed: ({ context }) => context.delayMs,
    hookPostponed: ({ context }) => context.hookDelayMs
  }
}).createMachine({
  id: "outbox",
  meta: {
    guarantee:
      "Reports go one at a time, in the order in which their runs settled; none is sent again before the transcript was read twice."
  },
  type: "parallel",
  context: ({ input }) => ({
    bootId: input.bootId,
    absent: undefined,
    questioned: undefined,
    delayMs: 0,
    reason: undefined,
    hookDelayMs: 0
  }),
  states: {
    delivery: {
      initial: "waiting",
      on: {
        "session.lost": { target: ".waiting", actions: "part" },
        "session.up": { target: ".delivering", actions: "greet" }
      },
      states: {
        /** No session: entries stay in the journal. */
        waiting: { tags: ["degraded"], always: { guard: "hasSession", target: "delivering" } },
        delivering: {
          tags: ["operational"],
          invoke: {
            src: "deliver",
            input: ({ context: { absent } }) => ({ absent }),
            onDone: [
              { guard: { type: "isEmpty", params: ({ event }) => event.output }, target: "idle", actions: "proceed" },
              {
                guard: { type: "isAmbiguous", params: ({ event }) => event.output },
                target: "verifying",
                actions: { type: "question", params: ({ event }) => event.output }
              },
              {
                guard: { type: "isPostponed", params: ({ event }) => event.output },
                target: "retryable",
                actions: { type: "postpone", params: ({ event }) => event.output }
              },
              { target: "delivering", reenter: true, actions: "proceed" }
            ]
          }
        },
        /** The transcript is read, twice: a frame from before may still be on its way into it. */
        verifying: {
          tags: ["operational"],
          invoke: {
            src: "verify",
            input: ({ context }) => ({ run: context.questioned ?? "" }),
            onDone: [
              {
                guard: { type: "isPostponed", params: ({ event }) => event.output },
                target: "retryable",
                actions: { type: "postpone", params: ({ event }) => event.output }
              },
              { target: "delivering", actions: { type: "conclude", params: ({ event }) => event.output } }
            ]
          }
        },
        retryable: { tags: ["degraded"], after: { postponed: "delivering" } },
        idle: { tags: ["operational"], invoke: { src: "arrival", onDone: "delivering" } }
      }
    },
    /** Over HTTP: no event of the session is one of theirs. */
    hooks: {
      initial: "delivering",
      states: {
        delivering: {
          invoke: {
            src: "deliverHook",
            onDone: [
              { guard: { type: "isEmpty", params: ({ event }) => event.output }, target: "idle" },
              {
                guard: { type: "isPostponed", params: ({ event }) => event.output },
                target: "retryable",
                actions: { type: "postponeHook", params: ({ event }) => event.output }
              },
              { target: "delivering", reenter: true }
            ]
          }
        },
        retryable: { after: { hookPostponed: "delivering" } },
        idle: { invoke: { src: "hookArrival", onDone: "delivering" } }
      }
    },
    resync: {
      initial: "starting",
      on: {
        "resync.started": ".catchingUp",
        "session.lost": ".resting"
      },
      states: {
        /** Started in the middle of a session, the outbox cannot know whether somebody waits for its word. */
        starting: { always: [{ guard: "hasSession", target: "catchingUp" }, { target: "resting" }] },
        resting: {},
        catchingUp: { invoke: { src: "catchUp", onDone: { target: "resting", actions: "reportCaughtUp" } } }
      }
    }
  }
})
