/** The circuit around calls to the gateway: one that fails again and again is left alone for a while, then tried by one call. */
import { assign, setup, type SnapshotFrom } from "xstate"

/** So many failures in a row open it. */
export const circuitFailuresMax = 5
/** How long it stays open before one call may try. */
export const circuitRestMs = 5_000

/** What becomes of calls; `call` tells them apart, since those from before it opened may end at any time. */
export type CircuitEvent =
  | { readonly type: "call.begun"; readonly call: number }
  /** The gateway answered, be it with a refusal. */
  | { readonly type: "call.answered"; readonly call: number }
  | { readonly type: "call.failed"; readonly call: number }
  /** Nobody waits for it any more: it shows nothing. */
  | { readonly type: "call.abandoned"; readonly call: number }

export const circuitMachine = setup({
  types: {
    context: {} as {
      /** In a row. */
      readonly failures: number
      /** The call that tries whether the gateway works again. */
      readonly trial: number | undefined
    },
    events: {} as CircuitEvent,
    meta: {} as { readonly guarantee: string },
    tags: {} as "operational" | "degraded" | "stopped"
  },
  guards: {
    isLast: ({ context }) => context.failures + 1 >= circuitFailuresMax,
    isTrial: ({ context }, call: number) => call === context.trial
  },
  actions: {
    count: assign({ failures: ({ context }) => context.failures + 1 }),
    forget: assign({ failures: 0 }),
    noteTrial: assign({ trial: (_, call: number) => call })
  },
  delays: { rest: circuitRestMs }
}).createMachine({
  id: "circuit",
  meta: { guarantee: "While it is open no call leaves us; when it is half open, one does." },
  initial: "closed",
  context: { failures: 0, trial: undefined },
  states: {
    closed: {
      tags: "operational",
      on: {
        "call.answered": { actions: "forget" },
        "call.failed": [{ guard: "isLast", target: "open", actions: "count" }, { actions: "count" }]
      }
    },
    open: { tags: "degraded", after: { rest: "halfOpen" } },
    halfOpen: {
      tags: "degraded",
      initial: "waiting",
      states: {
        waiting: { on: { "call.begun": { target: "trying", actions: { type: "noteTrial", params: ({ event }) => event.call } } } },
        trying: {
          on: {
            "call.answered": {
              guard: { type: "isTrial", params: ({ event }) => event.call },
              target: "#circuit.closed",
              actions: "forget"
            },
            "call.failed": { guard: { type: "isTrial", params: ({ event }) => event.call }, target: "#circuit.open", actions: "count" },
            "call.abandoned": { guard: { type: "isTrial", params: ({ event }) => event.call }, target: "waiting" }
          }
        }
      }
    }
  }
})

export type CircuitSnapshot = SnapshotFrom<typeof circuitMachine>
/** In the words of the field. */
export type CircuitState = "closed" | "open" | "halfOpen"

/** Whether a call may leave now. */
export const admits = (snapshot: CircuitSnapshot): boolean => snapshot.matches("closed") || snapshot.matches({ halfOpen: "waiting" })

export const circuitState = (snapshot: CircuitSnapshot): CircuitState =>
  snapshot.matches("closed") ? "closed" : snapshot.matches("open") ? "open" : "halfOpen"
