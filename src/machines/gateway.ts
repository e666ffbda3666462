/** The gateway: the HTTP core, asked again and again whether it is ready. */
import { assign, enqueueActions, sendParent, setup } from "xstate"
import type { LinkCode } from "../domain/LinkProblem.ts"
import type { Distance } from "../domain/policies/backoff.ts"
import { port } from "./port.ts"
import type { LostReason } from "./session.ts"

/** What one probe found. An answer is proof; silence is only a suspicion. */
export type Probe =
  /** `late`: an answer that took so long that the gateway is slow. */
  | { readonly _tag: "Ready"; readonly late?: boolean }
  | {
      readonly _tag: "Failing"
      readonly reason: LostReason
      /** For people; never holds a secret. */
      readonly detail: string
      /** What is wrong, where it has a name. */
      readonly problem?: LinkCode | undefined
      /** A number from 0 to 1, drawn where chance may be drawn. */
      readonly chance: number
      readonly distance: Distance
    }
type Failing = Extract<Probe, { readonly _tag: "Failing" }>

/** The session has come or gone: what was last found here may no longer hold, so it is asked for at once. */
export type GatewayEvent = { readonly type: "gateway.doubted" }

/** What the gateway tells its parent. */
export type GatewayReport = { readonly type: "gateway.up" } | { readonly type: "gateway.lost"; readonly reason: LostReason }

/** How long after an answer the next question comes: drawn between once and twice this while it is down. */
export const askAgainMs = { up: 2_000, down: { loopback: 350, remote: 7_000 } } as const

export const gatewayMachine = setup({
  types: {
    context: {} as { readonly failing: Failing | undefined; readonly told: LostReason | "up" | undefined },
    events: {} as GatewayEvent,
    meta: {} as { readonly guarantee: string },
    tags: {} as "operational" | "degraded" | "stopped"
  },
  actors: {
    /** One question, answered within its deadline. */
    probe: port<Probe>("probe")
  },
  guards: {
    isReady: (_, probe: Probe) => probe._tag === "Ready",
    isPrompt: (_, probe: Probe) => probe._tag === "Ready" && probe.late !== true,
    isSilent: (_, probe: Probe) => probe._tag === "Failing" && probe.reason === "silent"
  },
  actions: {
    remember: assign((_, probe: Probe) => ({ failing: probe._tag === "Failing" ? probe : undefined })),
    reportUp: enqueueActions(({ enqueue }) => {
      enqueue.assign({ told: "up", failing: undefined })
      enqueue(sendParent({ type: "gateway.up" } satisfies GatewayReport))
    }),
    /** Once for each change of reason. */
    reportLost: enqueueActions(({ enqueue, context }) => {
      const reason = context.failing?.reason ?? "silent"
      if (context.told === reason) return
      enqueue.assign({ told: reason })
      enqueue(sendParent({ type: "gateway.lost", reason } satisfies GatewayReport))
    })
  },
  delays: {
    whileUp: askAgainMs.up,
    whileDown: ({ context: { failing } }) => Math.round(askAgainMs.down[failing?.distance ?? "remote"] * (1 + (failing?.chance ?? 0)))
  }
}).createMachine({
  id: "gateway",
  meta: { guarantee: "Ready is what the body of /readyz says; one silence is slowness, a second one an outage." },
  initial: "probing",
  context: { failing: undefined, told: undefined },
  states: {
    /** Nothing is known yet. */
    probing: {
      tags: ["degraded"],
      invoke: {
        src: "probe",
        onDone: [
          { guard: { type: "isReady", params: ({ event }) => event.output }, target: "up" },
          { target: "down", actions: { type: "remember", params: ({ event }) => event.output } }
        ]
      }
    },
    up: {
      tags: ["operational"],
      entry: "reportUp",
      initial: "resting",
      states: {
        resting: { after: { whileUp: "asking" }, on: { "gateway.doubted": "asking" } },
        asking: {
          invoke: {
            src: "probe",
            onDone: [
              { guard: { type: "isPrompt", params: ({ event }) => event.output }, target: "resting" },
              { guard: { type: "isReady", params: ({ event }) => event.output }, target: "slow" },
              { guard: { type: "isSilent", params: ({ event }) => event.output }, target: "slow.suspecting" },
              { target: "#gateway.down", actions: { type: "remember", params: ({ event }) => event.output } }
            ]
          }
        },
        /** A late answer may be a busy event loop, and so may one silence. */
        slow: {
          initial: "resting",
          states: {
            resting: { after: { whileUp: "asking" }, on: { "gateway.doubted": "asking" } },
            asking: {
              invoke: {
                src: "probe",
                onDone: [
                  { guard: { type: "isPrompt", params: ({ event }) => event.output }, target: "#gateway.up.resting" },
                  { guard: { type: "isReady", params: ({ event }) => event.output }, target: "resting" },
                  { guard: { type: "isSilent", params: ({ event }) => event.output }, target: "suspecting" },
                  { target: "#gateway.down", actions: { type: "remember", params: ({ event }) => event.output } }
                ]
              }
            },
            /** A second silence right after the first one is an outage. */
            suspecting: {
              invoke: {
                src: "probe",
                onDone: [
                  { guard: { type: "isPrompt", params: ({ event }) => event.output }, target: "#gateway.up.resting" },
                  { guard: { type: "isReady", params: ({ event }) => event.output }, target: "resting" },
                  { target: "#gateway.down", actions: { type: "remember", params: ({ event }) => event.output } }
                ]
              }
            }
          }
        }
      }
    },
    down: {
      tags: ["degraded"],
      initial: "resting",
      states: {
        resting: { entry: "reportLost", after: { whileDown: "asking" }, on: { "gateway.doubted": "asking" } },
        asking: {
          invoke: {
            src: "probe",
            onDone: [
              { guard: { type: "isReady", params: ({ event }) => event.output }, target: "#gateway.up" },
              { target: "resting", actions: { type: "remember", params: ({ event }) => event.output } }
            ]
          }
        }
      }
    }
  }
})
