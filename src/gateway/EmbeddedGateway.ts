/**
 * A gateway to try things on and to test against: the part of OpenClaw's wire that Holdfast uses, served on loopback, with
 * every way such a peer can fail at hand.
 *
 * Rows are on disk before they are acknowledged, and a boot remembers nothing else: what a real one loses, this one loses.
 */
import { randomUUID } from "node:crypto"
import type { IncomingMessage, ServerResponse } from "node:http"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as FiberSet from "effect/FiberSet"
import type * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"
import type * as Scope from "effect/Scope"
import type { ListenFailed, StateUnusable } from "../domain/Errors.ts"
import * as Wire from "../domain/Wire.ts"
import { Client } from "./Client.ts"
import { fairCondition } from "./Condition.ts"
import { type Control, makeControl } from "./Control.ts"
import { judge } from "./handshake.ts"
import { httpReply } from "./health.ts"
import type { Job } from "./Jobs.ts"
import { address, type Listener, makeListener } from "./Listener.ts"
import { answer, type Core, healthOf, methodNames, unavailable } from "./methods.ts"
import { type Invoked, invoke, toolsPath } from "./tools.ts"
import { openTranscripts, type Row } from "./Transcripts.ts"
import { hookReply, type Wake } from "./wakes.ts"

export interface GatewayOptions {
  /** 0 takes any free port. */
  readonly port: number
  readonly token: Redacted.Redacted
  /** Of the hooks; without it there are none. */
  readonly hookToken?: Redacted.Redacted
  /** Holds the transcripts; made if it is missing. One gateway a folder. */
  readonly directory: string
  /** Between two `tick` events, in milliseconds. */
  readonly tickIntervalMs?: number
  /** How long a client may take to say `connect`, in milliseconds. */
  readonly handshakeMs?: number
  /** What its scheduler has, in the shape of `cron.list`. */
  readonly jobs?: ReadonlyArray<Job>
}

export interface EmbeddedGateway {
  readonly port: number
  /** `ws://127.0.0.1:<port>`; the same port speaks HTTP. */
  readonly url: string
  /** New at every boot. */
  readonly bootId: Effect.Effect<string>
  /** The committed rows of a session, oldest first; none for a session that does not exist. */
  readonly transcript: (sessionKey: string) => Effect.Effect<ReadonlyArray<Row>>
  /** Lines for the next heartbeat, oldest first. */
  readonly wakes: Effect.Effect<ReadonlyArray<Wake>>
  /** The jobs as they are now. */
  readonly jobs: Effect.Effect<ReadonlyArray<Job>>
  /** The tool calls that were let in over HTTP, oldest first. */
  readonly invoked: Effect.Effect<ReadonlyArray<Invoked>>
  /** Its ways to fail. */
  readonly control: Control
}

export const EmbeddedGateway = {
  /**
   * Starts one; closing the scope stops it. Fails with `LISTEN_IN_USE` when the port is taken, and with `GATEWAY_DIRECTORY`
   * or `GATEWAY_TRANSCRIPT` when the folder cannot be used.
   */
  make: Effect.fn("EmbeddedGateway.make")(function* (
    options: GatewayOptions
  ): Effect.fn.Return<EmbeddedGateway, ListenFailed | StateUnusable, Scope.Scope> {
    const condition = fairCondition()
    const clients = new Set<Client>()
    const requests = yield* FiberSet.make<unknown, unknown>()
    const run = yield* FiberSet.runtime(requests)()
    const core: Core = {
      condition,
      transcripts: yield* openTranscripts(options.directory),
      wakes: [],
      jobs: options.jobs ?? [],
      broadcast: (event, payload, hears = () => true) => {
        for (const client of clients) if (client.scopes !== undefined && hears(client)) client.tell(event, payload)
      }
    }
    const settings = { token: options.token, tickIntervalMs: options.tickIntervalMs ?? Wire.tickIntervalMs }

    const listener: Listener = yield* makeListener(options.port, {
      onRequest: (request, response) => run(respond(core, options, listener.port(), request, response)),
      refuseUpgrade: (request) => (!isOurHost(request, listener.port()) ? 421 : condition.sessions === "refused" ? 503 : undefined),
      onSocket: (socket, request) => {
        // A page in a browser always says where it is from; none has business here.
        if (request.headers.origin !== undefined) return socket.close(Wire.closeCodes.policy, "origin not allowed")
        const client = new Client(socket)
        const { bootId } = condition
        clients.add(client)
        socket.once("close", () => clients.delete(client))
        socket.on("message", (data: Buffer) => {
          // What a killed process had buffered still surfaces here; the next one never saw it.
          if (bootId === condition.bootId) run(receive(core, settings, client, data.toString()))
        })
        run(greet(core, client, options.handshakeMs ?? Wire.handshakeMs))
      }
    })
    const boot = Effect.gen(function* () {
      condition.bootId = randomUUID()
      yield* FiberSet.clear(requests) // What the old process had in its memory dies with it.
      core.transcripts = yield* openTranscripts(options.directory)
      core.wakes.length = 0
      condition.bootedAtMs = yield* Clock.currentTimeMillis
    })
    yield* boot
    yield* listener.open
    yield* Effect.forkScoped(
      announce(
        core,
        "tick",
        settings.tickIntervalMs,
        Effect.map(Clock.currentTimeMillis, (ts) => ({ ts }))
      )
    )
    yield* Effect.forkScoped(announce(core, "health", healthIntervalMs, healthOf(core)))

    return {
      port: listener.port(),
      url: `ws://${address}:${listener.port()}`,
      bootId: Effect.sync(() => condition.bootId),
      transcript: (key) => Effect.sync(() => [...(core.transcripts.find(key)?.rows ?? [])]),
      wakes: Effect.sync(() => [...core.wakes]),
      jobs: Effect.sync(() => core.jobs),
      invoked: Effect.sync(() => [...condition.invoked]),
      control: makeControl({ condition, listener, clients, boot })
    }
  })
}

