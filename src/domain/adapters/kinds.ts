/** The kinds of gateway that are known by name. */
import type { GatewayAdapter } from "../GatewayAdapter.ts"
import { openclaw3Gateway } from "./openclaw3.ts"
import { plainGateway } from "./plain.ts"

export const gatewayKinds = ["openclaw", "openclaw-3", "plain"] as const
export type GatewayKind = (typeof gatewayKinds)[number]

/** Nothing for OpenClaw's own wire, which everybody here speaks. */
export const adapterOf = (kind: GatewayKind): GatewayAdapter | undefined =>
  kind === "plain" ? plainGateway : kind === "openclaw-3" ? openclaw3Gateway : undefined
