/**
 * The map: everything the system can be doing, on one page.
 *
 * `supervisor`, which owns every skill, is invoked on `operating`. No event of `session`, `gateway`, `outbox` or `link`
 * exits that node, so nothing that happens to the link can stop a skill. The promise of each mode is in `guarantees.ts`.
 */
import { assign, raise, sendTo, setup, type SnapshotFrom } from "xstate"
import { stableAfterMs } from "../domain/policies/intensity.ts"
import { gatewayMachine } from "./gateway.ts"
import { type Mode, promise } from "./guarantees.ts"
import { outboxMachine } from "./outbox.ts"
import { port } from "./port.ts"
import { type LostReason, sessionMachine } from "./session.ts"

export interface RuntimeInput {
  /** Whether a gateway is configured. Without one the mode is `standalone`. */
  readonly linked: boolean
  /** Start without firing anything, for a look around. */
  readonly hold: boolean
  /** How long running skills may take to finish once the runtime was asked to stop. */
  readonly drainDeadlineMs: number
}

export interface RuntimeContext extends RuntimeInput {
  /** Why each part of the link is down; nothing when it is up. */
  readonly session: LostReason | undefined
  readonly gateway: LostReason | undefined
  /** Which boot of the gateway the session speaks to; another one means that its process was replaced. */
  readonly bootId: string | undefined
  /** What is wrong with the starts before this one, while nothing fires for it. */
  readonly restarts: string | undefined
  /** Why storage is blocked. */
  readonly storage: string | undefined
  /** How the runtime ended; `stopped` until something failed. */
  readonly end: RuntimeEnd
}

/** What a start finds. */
export interface Recovered {
  /** Set where this start is one too many after too short a time. */
  readonly restarts: string | undefined
}

export interface RuntimeEnd {
  readonly mode: "stopped" | "failed"
  readonly reason: string
}

export type RuntimeEvent =
  | { readonly type: "session.up"; readonly bootId: string }
  | { readonly type: "session.lost"; readonly reason: LostReason }
  | { readonly type: "gateway.up" }
  | { readonly type: "gateway.lost"; readonly reason: LostReason }
  | { readonly type: "outbox.caughtUp" }
  | { readonly type: "resync.started" }
  | { readonly type: "storage.writable" }
  | { readonly type: "storage.blocked"; readonly reason: string }
  | { readonly type: "storage.failed"; readonly reason: string }
  | { readonly type: "intake.release" }
  | { readonly type: "runtime.drain" }
  | { readonly type: "runtime.stop" }

