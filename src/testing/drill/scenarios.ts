/** The three losses that Holdfast is for, as drills: what is taken away, what must go on, and how it comes back. */
import type * as Effect from "effect/Effect"
import type { ListenFailed } from "../../domain/Errors.ts"
import type { Control } from "../../gateway/index.ts"
import type { Mode } from "../../machines/guarantees.ts"

/** What a drill can lay hands on. */
export interface Stage {
  readonly gateway: Control
  /** `kill -9` of the runtime alone: what it had started is left to itself. */
  readonly kill: Effect.Effect<void>
  /** Starts the runtime again on the same files. */
  readonly start: Effect.Effect<void>
}

export interface Scenario {
  readonly title: string
  /** How each layer is while it lasts. */
  readonly session: string
  readonly gateway: string
  readonly skills: string
  readonly result: string
  /** The mode that it leads to; none where the runtime itself is gone. */
  readonly mode: Mode | undefined
  /** How long it lasts unless the command says otherwise, in seconds. */
  readonly seconds: number
  readonly begin: (stage: Stage) => Effect.Effect<void>
  readonly end: (stage: Stage) => Effect.Effect<void, ListenFailed>
}

export const scenarios = {
  "session-loss": {
    title: "WebSocket disconnect",
    session: "failed",
    gateway: "ok",
    skills: "ok",
    result: "skills continue; results wait",
    mode: "degraded.sessionLost",
    seconds: 6,
    begin: ({ gateway }) => gateway.refuseSessions,
    end: ({ gateway }) => gateway.acceptSessions
  },
  partition: {
    title: "network partition",
    session: "failed",
    gateway: "failed",
    skills: "ok",
    result: "local skills only; the others wait with a reason",
    mode: "degraded.partitioned",
    seconds: 6,
    begin: ({ gateway }) => gateway.refuse,
    end: ({ gateway }) => gateway.accept
  },
  restart: {
    title: "process restart",
    session: "paused",
    gateway: "paused",
    skills: "resumes",
    result: "recovered from files; nothing lost, nothing twice",
    mode: undefined,
    seconds: 2.5,
    begin: ({ kill }) => kill,
    end: ({ start }) => start
  }
} as const satisfies Record<string, Scenario>

export type ScenarioName = keyof typeof scenarios
