/** One skill: which of its slots become runs, and the runs under way. */
import { assign, type DoneActorEvent, enqueueActions, sendTo, setup } from "xstate"
import { port } from "./port.ts"
import { type RunInput, runMachine, type Settlement } from "./run.ts"

export interface SkillInput {
  readonly name: string
  /** Runs that the last runtime left without an outcome, oldest first. */
  readonly unsettled: ReadonlyArray<RunInput>
  readonly gate: Gate
  /** How many of its runs may be under way at a time. */
  readonly atOnce: number
  readonly aside?: Aside | undefined
}

/** Put aside, since its runs keep failing or it ends the runtime; `probeInMs` from now it may show that it works again. */
export interface Aside {
  readonly reason: string
  readonly probeInMs: number
}

/** Whether this skill may start work now; if not, why, and what becomes of runs that are claimed already. */
export type Gate = { readonly open: true } | ({ readonly open: false } & Closed)
export interface Closed {
  readonly reason: string
  /** Only slots wait: so it is in a pause, in which runs can be asked for by hand. Else claimed runs wait as well. */
  readonly claimed?: "start"
}

/** Claimed runs, and where slots have to wait beyond that: until when, and why. */
export interface Decision {
  readonly runs: ReadonlyArray<RunInput>
  readonly wait?: { readonly untilMs: number; readonly reason: string }
}

/** Why slots are looked at: one fell due, or the skill could not look at them until now. */
export type Cause = "due" | "started" | "released"

export interface SkillContext {
  readonly name: string
  readonly gate: Gate
  readonly cause: Cause
  /** Why slots waited, to be put on their records. */
  readonly heldFor: string | undefined
  /** The instant before which slots that are owed may not become runs. */
  readonly waitUntilMs: number | undefined
  /** Claimed runs in the order of their claims; one leaves when it is settled. */
  readonly runs: ReadonlyArray<RunInput>
  /** While it is put aside, its probe included; `waits` until the probe is due. */
  readonly aside: (Aside & { readonly waits: boolean }) | undefined
  /** Those under way, by name. */
  readonly started: ReadonlyArray<string>
  readonly atOnce: number
}

export type SkillEvent =
  | { readonly type: "slot.due" }
  | { readonly type: "gate.opened" }
  | ({ readonly type: "gate.closed" } & Closed)
  /** A run asked for by hand, already claimed; or one that was parked, already released. */
  | { readonly type: "run.claimed"; readonly run: RunInput }
  /** Ends a run that is under way, or keeps one that waits from starting; both are settled as cancelled. */
  | { readonly type: "run.cancel"; readonly run: string; readonly by: string }
  | ({ readonly type: "skill.quarantined" } & Aside)
  | { readonly type: "skill.released" }
  /** Another definition is about to take the place of its own: none of its slots may be decided meanwhile. */
  | { readonly type: "skill.changing" }
  /** It has, or nothing came of it; its next slot is looked for anew. */
  | { readonly type: "skill.changed"; readonly atOnce: number }
  | DoneActorEvent<Settlement | undefined>

