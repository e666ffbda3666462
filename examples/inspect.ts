/**
 * Every machine in Stately's inspector: the runtime, its link, each skill and each run.
 *
 *     node --conditions=holdfast-source examples/inspect.ts        then open http://localhost:8080
 *
 * The relay is a toy for development: it listens on all interfaces, asks nobody who they are, and its page loads the picture from
 * stately.ai. Given the address of a relay that runs already, this starts none.
 */
import { mkdtempSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { createWebSocketInspector } from "@statelyai/inspect"
import { createInspectorServer } from "@statelyai/inspect/server"
import { createRuntime, skill } from "holdfast"

const [url = "ws://localhost:8080"] = process.argv.slice(2)
if (process.argv.length === 2) createInspectorServer({ port: 8080, autoOpen: false })
const { inspect } = createWebSocketInspector({ url })

const runtime = await createRuntime({
  state: mkdtempSync(join(tmpdir(), "holdfast-")),
  skills: [skill({ name: "heartbeat", schedule: { every: "2 seconds" }, run: () => ({ beats: 1 }) })],
  inspect
})
console.log(`${runtime.mode}; Ctrl-C ends it`)
process.once("SIGINT", () => void runtime.stop().then(() => process.exit())) // The inspector's reconnecting would keep us here.
