/**
 * Gateways that do not speak OpenClaw's wire. Everything above the socket speaks that one; an adapter puts what such a gateway says into
 * it, and what we ask into words of the gateway's own. It is arithmetic over texts: sockets, retries and records stay ours.
 */
import type { Event, Request, Response } from "./Wire.ts"

/** One kind of gateway. Both its methods are asked from outside Effect; what they throw ends the connection as `notAGateway`. */
export interface GatewayAdapter {
  /** For people, in reasons. */
  readonly name: string
  /** Where it is asked whether it is ready: `/health`. */
  readonly readyPath: string
  /** What the answer to a GET says: `ready`, or why it is not. */
  readonly readiness: (status: number, body: string) => "ready" | { readonly reason: "starting" | "restarting" | "notAGateway" }
  /** What is remembered of one connection, from its opening on. */
  readonly line: () => LineAdapter
}

export interface LineAdapter {
  /** The socket is open. A gateway that does not speak first has its `connect.challenge` made up here. */
  readonly opened: () => Turn
  /** We ask: `connect` first, then any other of the methods. Each has to come to a response, here or in what is heard. */
  readonly asked: (request: Request) => Turn
  /** The gateway says something. What is of no interest comes to nothing. */
  readonly heard: (text: string) => Turn
}

/** What comes of it: texts for the gateway, then frames for us. */
export interface Turn {
  readonly tell?: ReadonlyArray<string>
  readonly frames?: ReadonlyArray<Request | Response | Event>
}