export const skillMachine = setup({
  types: {
    input: {} as SkillInput,
    context: {} as SkillContext,
    events: {} as SkillEvent,
    meta: {} as { readonly guarantee: string },
    tags: {} as "operational" | "degraded" | "stopped"
  },
  actors: {
    /** Sends back `slot.due` when the next slot is, or at the instant until which slots have to wait. */
    nextSlot: port<void, Pick<SkillContext, "waitUntilMs">>("nextSlot"),
    /** Settles the slots owed until now, and claims runs for those that get one; all in one batch, or none while they have to wait. */
    decide: port<
      Decision,
      {
        readonly cause: Cause
        readonly heldFor: string | undefined
        /** The runs that are claimed and not settled, in the order of their claims. */
        readonly runs: ReadonlyArray<string>
        /** At most one run: it is to show whether the skill works again. */
        readonly probe: boolean
      }
    >("decide"),
    run: runMachine
  },
  guards: {
    gateOpen: ({ context }) => reasonToWait(context) === undefined,
    isAside: ({ context }) => context.aside !== undefined,
    mayStart: ({ context }) => startable(context).length > 0,
    mustWait: (_, { wait }: Decision) => wait !== undefined,
    isIdle: ({ context }) => context.started.length === 0,
    isWaiting: ({ context }, run: string) => context.runs.some((one) => one.run === run) && !context.started.includes(run),
    isUnderWay: ({ context }, run: string) => context.started.includes(run)
  },
  actions: {
    openGate: assign({ gate: { open: true } }),
    closeGate: assign({ gate: (_, closed: Closed) => ({ open: false, ...closed }) }),
    noteDue: assign({ cause: "due" }),
    noteReleased: assign({ cause: "released" }),
    noteHeld: assign({ heldFor: ({ context }) => reasonToWait(context) }),
    putAside: assign({ aside: (_, { reason, probeInMs }: Aside) => ({ reason, probeInMs, waits: true }) }),
    permitProbe: assign({ aside: ({ context: { aside } }) => aside && { ...aside, waits: false } }),
    trust: assign({ aside: undefined }),
    change: assign({ atOnce: (_, atOnce: number) => atOnce }),
    noteWait: assign((_, { wait }: Decision) => ({ heldFor: wait?.reason, waitUntilMs: wait?.untilMs })),
    forgetHeld: assign({ heldFor: undefined, waitUntilMs: undefined }),
    addRuns: assign({ runs: ({ context }, runs: ReadonlyArray<RunInput>) => [...context.runs, ...runs] }),
    startRuns: enqueueActions(({ context, enqueue }) => {
      const runs = startable(context)
      for (const input of runs) enqueue.spawnChild("run", { id: input.run, input })
      enqueue.assign({ started: [...context.started, ...runs.map(({ run }) => run)] })
    }),
    dropRun: enqueueActions(({ context, enqueue }, ended: string) => {
      enqueue.stopChild(ended) // It has ended, and is not forgotten by itself.
      enqueue.assign({ runs: context.runs.filter(({ run }) => run !== ended), started: context.started.filter((run) => run !== ended) })
    }),
    cancelWaiting: assign({
      runs: ({ context }, { run, by }: { readonly run: string; readonly by: string }) =>
        context.runs.map((one) => (one.run === run ? { ...one, cancelled: by } : one))
    }),
    cancelRun: sendTo(
      (_, { run }: { run: string; by: string }) => run,
      (_, { by }) => ({ type: "run.cancel", by })
    )
  },
  delays: {
    probe: ({ context }) => context.aside?.probeInMs ?? 0
  }
}).createMachine({
  id: "skill",
  meta: {
    guarantee: "Every slot that it owes is claimed or settled in one durable batch, and no more runs of it are under way than may be."
  },
  context: ({ input: { unsettled, aside, ...input } }) => ({
    ...input,
    aside: aside && { ...aside, waits: true },
    cause: "started",
    heldFor: undefined,
    waitUntilMs: undefined,
    runs: unsettled,
    started: []
  }),
  type: "parallel",
  on: {
    "gate.opened": { actions: "openGate" },
    "gate.closed": { actions: { type: "closeGate", params: ({ event: { type: _, ...closed } }) => closed } },
    "run.claimed": { actions: { type: "addRuns", params: ({ event }) => [event.run] } },
    "run.cancel": {
      guard: { type: "isWaiting", params: ({ event }) => event.run },
      actions: { type: "cancelWaiting", params: ({ event }) => event }
    }
  },
  states: {
    slots: {
      initial: "arriving",
      on: { "skill.changing": ".changing" },
      states: {
        /** Slots may have been missed while no runtime was there. */
        arriving: { always: [{ guard: "gateOpen", target: "deciding" }, { target: "held" }] },
        waiting: {
          tags: "operational",
          invoke: { src: "nextSlot", input: { waitUntilMs: undefined } },
          on: {
            "slot.due": [{ guard: "gateOpen", target: "deciding", actions: "noteDue" }, { target: "held" }]
          }
        },
        /** A slot is due and may not start: it waits, with the reason, and is owed until the gate opens. */
        held: {
          tags: "degraded",
          entry: "noteHeld",
          always: { guard: "gateOpen", target: "deciding", actions: "noteReleased" },
          on: {
            "gate.closed": {
              target: "held",
              reenter: true,
              actions: { type: "closeGate", params: ({ event: { type: _, ...closed } }) => closed }
            }
          }
        },
        /** Slots are owed and may not become runs yet, for a reason of the skill's own: its hours, its pace, or the ramp after an outage. */
        postponed: {
          tags: "operational",
          invoke: { src: "nextSlot", input: ({ context: { waitUntilMs } }) => ({ waitUntilMs }) },
          on: {
            "slot.due": [{ guard: "gateOpen", target: "deciding", actions: "noteDue" }, { target: "held" }]
          }
        },
        /** Its definition is being exchanged. */
        changing: {
          tags: "operational",
          on: { "skill.changed": { target: "waiting", actions: { type: "change", params: ({ event }) => event.atOnce } } }
        },
        deciding: {
          tags: "operational",
          on: { "skill.changing": {} }, // What is being decided is put on record first: who asked asks again.
          invoke: {
            src: "decide",
            input: ({ context: { cause, heldFor, runs, aside } }) => ({
              cause,
              heldFor,
              runs: runs.map(({ run }) => run),
              probe: aside !== undefined
            }),
            onDone: [
              {
                guard: { type: "mustWait", params: ({ event }) => event.output },
                target: "postponed",
                actions: { type: "noteWait", params: ({ event }) => event.output }
              },
              { target: "waiting", actions: [{ type: "addRuns", params: ({ event }) => event.output.runs }, "forgetHeld"] }
            ]
          }
        }
      }
    },
    /** Whether it may do its work: a circuit breaker over the outcomes of its runs. */
    trust: {
      initial: "closed",
      on: {
        "skill.quarantined": { target: ".open", actions: { type: "putAside", params: ({ event }) => event } },
        "skill.released": { target: ".closed", actions: "trust" }
      },
      states: {
        closed: { tags: "operational", always: { guard: "isAside", target: "open" } },
        /** Nothing of it starts; its slots wait. */
        open: { tags: "degraded", after: { probe: "halfOpen" } },
        /** One run may show that it works again. */
        halfOpen: { tags: "degraded", entry: "permitProbe" }
      }
    },
    work: {
      initial: "idle",
      states: {
        idle: { tags: "operational", always: { guard: "mayStart", target: "executing" } },
        /** Nothing about the gate is looked at here: a run that has started goes on. */
        executing: {
          tags: "operational",
          always: [
            { guard: "mayStart", actions: "startRuns" },
            { guard: "isIdle", target: "idle" }
          ],
          on: {
            "xstate.done.actor.*": {
              guard: { type: "isUnderWay", params: ({ event }) => event.actorId },
              actions: { type: "dropRun", params: ({ event }) => event.actorId }
            },
            "run.cancel": {
              guard: { type: "isUnderWay", params: ({ event }) => event.run },
              actions: { type: "cancelRun", params: ({ event }) => event }
            }
          }
        }
      }
    }
  }
})

