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
  /** Skills that a person has released and that have no actor yet, oldest first. */
  readonly released: ReadonlyArray<string>
  /** When each skill's actor crashed, within the window that counts. */
  readonly failuresAtMs: ReadonlyMap<string, ReadonlyArray<number>>
}

/** A skill's actor ended by a defect of ours, or of its port. Failed runs are not crashes. */
export type SupervisorEvent =
  | ({ readonly type: "skill.crashed" } & Crash)
  /** A skill that was put aside may work again: what its crashes were counted for is mended. */
  | { readonly type: "skill.released"; readonly skill: string }

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
    /** Starts the actor of a skill that has none. */
    restart: port<void, { readonly skill: string }>("restart"),
    /** Puts a skill aside, on record. */
    quarantine: port<void, Crash>("quarantine")
  },
  guards: {
    hasReleased: ({ context }) => context.released.length > 0,
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
    noteRelease: assign(({ context }, skill: string) => ({
      released: [...context.released, skill],
      failuresAtMs: new Map(context.failuresAtMs).set(skill, [])
    })),
    dropReleased: assign({ released: ({ context }) => context.released.slice(1) }),
    dropCrash: assign({ crashed: ({ context }) => context.crashed.slice(1) })
  },
  delays: {
    /** Long enough that a crash in a loop costs nothing, short against any schedule. */
    restartDelay: 1_000
  }
}).createMachine({
  id: "supervisor",
  meta: { guarantee: "One skill's crash is its own: restarted after a second, put aside past the restart intensity." },
  context: { crashed: [], released: [], failuresAtMs: new Map() },
  initial: "starting",
  on: {
    "skill.crashed": { actions: { type: "countCrash", params: ({ event: { skill, reason, atMs } }) => ({ skill, reason, atMs }) } },
    "skill.released": { actions: { type: "noteRelease", params: ({ event }) => event.skill } }
  },
  states: {
    starting: { invoke: { src: "startAll", onDone: "supervising" } },
    supervising: {
      tags: "operational",
      always: [
        { guard: "hasReleased", target: "releasing" },
        { guard: "tooMany", target: "quarantining" },
        { guard: "hasCrash", target: "pausing" }
      ]
    },
    releasing: {
      invoke: {
        src: "restart",
        input: ({ context }) => ({ skill: context.released[0]! }),
        onDone: { target: "supervising", actions: "dropReleased" }
      }
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
