/** One WebSocket client of the embedded gateway: who it is, what it asked to hear, and how frames reach it. */
import { randomUUID } from "node:crypto"
import type { WebSocket } from "ws"
import { closeCodes, event, refusal, reply, type WireError } from "../domain/Wire.ts"

/** A client that leaves this much unread is closed, in bytes. */
const unreadMax = 8 * 1_048_576

export class Client {
  readonly connId = randomUUID()
  readonly nonce = randomUUID()
  /** Sessions whose new rows it wants to hear of. */
  readonly subscriptions = new Set<string>()
  /** What it may do; nothing is known of it before its `connect`. */
  scopes: ReadonlySet<string> | undefined = undefined
  readonly #socket: WebSocket
  #seq = 0

  constructor(socket: WebSocket) {
    this.#socket = socket
  }

  get open(): boolean {
    return this.#socket.readyState === this.#socket.OPEN
  }

  reply(id: string, payload: unknown): void {
    this.#send(reply(id, payload))
  }

  refuse(id: string, error: WireError): void {
    this.#send(refusal(id, error))
  }

  /** Events are numbered from the hello on; the challenge before it is not. */
  tell(name: string, payload: unknown): void {
    this.#send(this.scopes === undefined ? event(name, payload) : event(name, payload, ++this.#seq))
  }

  close(code: number, reason: string): void {
    this.#socket.close(code, reason)
  }

  /** Ends the connection without a close frame, as the death of a process does. */
  reset(): void {
    this.#socket.terminate()
  }

  #send(frame: string): void {
    if (!this.open) return
    this.#socket.send(frame)
    if (this.#socket.bufferedAmount > unreadMax) this.close(closeCodes.policy, "slow consumer")
  }
}
