/** The supervisor of skill actors: one for one, restarted after a defect, given up past the restart intensity. */
import { assign, setup } from "xstate"
import { recent, skillIntensity, withinIntensity } from "../domain/policies/intensity.ts"
import { port } from "./port.ts"

export interface Crash {
  readonly skill: string
  readonly reason: string
  readonly atMs: number
}

interface SupervisorContext {
  /** Crashes not yet dealt with, oldest first. */
  readonly crashed: ReadonlyArray<Crash>
  /** When each skill's actor crashed, within the window that counts. */
  readonly failuresAtMs: ReadonlyMap<string, ReadonlyArray<number>>
}

/** A skill's actor ended by a defect of ours, or of its port. Failed runs are not crashes. */
export type SupervisorEvent = { readonly type: "skill.crashed" } & Crash

export const supervisorMachine = setup({
  types: {
    context: {} as SupervisorContext,
    events: {} as SupervisorEvent,
    meta: {} as { readonly guarantee: string },
    tags: {} as "operational" | "degraded" | "stopped"
  },
  actors: {
    /** Starts one actor for every skill. */
    startAll: port<void>("startAll"),
    /** Starts a crashed skill's actor anew. */
    restart: port<void, Crash>("restart"),
    /** Puts a skill aside, on record. */
    quarantine: port<void, Crash>("quarantine")
  },
  guards: {
    hasCrash: ({ context }) => context.crashed.length > 0,
    tooMany: ({ context }) => {
      const crash = context.crashed[0]
      return crash !== undefined && !withinIntensity(context.failuresAtMs.get(crash.skill) ?? [], crash.atMs, skillIntensity)
    }
  },
  actions: {
    countCrash: assign(({ context }, crash: Crash) => ({
      crashed: [...context.crashed, crash],
      failuresAtMs: new Map(context.failuresAtMs).set(crash.skill, [
        ...recent(context.failuresAtMs.get(crash.skill) ?? [], crash.atMs, skillIntensity),
        crash.atMs
      ])
    })),
    dropCrash: assign({ crashed: ({ context }) => context.crashed.slice(1) })
  },
  delays: {
    /** Long enough that a crash in a loop costs nothing, short against any schedule. */
    restartDelay: 1_000
  }
}).createMachine({
  id: "supervisor",
  meta: { guarantee: "One skill's crash is its own: restarted after a second, put aside past the restart intensity." },
  context: { crashed: [], failuresAtMs: new Map() },
  initial: "starting",
  on: {
    "skill.crashed": { actions: { type: "countCrash", params: ({ event: { skill, reason, atMs } }) => ({ skill, reason, atMs }) } }
  },
  states: {
    starting: { invoke: { src: "startAll", onDone: "supervising" } },
    supervising: {
      tags: "operational",
      always: [
        { guard: "tooMany", target: "quarantining" },
        { guard: "hasCrash", target: "pausing" }
      ]
    },
    pausing: { tags: "degraded", after: { restartDelay: "restarting" } },
    restarting: {
      tags: "degraded",
      invoke: { src: "restart", input: ({ context }) => context.crashed[0]!, onDone: { target: "supervising", actions: "dropCrash" } }
    },
    quarantining: {
      tags: "degraded",
      invoke: { src: "quarantine", input: ({ context }) => context.crashed[0]!, onDone: { target: "supervising", actions: "dropCrash" } }
    }
  }
})
