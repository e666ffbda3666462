/** A skill that needs the link. While that is away its slots wait; what it tells the session is there once, however often it is tried. */
import { mkdtempSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { createRuntime, LinkFailed, skill } from "holdfast"

const digest = skill({
  name: "digest",
  schedule: { every: "1 second" },
  needs: ["session", "gateway"],
  run: async (ctx) => {
    const messages = await ctx.session.history({ limit: 20 })
    const sessions = await ctx.gateway.invoke("sessions_list").catch((error: unknown) => {
      if (error instanceof LinkFailed && error.reason === "circuitOpen") return undefined // It can do without, and need not fail.
      throw error // Of class `link`: the run is tried again once the link is there, and the skill is not blamed.
    })
    const { already } = await ctx.step("tell", () => ctx.session.inject(`Read ${messages.length} messages.`, { label: "tell" }))
    return { messages: messages.length, sessions: sessions !== undefined, already }
  }
})

const [url = "ws://localhost:3019"] = process.argv.slice(2)
const token = process.env["HOLDFAST_GATEWAY_TOKEN"] ?? ""
const state = mkdtempSync(join(tmpdir(), "holdfast-")) // Yours: a folder that stays.
const runtime = await createRuntime({ state, skills: [digest], gateway: { url, token } })
const settled = await new Promise<string>((resolve) => {
  runtime.subscribe((event) => {
    if (event.type === "run.settled") resolve(`${event.run} ${event.outcome} ${JSON.stringify(event.fields)}`)
  })
})
console.log(settled)
await runtime.stop()
