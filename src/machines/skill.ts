/** One skill: which of its slots become runs, and the run under way. */
import { assign, forwardTo, setup } from "xstate"
import { port } from "./port.ts"
import { type RunInput, runMachine } from "./run.ts"

export interface SkillInput {
  readonly name: string
  /** Runs that the last runtime left without an outcome, oldest first. */
  readonly unsettled: ReadonlyArray<RunInput>
  readonly gate: Gate
}

/** Whether this skill may start work now; if not, why, and what becomes of runs that are claimed already. */
export type Gate = { readonly open: true } | ({ readonly open: false } & Closed)
export interface Closed {
  readonly reason: string
  /** Only slots wait: so it is in a pause, in which runs can be asked for by hand. Else claimed runs wait as well. */
  readonly claimed?: "start"
}

/** Why slots are looked at: one fell due, or the skill could not look at them until now. */
export type Cause = "due" | "started" | "released"

export interface SkillContext {
  readonly name: string
  readonly gate: Gate
  readonly cause: Cause
  /** Why slots waited, to be put on their records. */
  readonly heldFor: string | undefined
  /** Claimed runs in the order of their slots. The first is the one under way; it leaves when it is settled. */
  readonly runs: ReadonlyArray<RunInput>
}

export type SkillEvent =
  | { readonly type: "slot.due" }
  | { readonly type: "gate.opened" }
  | ({ readonly type: "gate.closed" } & Closed)
  /** A run asked for by hand, already claimed; or one that was parked, already released. */
  | { readonly type: "run.claimed"; readonly run: RunInput }
  | { readonly type: "run.cancel"; readonly by: string }

export const skillMachine = setup({
  types: {
    input: {} as SkillInput,
    context: {} as SkillContext,
    events: {} as SkillEvent,
    meta: {} as { readonly guarantee: string },
    tags: {} as "operational" | "degraded" | "stopped"
  },
  actors: {
    /** Sends back `slot.due` when the next slot is. */
    nextSlot: port<void>("nextSlot"),
    /** Settles every slot owed until now, and claims runs for those that get one. */
    decide: port<
      ReadonlyArray<RunInput>,
      {
        readonly cause: Cause
        readonly heldFor: string | undefined
        readonly busyWith: string | undefined
      }
    >("decide"),
    run: runMachine
  },
  guards: {
    gateOpen: ({ context }) => context.gate.open,
    mayWork: ({ context: { gate, runs } }) => runs.length > 0 && (gate.open || gate.claimed === "start")
  },
  actions: {
    openGate: assign({ gate: { open: true } }),
    closeGate: assign({ gate: (_, closed: Closed) => ({ open: false, ...closed }) }),
    noteDue: assign({ cause: "due" }),
    noteReleased: assign({ cause: "released" }),
    noteHeld: assign({ heldFor: ({ context }) => (context.gate.open ? undefined : context.gate.reason) }),
    forgetHeld: assign({ heldFor: undefined }),
    addRuns: assign({ runs: ({ context }, runs: ReadonlyArray<RunInput>) => [...context.runs, ...runs] }),
    dropRun: assign({ runs: ({ context }) => context.runs.slice(1) }),
    cancelRun: forwardTo("run")
  }
}).createMachine({
  id: "skill",
  meta: { guarantee: "Every slot that it owes is claimed or settled in one durable batch, and at most one run of it is under way." },
  context: ({ input }) => ({ name: input.name, gate: input.gate, cause: "started", heldFor: undefined, runs: input.unsettled }),
  type: "parallel",
  on: {
    "gate.opened": { actions: "openGate" },
    "gate.closed": { actions: { type: "closeGate", params: ({ event: { type: _, ...closed } }) => closed } },
    "run.claimed": { actions: { type: "addRuns", params: ({ event }) => [event.run] } }
  },
  states: {
    slots: {
      initial: "arriving",
      states: {
        /** Slots may have been missed while no runtime was there. */
        arriving: { always: [{ guard: "gateOpen", target: "deciding" }, { target: "held" }] },
        waiting: {
          tags: "operational",
          invoke: { src: "nextSlot" },
          on: {
            "slot.due": [{ guard: "gateOpen", target: "deciding", actions: "noteDue" }, { target: "held" }]
          }
        },
        /** A slot is due and may not start: it waits, with the reason, and is owed until the gate opens. */
        held: {
          tags: "degraded",
          entry: "noteHeld",
          on: {
            "gate.opened": { target: "deciding", actions: ["openGate", "noteReleased"] },
            "gate.closed": {
              target: "held",
              reenter: true,
              actions: { type: "closeGate", params: ({ event: { type: _, ...closed } }) => closed }
            }
          }
        },
        deciding: {
          tags: "operational",
          invoke: {
            src: "decide",
            input: ({ context }) => ({ cause: context.cause, heldFor: context.heldFor, busyWith: runUnderWay(context) }),
            onDone: { target: "waiting", actions: [{ type: "addRuns", params: ({ event }) => event.output }, "forgetHeld"] }
          }
        }
      }
    },
    work: {
      initial: "idle",
      states: {
        idle: { tags: "operational", always: { guard: "mayWork", target: "executing" } },
        /** Nothing about the gate is looked at here: a run that has started goes on. */
        executing: {
          tags: "operational",
          invoke: {
            id: "run",
            src: "run",
            input: ({ context }) => context.runs[0]!,
            onDone: { target: "idle", actions: "dropRun" }
          },
          on: { "run.cancel": { actions: "cancelRun" } }
        }
      }
    }
  }
})

/** The name of the run under way, if there is one. */
export const runUnderWay = (context: SkillContext): string | undefined => context.runs[0]?.run
export type { RunInput }
