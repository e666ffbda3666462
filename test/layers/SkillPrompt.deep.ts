/**
 * Prompts handed to OpenClaw's own command, which is no dependency of ours: `npm run test:openclaw` installs it for both, or
 * `npm install openclaw@2026.9.6 --prefix DIR`, then `HOLDFAST_OPENCLAW=DIR npm run test:deep -- test/layers/SkillPrompt.deep.ts`.
 */
import { Effect } from "effect"
import { mkdirSync, readFileSync, writeFileSync } from "node:fs"
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import { join } from "node:path"
import { assert, it, onTestFinished, type TestContext, vi } from "vitest"
import { createRuntime } from "../../src/index.ts"
import { journalIn } from "../journal.ts"
import { absent, command as openclaw } from "../openclaw/installed.ts"
import { folder, until } from "./children.ts"

const text = "Sum up the day of the seventeen herons."

const present = (context: TestContext): void => {
  const because = absent()
  if (because === undefined) return
  console.log(`OpenClaw: skipped, because ${because}`)
  context.skip(because)
}

/** One run of a prompt skill whose agent is OpenClaw, in a home of its own with this config. */
const asked = async (config: object) => {
  const [state, skills, home] = [folder(), folder(), folder()]
  writeFileSync(join(home, "openclaw.json"), JSON.stringify(config))
  vi.stubEnv("HOME", home)
  vi.stubEnv("OPENCLAW_STATE_DIR", join(home, "state"))
  vi.stubEnv("OPENCLAW_CONFIG_PATH", join(home, "openclaw.json"))
  onTestFinished(() => void vi.unstubAllEnvs())
  mkdirSync(join(skills, "notes"))
  const settings = JSON.stringify({ prompt: true, retry: { attempts: 1 } })
  writeFileSync(join(skills, "notes", "SKILL.md"), `---\nname: notes\nmetadata:\n  holdfast: ${settings}\n---\n${text}\n`)
  const command = [process.execPath, openclaw, "agent", "--local", "--session-key", "agent:main:{skill}", "--message-file", "{promptFile}"]
  const env = ["OPENCLAW_STATE_DIR", "OPENCLAW_CONFIG_PATH"]
  const runtime = await createRuntime({ state, skills: [skills], agent: { command, env, timeout: "3 minutes" } })
  const run = await runtime.trigger("notes")
  const settled = () => journalIn(state).find((event) => event.type === "run.settled")
  await Effect.runPromise(until(() => settled() !== undefined, "the end", 200_000))
  await runtime.stop()
  return { settled: settled(), stdout: readFileSync(join(state, "runs", run, "stdout.log"), "utf8") }
}

it("OpenClaw without a key for its model is a failed run with OpenClaw's own words", async (context) => {
  present(context)
  const { settled } = await asked({})
  assert.deepInclude(settled, { outcome: "failed" })
  assert.match(settled?.type === "run.settled" ? settled.reason : "", /^RUN_EXIT: exit 1: .*authentication source/)
})

it("OpenClaw hands the text on to its model, and its answer is the output of a run that is a success", async (context) => {
  present(context)
  const questions: Array<string> = []
  const model = createServer((request, response) => {
    let body = ""
    request.setEncoding("utf8").on("data", (chunk: string) => (body += chunk))
    request.on("end", () => {
      questions.push(body)
      response.setHeader("content-type", "text/event-stream")
      for (const choice of [{ delta: { role: "assistant", content: "Seventeen." } }, { delta: {}, finish_reason: "stop" }])
        response.write(`data: ${JSON.stringify({ id: "1", object: "chat.completion.chunk", choices: [{ index: 0, ...choice }] })}\n\n`)
      response.end("data: [DONE]\n\n")
    })
  })
  await new Promise<void>((listening) => model.listen(0, "127.0.0.1", listening))
  onTestFinished(() => void model.close())
  const baseUrl = `http://127.0.0.1:${(model.address() as AddressInfo).port}/v1`
  const provider = { baseUrl, apiKey: "none", api: "openai-completions", models: [{ id: "m", name: "m" }] }
  const { settled, stdout } = await asked({
    models: { providers: { local: provider } },
    agents: { defaults: { model: { primary: "local/m" } } }
  })
  assert.deepInclude(settled, { outcome: "success" })
  assert.include(stdout, "Seventeen.")
  assert.isTrue(questions.some((body) => body.includes(text)))
})
