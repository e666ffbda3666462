/** An OpenClaw gateway as commands meet it: its jobs by a call while it is up, from its file while it is not. */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import type * as Scope from "effect/Scope"
import { homedir } from "node:os"
import { join } from "node:path"
import { type Problem, Refused } from "../domain/Errors.ts"
import type { ForeignJob } from "../domain/ForeignJob.ts"
import { type GatewayUrl, gatewayUrl } from "../domain/GatewayUrl.ts"
import { readOpenClawJob } from "../domain/OpenClawJob.ts"
import type { RuntimeConfig } from "../layers/Config.ts"
import { version } from "../layers/Holdfast.ts"
import { listed, stored } from "../layers/OpenClawJobs.ts"
import type { Session } from "../layers/Session.ts"
import { HostZone } from "../layers/Skills.ts"
import { visit } from "../layers/Visit.ts"
import type { ConnectionEnd } from "../machines/session.ts"

export interface OpenClaw {
  readonly jobs: ReadonlyArray<ForeignJob>
  /** Absent where the jobs are from its file. */
  readonly session: Session["Service"] | undefined
  /** Why they are. */
  readonly why: string | undefined
}

export interface Which {
  readonly config: RuntimeConfig
  /** The address that was given; else the config's counts. */
  readonly gateway: string | undefined
  readonly stateDirectory: string | undefined
}

/** Fails where the gateway refuses us, since it is up then and its file is no second opinion, and where there is neither. */
export const openClawJobs = Effect.fn("openClawJobs")(function* ({
  config,
  gateway,
  stateDirectory
}: Which): Effect.fn.Return<OpenClaw, Problem, Scope.Scope> {
  const url = gateway === undefined ? config.gateway?.url : yield* Effect.fromResult(gatewayUrl(gateway, "--gateway"))
  const met = url === undefined ? undefined : yield* visited(url, config)
  if (met !== undefined && Result.isSuccess(met)) {
    return { jobs: yield* understood(yield* listed(met.success)), session: met.success, why: undefined }
  }
  if (met !== undefined && !isDown(met.failure, url!)) return yield* refusedUs(met.failure, url!)
  const directory = stateDirectory ?? openClawState()
  const why = met === undefined ? "no gateway is named" : `${url!.ws} does not answer (${met.failure.reason})`
  return { jobs: yield* understood(yield* stored(directory)), session: undefined, why: `${why}: read from ${directory}` }
})

/** A session with it, or why there is none. */
export type Visited = Result.Result<Session["Service"], ConnectionEnd>
export const visited = (url: GatewayUrl, { token }: RuntimeConfig): Effect.Effect<Visited, never, Scope.Scope> =>
  Effect.result(visit({ url, token, version }))

/** Jobs as they were given, by what becomes of them on this machine and now. */
export const understood = Effect.fnUntraced(function* (jobs: ReadonlyArray<unknown>): Effect.fn.Return<ReadonlyArray<ForeignJob>> {
  const asked = { zone: (yield* HostZone)(), nowMs: yield* Clock.currentTimeMillis }
  return jobs.map((job) => readOpenClawJob(job, asked))
})

/** Where a gateway of this user keeps its state. */
export const openClawState = (): string => process.env["OPENCLAW_STATE_DIR"] || join(homedir(), ".openclaw")

/** The file is this machine's, and speaks for a gateway that is down and no other. */
const isDown = ({ reason }: ConnectionEnd, { distance }: GatewayUrl): boolean =>
  distance === "loopback" && reason !== "unauthorized" && reason !== "wrongProtocol" && reason !== "notAGateway"

export const refusedUs = ({ reason, detail }: ConnectionEnd, { ws }: GatewayUrl) =>
  new Refused({
    code: "GATEWAY_UNREACHABLE",
    where: ws,
    got: `${reason}: ${detail}`,
    want: "a gateway that takes the token",
    fix: reason === "unauthorized" ? "give its token by HOLDFAST_GATEWAY_TOKEN or a 0600 file" : "check the address, and the gateway"
  })
