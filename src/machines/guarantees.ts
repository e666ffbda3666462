/**
 * What each mode promises: one table, shown by the status, the viewer and the docs, and checked by the tests.
 *
 * A mode is the first of `failed`, `stopped`, `starting`, `draining`, `blocked`, `held` that holds, else the link's.
 */

/** What happens to a slot that falls due: its run starts, it waits with a reason, or its skill is refused when loaded. */
export type Firing = "fires" | "held" | "refused"

export interface Guarantee {
  /** The mode in half a sentence. */
  readonly means: string
  /** Skills that need nothing but this machine. */
  readonly local: Firing
  /** Skills with `needs: [session]`, and with `needs: [gateway]`. */
  readonly session: Firing
  readonly gateway: Firing
  /** What becomes of results. */
  readonly results: string
}

const nothingFires = { local: "held", session: "held", gateway: "held" } as const

export const guarantees = {
  failed: { means: "storage failed or a defect was found; the next start recovers", ...nothingFires, results: "kept" },
  stopped: { means: "the runtime has ended", ...nothingFires, results: "kept" },
  starting: { means: "reading the state directory", ...nothingFires, results: "kept" },
  draining: { means: "asked to stop", ...nothingFires, results: "running skills finish or hit the deadline" },
  blocked: { means: "storage is full, read-only or refusing", ...nothingFires, results: "of running skills: kept in memory" },
  held: { means: "restarts loop, or started with --hold", ...nothingFires, results: "kept" },
  standalone: { means: "no gateway configured; healthy", local: "fires", session: "refused", gateway: "refused", results: "not sent" },
  "degraded.partitioned": { means: "session and gateway down", local: "fires", session: "held", gateway: "held", results: "queued" },
  "degraded.sessionLost": { means: "WebSocket down, HTTP up", local: "fires", session: "held", gateway: "fires", results: "queued" },
  "degraded.gatewayLost": {
    means: "WebSocket up, HTTP failing",
    local: "fires",
    session: "fires",
    gateway: "held",
    results: "delivered by the session"
  },
  resyncing: {
    means: "both up again",
    local: "fires",
    session: "fires",
    gateway: "fires",
    results: "being delivered in order, at a bounded rate"
  },
  connected: { means: "session and gateway up", local: "fires", session: "fires", gateway: "fires", results: "delivered" }
} as const satisfies Record<string, Guarantee>

/** What the runtime is doing, in one word. */
export type Mode = keyof typeof guarantees

/** How a state shows its promise in the inspector: `meta: promise("connected")`. */
export const promise = (mode: Mode): { readonly mode: Mode; readonly guarantee: Guarantee } => ({ mode, guarantee: guarantees[mode] })
