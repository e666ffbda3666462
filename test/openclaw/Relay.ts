/** A TCP connection's way to the gateway, which can be cut: in the middle of a report, or for everybody. */
import { once } from "node:events"
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net"

/** Where a report is cut off: before the gateway can have answered, or with its answer in our hands. */
type Cut = "asked" | "answered"

export class Relay {
  readonly #to: number
  readonly #server: Server
  readonly #pairs = new Set<{ readonly near: Socket; readonly far: Socket }>()
  readonly #cuts: Array<Cut> = []
  #port = 0

  private constructor(to: number) {
    this.#to = to
    this.#server = createServer((near) => this.#join(near))
  }

  /** One that leads to this port of this machine. */
  static async make(to: number): Promise<Relay> {
    const relay = new Relay(to)
    await relay.mend()
    return relay
  }

  get url(): string {
    return `ws://127.0.0.1:${this.#port}`
  }

  /** Reports that are still to be cut off. */
  get cuts(): number {
    return this.#cuts.length
  }

  /** Cuts off the next reports, one after another. */
  cut(...cuts: ReadonlyArray<Cut>): void {
    this.#cuts.push(...cuts)
  }

  /** Ends every connection and refuses new ones. */
  async break(): Promise<void> {
    this.#server.close()
    for (const { near, far } of this.#pairs) {
      near.resetAndDestroy()
      far.destroy()
    }
    await once(this.#server, "close")
  }

  /** Takes connections, on the same port as before; resolves with the instant from which it does. */
  async mend(): Promise<number> {
    this.#server.listen(this.#port, "127.0.0.1")
    await once(this.#server, "listening")
    this.#port = (this.#server.address() as AddressInfo).port
    return Date.now()
  }

  #join(near: Socket): void {
    const far = connect(this.#to, "127.0.0.1")
    const pair = { near, far }
    this.#pairs.add(pair)
    const end = () => {
      near.destroy()
      far.destroy()
      this.#pairs.delete(pair)
    }
    for (const socket of [near, far]) socket.on("error", end).on("close", end).setNoDelay()
    near.on("data", (bytes: Buffer) => {
      far.write(bytes)
      if (this.#cuts[0] !== "asked" || !unmasked(bytes).includes('"method":"chat.inject"')) return
      this.#cuts.shift()
      far.off("data", back)
      far.end() // What was written arrives before this end.
      near.off("close", end).resetAndDestroy()
    })
    const back = (bytes: Buffer) => {
      if (this.#cuts[0] !== "answered" || !injected.test(bytes.toString())) return void near.write(bytes)
      this.#cuts.shift()
      end()
    }
    far.on("data", back)
  }
}

/** The reply to a report. */
const injected = /"type":"res","id":"[^"]+","ok":true,"payload":\{"ok":true,"messageId"/

/** The text of a frame as a client sends it; nothing of one that is longer than 64 kB or does not begin here. */
const unmasked = (bytes: Buffer): string => {
  const at = (bytes[1]! & 0x7f) === 126 ? 4 : 2
  const mask = bytes.subarray(at, at + 4)
  return Buffer.from(bytes.subarray(at + 4).map((byte, index) => byte ^ mask[index % 4]!)).toString()
}
