/** A network in between that can be made bad: a TCP proxy on loopback whose faults are switched while connections last. */
import * as Effect from "effect/Effect"
import * as Queue from "effect/Queue"
import type * as Scope from "effect/Scope"
import { type AddressInfo, connect, createServer, type Socket } from "node:net"

export type Fault =
  /** Each piece is held back for so long, both ways. */
  | { readonly kind: "latency"; readonly ms: number }
  /** One byte a packet, both ways. */
  | { readonly kind: "slices" }
  /** One bit of each so many bytes to the client is turned over. */
  | { readonly kind: "flips"; readonly every: number }
  /** So many bytes more reach the client, then both connections are reset. */
  | { readonly kind: "reset"; readonly afterBytes: number }
  /** Nothing passes, and nobody is told: a black hole. New connections are taken as well. */
  | { readonly kind: "halfOpen" }

export interface FaultyProxy {
  readonly port: number
  /** From now on; nothing ends the fault that was. */
  readonly inject: (fault: Fault | undefined) => void
  /** Connections of clients that are open. */
  readonly open: () => number
}

/** A proxy to a port of this machine. It ends, with all connections, when the scope does. */
export const faultyProxy = Effect.fnUntraced(function* (toPort: number): Effect.fn.Return<FaultyProxy, never, Scope.Scope> {
  const scope = yield* Effect.scope
  const sockets = new Set<Socket>()
  let open = 0
  let fault: Fault | undefined
  let bytes = 0 // Of the present fault, towards the client.

  const kept = (socket: Socket): Socket => {
    sockets.add(socket)
    return socket
      .setNoDelay(true)
      .on("error", () => {})
      .on("close", () => sockets.delete(socket))
  }
  const pass = Effect.fnUntraced(function* (chunk: Buffer, from: Socket, to: Socket, toClient: boolean) {
    const now = fault
    switch (now?.kind) {
      case "halfOpen":
        return
      case "latency":
        yield* Effect.sleep(now.ms)
        return void to.write(chunk)
      case "slices":
        for (const byte of chunk) {
          to.write(Buffer.of(byte))
          yield* Effect.sleep(0)
        }
        return
      case "flips":
        if (toClient) {
          for (let i = 0; i < chunk.length; i++) if (++bytes % now.every === 0) chunk[i] = chunk[i]! ^ (1 << (bytes % 8))
        }
        return void to.write(chunk)
      case "reset":
        if (!toClient) return void to.write(chunk)
        to.write(chunk.subarray(0, now.afterBytes - bytes))
        bytes += chunk.length
        if (bytes < now.afterBytes) return
        yield* Effect.sleep(1) // What was written goes first.
        from.resetAndDestroy()
        to.resetAndDestroy()
        return
      default:
        to.write(chunk)
    }
  })
  /** One piece at a time: the socket is paused while it is on its way, so that nothing piles up here. */
  const pump = Effect.fnUntraced(function* (from: Socket, to: Socket, toClient: boolean) {
    const pieces = yield* Queue.unbounded<Buffer | "end">()
    from.on("data", (chunk: Buffer) => {
      from.pause()
      Queue.offerUnsafe(pieces, chunk)
    })
    from.on("close", () => Queue.offerUnsafe(pieces, "end"))
    for (;;) {
      const piece = yield* Queue.take(pieces)
      if (piece === "end") break
      yield* pass(piece, from, to, toClient)
      from.resume()
    }
    if (fault?.kind !== "halfOpen") to.destroySoon()
  })

  const server = createServer((socket) => {
    open += 1
    const client = kept(socket).on("close", () => {
      open -= 1
    })
    const peer = kept(connect(toPort, "127.0.0.1"))
    Effect.runFork(Effect.forkIn(pump(client, peer, false), scope))
    Effect.runFork(Effect.forkIn(pump(peer, client, true), scope))
  })
  yield* Effect.acquireRelease(
    Effect.callback<void>((resume) => {
      server.listen(0, "127.0.0.1", () => resume(Effect.void))
    }),
    () =>
      Effect.callback<void>((resume) => {
        server.close(() => resume(Effect.void))
        for (const socket of sockets) socket.destroy()
      })
  )
  return {
    port: (server.address() as AddressInfo).port,
    inject: (next) => {
      fault = next
      bytes = 0
    },
    open: () => open
  }
})
