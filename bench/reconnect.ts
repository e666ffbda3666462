/**
 * Back after an outage: from the instant at which the server listens again to the first connection, beside what people use for it. Each
 * trial is a process, since some clients draw their first delay once in their life; those of one client and length run side by side.
 */
import { execFileSync, spawn } from "node:child_process"
import { once } from "node:events"
import { existsSync, mkdirSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { type Effort, type Figure, quantile, type Row, times } from "./figure.ts"

export const figure: Figure = {
  about: "back after an outage, beside other clients",
  measure: async (effort) => {
    const rows: Array<Row> = []
    const peers = installed()
    for (const seconds of effort === "full" ? [1, 10, 60] : effort === "quick" ? [1] : [1, 10]) {
      rows.push(await row("holdfast, nothing waiting", ["ours", seconds, 0], effort, "median < 300 ms"))
      rows.push(await row("holdfast, 1,000 reports", ["ours", seconds, 1_000], effort, "median < 300 ms"))
      for (const peer of peers) rows.push(await row(peer, [peer, seconds, peersFolder], effort))
    }
    return rows
  }
}

const clients = { "reconnecting-websocket": "4.4.0", partysocket: "1.3.0", "socket.io-client": "4.8.4" } as const
const peersFolder = join(tmpdir(), "holdfast-bench-clients")

/** Beside the project, never in it. Where they cannot be had their rows are left out. */
const installed = (): ReadonlyArray<string> => {
  const names = Object.keys(clients)
  if (names.every((name) => existsSync(join(peersFolder, "node_modules", name)))) return names
  try {
    mkdirSync(peersFolder, { recursive: true })
    const wanted = Object.entries({ ...clients, "socket.io": "4.8.4", ws: "8.23.0" }).map(([name, version]) => `${name}@${version}`)
    execFileSync("npm", ["install", "--no-audit", "--no-fund", "--prefix", peersFolder, ...wanted], { stdio: "ignore", timeout: 120_000 })
    return names
  } catch (cause) {
    console.error(
      `reconnect: other clients are left out, because npm cannot install them (${(cause as NodeJS.ErrnoException).code ?? "exit 1"})`
    )
    return []
  }
}

const row = async (name: string, [kind, seconds, last]: readonly [string, number, string | number], effort: Effort, goal?: string) => {
  const count = times(effort, { quick: 3, usual: 12 })
  const words = [kind, String(seconds * 1_000), String(last)]
  const told = await Promise.all(Array.from({ length: count }, (_, i) => trial(words, i * 200)))
  const samples = told.map(({ backMs }) => backMs)
  const tries = Math.max(...told.map(({ triesPerSecond }) => triesPerSecond ?? 0))
  return {
    what: `${name}, ${seconds} s away`,
    unit: "ms",
    samples,
    note: `worst ${quantile(samples, 1).toFixed(0)} ms${tries === 0 ? "" : `, at most ${tries.toFixed(1)} tries/s`}`,
    ...(goal === undefined ? {} : { goal })
  }
}

interface Told {
  readonly backMs: number
  readonly triesPerSecond?: number
}

const trial = async (words: ReadonlyArray<string>, afterMs: number): Promise<Told> => {
  await new Promise((resolve) => setTimeout(resolve, afterMs))
  const file = join(import.meta.dirname, words[0] === "ours" ? "reconnectOurs.ts" : "reconnectPeer.mjs")
  const child = spawn(process.execPath, ["--conditions=holdfast-source", file, ...words], { stdio: ["ignore", "pipe", "inherit"] })
  let said = ""
  child.stdout.on("data", (data) => (said += String(data)))
  const [code] = await once(child, "close")
  if (code !== 0) throw new Error(`${words.join(" ")} left with ${String(code)}`)
  return JSON.parse(said) as Told
}
