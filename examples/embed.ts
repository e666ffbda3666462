/** A runtime in a program of yours: one skill, its first run, and the file that says what it came to. */
import { mkdtempSync, readFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { createRuntime, guarantees, skill } from "holdfast"

const state = mkdtempSync(join(tmpdir(), "holdfast-")) // Yours: a folder that stays.
const heartbeat = skill({
  name: "heartbeat",
  schedule: { every: "1 second" },
  run: async (ctx) => ({ beats: await ctx.step("beat", () => 1) }) // A finished step is not done again, whatever dies.
})

const runtime = await createRuntime({ state, skills: [heartbeat] })
const outcome = await new Promise<string>((resolve) => {
  runtime.subscribe((event) => {
    if (event.type === "run.settled") resolve(`${event.run} ${event.outcome}`)
  })
})
console.log(`${runtime.mode}: ${guarantees[runtime.mode].means}; ${outcome}`)

await runtime.stop()
console.log(readFileSync(join(state, "skills/status/heartbeat.txt"), "utf8"))