const healthIntervalMs = 60_000

interface Settings {
  readonly token: Redacted.Redacted
  readonly tickIntervalMs: number
}

const greet = Effect.fnUntraced(function* ({ condition }: Core, client: Client, handshakeMs: number) {
  yield* condition.thawed.await
  client.tell("connect.challenge", { nonce: client.nonce, ts: yield* Clock.currentTimeMillis, capabilities: [] })
  yield* Effect.sleep(handshakeMs)
  yield* condition.thawed.await
  if (client.scopes === undefined) client.close(Wire.closeCodes.normal, "handshake timeout")
})

const receive = Effect.fnUntraced(function* (core: Core, settings: Settings, client: Client, text: string) {
  const { condition } = core
  yield* condition.thawed.await
  if (client.scopes === undefined) return yield* shakeHands(core, settings, client, text)
  const frame = Wire.parseFrame(text)
  if (Result.isFailure(frame) || frame.success.type !== "req") return client.close(Wire.closeCodes.policy, "not a request")

  const request = frame.success
  const outcome = yield* Effect.result(answer(core, client, request))
  yield* condition.thawed.await
  if (Result.isFailure(outcome)) return client.refuse(request.id, outcome.failure)
  if (!outcome.success.committed || condition.repliesToLose === 0) return client.reply(request.id, outcome.success.payload)
  condition.repliesToLose -= 1
  client.reset()
})

const shakeHands = Effect.fnUntraced(function* (core: Core, { token, tickIntervalMs }: Settings, client: Client, text: string) {
  if (!client.open) return // Refused a moment ago; what else it sent is not looked at.
  const { condition } = core
  const verdict = judge(text, token, client.nonce)
  if (verdict._tag === "Refused") {
    if (verdict.id !== undefined) client.refuse(verdict.id, verdict.error)
    return client.close(verdict.close, verdict.reason)
  }
  if (condition.phase !== "live") {
    client.refuse(verdict.id, unavailable(condition.phase))
    return condition.phase === "starting"
      ? client.close(Wire.closeCodes.starting, "gateway starting")
      : client.close(Wire.closeCodes.restart, "service restart")
  }
  client.scopes = new Set(verdict.scopes)
  const health = yield* healthOf(core)
  client.reply(verdict.id, {
    type: "hello-ok",
    protocol: Wire.protocol,
    server: { version: "embedded", bootId: condition.bootId, connId: client.connId },
    features: { methods: methodNames(), events, capabilities: [] },
    snapshot: { presence: [], health, uptimeMs: health.uptimeMs, sessionDefaults: { mainSessionKey: "agent:main:main" } },
    auth: {
      method: "token",
      role: verdict.params.role,
      scopes: verdict.scopes,
      ...(verdict.deviceToken === undefined ? {} : { deviceToken: verdict.deviceToken })
    },
    policy: { maxPayload: Wire.frameMax, tickIntervalMs }
  })
})
const events = ["connect.challenge", "tick", "health", "session.message", "chat", "shutdown"]

const respond = Effect.fnUntraced(function* (
  core: Core,
  { token, hookToken }: Pick<GatewayOptions, "token" | "hookToken">,
  port: number,
  request: IncomingMessage,
  response: ServerResponse
) {
  const { condition } = core
  yield* condition.thawed.await
  if (condition.http === "resetting") return request.socket.resetAndDestroy()
  const path = (request.url ?? "").replace(/\?.*$/s, "")
  const reply = !isOurHost(request, port)
    ? { status: 421, body: { ok: false, error: "unknown host" } }
    : path === "/hooks/wake" && condition.http === "healthy" && condition.phase === "live"
      ? yield* hookReply(core.wakes, hookToken, request)
      : path === toolsPath
        ? yield* invoke(core, token, request)
        : httpReply(condition, yield* Clock.currentTimeMillis, request.method ?? "", path)
  if (reply === undefined) return request.socket.resetAndDestroy()
  const { status, body } = reply
  return response
    .writeHead(status, { "content-type": "application/json; charset=utf-8", "cache-control": "no-store" })
    .end(JSON.stringify(body))
})

/** Compared as it was sent, whole: a name that merely resolves to this machine is how a page in a browser would get here. */
const isOurHost = ({ headersDistinct: { host } }: IncomingMessage, port: number): boolean =>
  host?.length === 1 && ["localhost", address, "[::1]"].some((name) => host[0] === `${name}:${port}`)

const announce = (core: Core, event: string, everyMs: number, payload: Effect.Effect<unknown>) =>
  Effect.forever(
    Effect.gen(function* () {
      yield* Effect.sleep(everyMs)
      yield* core.condition.thawed.await
      core.broadcast(event, yield* payload)
    })
  )