/** The name of the oldest run that is claimed and not settled, if there is one. */
export const runUnderWay = (context: SkillContext): string | undefined => context.runs[0]?.run

export type { RunInput }

/** Why slots may not become runs now. */
const reasonToWait = ({ gate, aside, runs }: SkillContext): string | undefined =>
  aside !== undefined && (aside.waits || runs.length > 0) ? aside.reason : gate.open ? undefined : gate.reason

/**
 * What was cancelled begins at once, since it only has to be settled, and so does what survived, since it is under way already;
 * of the others as many as may.
 */
const startable = ({ gate, runs, started, aside, ...context }: SkillContext): ReadonlyArray<RunInput> => {
  const atOnce = aside === undefined ? context.atOnce : aside.waits ? 0 : 1
  const waiting = runs.filter(({ run }) => !started.includes(run))
  const working = runs.filter(
    ({ run, cancelled, survives }) => (started.includes(run) || survives === true) && cancelled === undefined
  ).length
  const cannotWait = ({ cancelled, survives }: RunInput) => cancelled !== undefined || survives === true
  return [
    ...waiting.filter(cannotWait),
    ...(gate.open || gate.claimed === "start" ? waiting.filter((run) => !cannotWait(run)).slice(0, Math.max(0, atOnce - working)) : [])
  ]
}
