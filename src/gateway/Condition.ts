/** How the embedded gateway is doing: what a drill changes, and what every reply depends on. */
import * as Latch from "effect/Latch"
import type { Invoked } from "./tools.ts"

export interface Condition {
  phase: "starting" | "live" | "draining"
  /** A new one at every boot. */
  bootId: string
  bootedAtMs: number
  /** Whether WebSocket upgrades are taken, whatever HTTP does. */
  sessions: "accepted" | "refused"
  /** Whether HTTP requests are answered, refused with 503, or reset, whatever WebSockets do. */
  http: "healthy" | "failing" | "resetting"
  /** Tool calls that were let in since the start. */
  readonly invoked: Array<Invoked>
  /** What the next tool calls come to in place of a result: a status, or a connection that is reset once the tool is done. */
  toolReplies: Array<number | "lost">
  /** So many rows more are committed without a reply. */
  repliesToLose: number
  /** From reading a frame to committing its row. */
  commitDelayMs: number
  /** Closed while the process is frozen: nothing is committed or sent until it opens. */
  readonly thawed: Latch.Latch
}

/** A healthy gateway that has not booted yet. */
export const fairCondition = (): Condition => ({
  phase: "live",
  bootId: "",
  bootedAtMs: 0,
  sessions: "accepted",
  http: "healthy",
  invoked: [],
  toolReplies: [],
  repliesToLose: 0,
  commitDelayMs: 0,
  thawed: Latch.makeUnsafe(true)
})
