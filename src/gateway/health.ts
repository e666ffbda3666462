/** What the embedded gateway says over HTTP: whether it lives, has started, and takes work. */
import type { Condition } from "./Condition.ts"

export interface HttpReply {
  readonly status: number
  readonly body: unknown
}

/** The reply to `method` on `path`, a path without its query. */
export const httpReply = (condition: Condition, nowMs: number, method: string, path: string): HttpReply => {
  const answer = routes.get(path)
  if (condition.http !== "healthy") return { status: 503, body: { ok: false, status: "failing" } }
  if (answer === undefined) return { status: 404, body: { ok: false, error: "not found" } }
  if (method !== "GET" && method !== "HEAD") return { status: 405, body: { ok: false, error: "method not allowed" } }
  return answer(condition, nowMs)
}

// Alive from the moment the port listens, also while starting and draining.
const live = (): HttpReply => ({ status: 200, body: { ok: true, status: "live" } })

const started = ({ phase }: Condition): HttpReply =>
  phase === "live" ? { status: 200, body: { ok: true, status: "started" } } : { status: 503, body: { ok: false, status: phase } }

const ready = ({ phase, bootedAtMs }: Condition, nowMs: number): HttpReply => ({
  status: phase === "live" ? 200 : 503,
  body: { ready: phase === "live", failing: failing[phase], uptimeMs: nowMs - bootedAtMs }
})
const failing = { live: [], starting: ["startup-sidecars"], draining: ["gateway-draining"] }

const routes = new Map<string, (condition: Condition, nowMs: number) => HttpReply>([
  ["/health", live],
  ["/healthz", live],
  ["/startupz", started],
  ["/ready", ready],
  ["/readyz", ready]
])
