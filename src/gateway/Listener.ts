/**
 * The embedded gateway's door: one loopback port for HTTP and WebSocket that can be shut, reset and frozen at will.
 *
 * Connections are taken by a plain TCP server and only then handed to HTTP, since a frozen process still has its
 * connections accepted by the system, and reads nothing from them.
 */
import type * as Http from "node:http"
import * as net from "node:net"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { type WebSocket, WebSocketServer } from "ws"
import { ListenFailed } from "../domain/Errors.ts"
import { frameMax } from "../domain/Wire.ts"

/** The only address there is: the embedded gateway is never reachable from another machine. */
export const address = "127.0.0.1"

export interface Listener {
  /** The port in use; it stays the same when the door is opened again. */
  readonly port: () => number
  /** Listens; does nothing while it listens already. Fails with `LISTEN_IN_USE`, `LISTEN_PORT` or `LISTEN_FAILED`. */
  readonly open: Effect.Effect<void, ListenFailed>
  /** Stops listening and resets every connection: from now on they are refused. */
  readonly shut: Effect.Effect<void>
  /** Resets every open connection and goes on listening. */
  readonly reset: Effect.Effect<void>
  /** Reads no connection, old or new, until `thaw`; then what arrived meanwhile is read. */
  readonly freeze: Effect.Effect<void>
  readonly thaw: Effect.Effect<void>
}

export interface Visitors {
  readonly onRequest: (request: Http.IncomingMessage, response: Http.ServerResponse) => void
  /** The HTTP status to refuse a WebSocket with, or nothing to take it. */
  readonly refuseUpgrade: (request: Http.IncomingMessage) => number | undefined
  readonly onSocket: (socket: WebSocket, request: Http.IncomingMessage) => void
}

/** A door on `port` (0: any), still shut. Closing the scope shuts it. */
export const makeListener = (port: number, visitors: Visitors): Effect.Effect<Listener, never, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.sync(() => unopened(port, visitors)),
    (listener) => listener.shut
  )

const unopened = (portWanted: number, visitors: Visitors): Listener => {
  const connections = new Set<net.Socket>()
  const postponed: Array<() => void> = []
  const sockets = new WebSocketServer({ noServer: true, perMessageDeflate: false, maxPayload: frameMax })
  let port = portWanted
  let frozen = false
  const whenThawed = (work: () => void) => {
    if (frozen) postponed.push(work)
    else work()
  }

  const web = process.getBuiltinModule("node:http").createServer(visitors.onRequest)
  web.on("upgrade", (request, connection, head) => {
    connection.on("error", ignore)
    whenThawed(() => {
      const status = visitors.refuseUpgrade(request)
      if (status !== undefined) {
        connection.end(
          `HTTP/1.1 ${status} ${process.getBuiltinModule("node:http").STATUS_CODES[status]}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`
        )
        return
      }
      sockets.handleUpgrade(request, connection, head, (socket) => {
        socket.on("error", ignore)
        visitors.onSocket(socket, request)
      })
    })
  })

  const door = net.createServer({ pauseOnConnect: true, noDelay: true }, (connection) => {
    connections.add(connection)
    connection.on("error", ignore).once("close", () => connections.delete(connection))
    whenThawed(() => {
      if (connection.destroyed) return
      web.emit("connection", connection)
      connection.resume()
    })
  })

  const reset = () => {
    for (const connection of connections) connection.resetAndDestroy()
  }
  return {
    port: () => port,
    open: Effect.callback((resume) => {
      if (door.listening) return resume(Effect.void)
      const failed = (error: NodeJS.ErrnoException) => resume(Effect.fail(listenFailed(port, error)))
      if (!Number.isInteger(port) || port < 0 || port > 65_535) return failed(new RangeError("no such port"))
      door.once("error", failed).listen({ port, host: address }, () => {
        door.off("error", failed)
        port = (door.address() as net.AddressInfo).port
        resume(Effect.void)
      })
    }),
    shut: Effect.sync(() => {
      if (door.listening) door.close()
      reset()
    }),
    reset: Effect.sync(reset),
    freeze: Effect.sync(() => {
      frozen = true
      for (const socket of sockets.clients) socket.pause() // Pauses the connection below, so that no ping is answered either.
    }),
    thaw: Effect.sync(() => {
      frozen = false
      for (const socket of sockets.clients) socket.resume()
      for (const work of postponed.splice(0)) work()
    })
  }
}

const listenFailed = (port: number, error: NodeJS.ErrnoException): ListenFailed => {
  const where = `${address}:${port}`
  if (error.code === "EADDRINUSE") {
    return new ListenFailed({
      code: "LISTEN_IN_USE",
      where,
      got: `port ${port} taken by another program`,
      want: "a free port",
      fix: `Stop what listens there (\`lsof -i :${port}\` names it), or choose another port; 0 takes any free one.`
    })
  }
  if (error instanceof RangeError) {
    return new ListenFailed({
      code: "LISTEN_PORT",
      where,
      got: String(port),
      want: "a whole number from 0 to 65535",
      fix: "Choose another port; 0 takes any free one."
    })
  }
  return new ListenFailed({
    code: "LISTEN_FAILED",
    where,
    got: error.code ?? "an unknown error",
    want: "a port that may be listened on",
    fix: "Choose a port above 1023; 0 takes any free one."
  })
}

/** A connection that broke is closed; there is nothing else to do about it. */
const ignore = () => {}