export const runtimeMachine = setup({
  types: {
    input: {} as RuntimeInput,
    context: {} as RuntimeContext,
    events: {} as RuntimeEvent,
    output: {} as RuntimeEnd,
    tags: {} as "operational" | "degraded" | "stopped"
  },
  actors: {
    /** Puts the start on record, adopts the skills, and ends what the last runtime left running. */
    recover: port<Recovered>("recover"),
    /** Owns every skill actor in its scope. */
    supervisor: port<void>("supervisor"),
    /** Tells `storage.*` events as the disk's condition changes. */
    storage: port<void>("storage"),
    /** Done when no attempt is under way any more. */
    drain: port<void>("drain"),
    session: sessionMachine,
    gateway: gatewayMachine,
    outbox: outboxMachine
  },
  guards: {
    isLinked: ({ context }) => context.linked,
    isOpen: ({ context }) => !context.hold,
    stays: ({ context }) => context.restarts === undefined
  },
  actions: {
    noteSessionUp: assign({ session: undefined, bootId: (_, bootId: string) => bootId }),
    noteSessionLost: assign({ session: (_, reason: LostReason) => reason, bootId: undefined }),
    noteGatewayUp: assign({ gateway: undefined }),
    noteGatewayLost: assign({ gateway: (_, reason: LostReason) => reason }),
    noteRestarts: assign({ restarts: (_, { restarts }: Recovered) => restarts }),
    noteStay: assign({ restarts: undefined }),
    noteBlocked: assign({ storage: (_, reason: string) => reason }),
    noteWritable: assign({ storage: undefined }),
    noteFailure: assign({ end: (_, reason: string) => ({ mode: "failed", reason }) }),
    /** A defect of the session's actor is a lost session, whatever the actor last said. */
    loseSession: raise({ type: "session.lost", reason: "closed" }),
    loseGateway: raise({ type: "gateway.lost", reason: "closed" }),
    /** What takes the one often takes the other, and brings it back. */
    doubtGateway: sendTo("gateway", { type: "gateway.doubted" }),
    tellOutboxUp: sendTo("outbox", (_, bootId: string) => ({ type: "session.up", bootId })),
    tellOutboxLost: sendTo("outbox", { type: "session.lost" }),
    tellOutboxResync: sendTo("outbox", { type: "resync.started" }),
    startResync: raise({ type: "resync.started" })
  },
  delays: {
    /** Before a part that failed by a defect is started again. */
    restartDelay: 1_000,
    stableAfter: stableAfterMs,
    drainDeadline: ({ context }) => context.drainDeadlineMs
  }
}).createMachine({
  id: "runtime",
  context: ({ input }) => ({
    ...input,
    session: input.linked ? "closed" : "notConfigured",
    gateway: input.linked ? "closed" : "notConfigured",
    bootId: undefined,
    restarts: undefined,
    storage: undefined,
    end: { mode: "stopped", reason: "asked to" }
  }),
  output: ({ context }) => context.end,
  initial: "starting",
  states: {
    starting: {
      meta: promise("starting"),
      invoke: {
        src: "recover",
        onDone: { target: "operating", actions: { type: "noteRestarts", params: ({ event }) => event.output } },
        onError: { target: "failed", actions: { type: "noteFailure", params: ({ event }) => String(event.error) } }
      },
      on: { "runtime.stop": "stopped", "runtime.drain": "stopped" }
    },

    operating: {
      invoke: {
        id: "supervisor",
        src: "supervisor",
        onError: { target: "failed", actions: { type: "noteFailure", params: ({ event }) => String(event.error) } }
      },
      on: {
        "runtime.stop": "stopped",
        "storage.failed": { target: "failed", actions: { type: "noteFailure", params: ({ event }) => event.reason } }
      },
      type: "parallel",
      states: {
        session: {
          on: {
            "session.up": { actions: { type: "noteSessionUp", params: ({ event }) => event.bootId } },
            "session.lost": { actions: { type: "noteSessionLost", params: ({ event }) => event.reason } }
          },
          initial: "absent",
          states: {
            absent: { always: { guard: "isLinked", target: "running" } },
            running: { invoke: { id: "session", src: "session", onError: { target: "restarting", actions: "loseSession" } } },
            restarting: { after: { restartDelay: "running" } }
          }
        },
        gateway: {
          on: {
            "gateway.up": { actions: "noteGatewayUp" },
            "gateway.lost": { actions: { type: "noteGatewayLost", params: ({ event }) => event.reason } }
          },
          initial: "absent",
          states: {
            absent: { always: { guard: "isLinked", target: "running" } },
            running: {
              invoke: { id: "gateway", src: "gateway", onError: { target: "restarting", actions: "loseGateway" } },
              on: { "session.up": { actions: "doubtGateway" }, "session.lost": { actions: "doubtGateway" } }
            },
            restarting: { after: { restartDelay: "running" } }
          }
        },
        outbox: {
          initial: "absent",
          states: {
            absent: { always: { guard: "isLinked", target: "running" } },
            running: {
              invoke: { id: "outbox", src: "outbox", input: ({ context }) => ({ bootId: context.bootId }), onError: "restarting" },
              on: {
                "session.up": { actions: { type: "tellOutboxUp", params: ({ event }) => event.bootId } },
                "session.lost": { actions: "tellOutboxLost" },
                "resync.started": { actions: "tellOutboxResync" }
              }
            },
            restarting: { after: { restartDelay: "running" } }
          }
        },

        link: {
          initial: "standalone",
          states: {
            standalone: {
              tags: "operational",
              meta: promise("standalone"),
              always: { guard: "isLinked", target: "degraded" }
            },
            degraded: {
              tags: "degraded",
              initial: "partitioned",
              states: {
                partitioned: {
                  meta: promise("degraded.partitioned"),
                  on: { "session.up": "gatewayLost", "gateway.up": "sessionLost" }
                },
                sessionLost: {
                  meta: promise("degraded.sessionLost"),
                  on: { "session.up": "#runtime.operating.link.resyncing", "gateway.lost": "partitioned" }
                },
                gatewayLost: {
                  meta: promise("degraded.gatewayLost"),
                  on: { "gateway.up": "#runtime.operating.link.resyncing", "session.lost": "partitioned" }
                }
              }
            },
            resyncing: {
              tags: "operational",
              meta: promise("resyncing"),
              entry: "startResync",
              on: { "outbox.caughtUp": "connected", "session.lost": "degraded.sessionLost", "gateway.lost": "degraded.gatewayLost" }
            },
            connected: {
              tags: "operational",
              meta: promise("connected"),
              on: { "session.lost": "degraded.sessionLost", "gateway.lost": "degraded.gatewayLost" }
            }
          }
        },

        intake: {
          initial: "held",
          states: {
            held: {
              meta: promise("held"),
              on: { "intake.release": "open", "runtime.drain": "draining" },
              initial: "asked",
              states: {
                asked: { always: { guard: "isOpen", target: "looping" } },
                /** Starts follow on each other too fast: to fire now might be what ends this one too. Over once it has stayed. */
                looping: {
                  always: { guard: "stays", target: "#runtime.operating.intake.open" },
                  after: { stableAfter: "#runtime.operating.intake.open" },
                  exit: "noteStay"
                }
              }
            },
            open: { on: { "runtime.drain": "draining" } },
            draining: {
              meta: promise("draining"),
              invoke: { src: "drain", onDone: "#runtime.stopped", onError: "#runtime.stopped" },
              after: { drainDeadline: "#runtime.stopped" }
            }
          }
        },

        storage: {
          invoke: { src: "storage" },
          initial: "writable",
          states: {
            writable: {
              on: { "storage.blocked": { target: "blocked", actions: { type: "noteBlocked", params: ({ event }) => event.reason } } }
            },
            blocked: {
              meta: promise("blocked"),
              on: { "storage.writable": { target: "writable", actions: "noteWritable" } }
            }
          }
        }
      }
    },

    stopped: { type: "final", tags: "stopped", meta: promise("stopped") },
    /** A start after this is the same as a start after a crash. */
    failed: { type: "final", tags: "stopped", meta: promise("failed") }
  }
})

export type RuntimeSnapshot = SnapshotFrom<typeof runtimeMachine>

/** The one word for what a runtime is doing. */
export const modeOf = (snapshot: RuntimeSnapshot): Mode => {
  if (snapshot.matches("failed")) return "failed"
  if (snapshot.matches("stopped")) return "stopped"
  if (snapshot.matches("starting")) return "starting"
  if (snapshot.matches({ operating: { intake: "draining" } })) return "draining"
  if (snapshot.matches({ operating: { storage: "blocked" } })) return "blocked"
  if (snapshot.matches({ operating: { intake: "held" } })) return "held"
  return linkOf(snapshot)
}

/** What the link is doing, whatever else the runtime is. */
export const linkOf = (snapshot: RuntimeSnapshot): Mode =>
  linkModes.find(([value]) => snapshot.matches({ operating: { link: value } }))?.[1] ?? "standalone"

const linkModes = [
  ["connected", "connected"],
  ["resyncing", "resyncing"],
  [{ degraded: "sessionLost" }, "degraded.sessionLost"],
  [{ degraded: "gatewayLost" }, "degraded.gatewayLost"],
  [{ degraded: "partitioned" }, "degraded.partitioned"],
  ["standalone", "standalone"]
] as const
