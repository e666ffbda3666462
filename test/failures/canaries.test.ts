/** Secrets in all that a skill can say, in every kind of skill: afterwards no file, no frame and no line of the log has one. */
import { Effect, Exit, Fiber, Layer, Logger, Redacted, Scope, Stream } from "effect"
import * as fs from "node:fs"
import { join } from "node:path"
import { assert, describe, it } from "vitest"
import { EmbeddedGateway } from "../../src/gateway/index.ts"
import { layer, mainSession, type HoldfastOptions } from "../../src/layers/Holdfast.ts"
import { Runtime } from "../../src/layers/Runtime.ts"
import { effectWork } from "../../src/layers/SkillFunction.ts"
import { StateStore } from "../../src/layers/StateStore.ts"
import { folder } from "../layers/children.ts"

/** Characters that each of the forms writes differently. */
const canary = (of: string) => `canary-${of}/"\\+ ${"x0".repeat(20)}`
const variables = { CANARY_TOKEN: canary("token"), CANARY_PLAIN: canary("plain") }
const gatewayToken = "canary-gateway/+=0123456789abcdef"
const every = [...Object.values(variables), gatewayToken]

/** What a canary may look like on disk. */
const traces = every.flatMap((value) => [
  value,
  JSON.stringify(value).slice(1, -1),
  JSON.stringify(JSON.stringify(value).slice(1, -1)).slice(1, -1),
  encodeURIComponent(value),
  Buffer.from(value).toString("base64").slice(0, -4),
  value.slice(0, 9) // What a cut would leave.
])
const found = (text: string, where: string): ReadonlyArray<string> =>
  traces.flatMap((trace) => (text.includes(trace) ? [`${where}: ${trace} in ${text.slice(0, 4_000)}`] : []))
const searched = (directory: string): ReadonlyArray<string> =>
  fs
    .readdirSync(directory, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .flatMap(({ parentPath, name }) => found(fs.readFileSync(join(parentPath, name), "latin1"), join(parentPath, name)))

const said = `
const both = [process.env.CANARY_TOKEN, process.env.CANARY_PLAIN]
const all = both.flatMap((one) => [one, encodeURIComponent(one), Buffer.from("user:" + one).toString("base64")]).join(" and ")
const long = "y".repeat(60) + all
`
const module = `${said}
export default async (ctx) => {
  console.log(all)
  console.error(JSON.stringify({ all }))
  if (ctx.attempt === 1) throw new Error(long)
  await ctx.step("one", () => { throw new Error(long) }).catch(() => {})
  await ctx.step("two", () => ({ all, [both[0]]: [both] }))
  await ctx.step("no name: " + long, () => 1).catch((error) => console.log(error.message))
  return { all, summary: long }
}
`
const program = `#!/usr/bin/env node
${said}
const { writeFileSync } = require("node:fs")
console.log("x".repeat(1_100_000) + all)
if (process.env.HOLDFAST_ATTEMPT === "1") {
  writeFileSync(process.env.HOLDFAST_RESULT, "not json " + all)
  console.error(long)
  process.exit(1)
}
writeFileSync(process.env.HOLDFAST_RESULT, JSON.stringify({ all: all.slice(0, 4000), summary: long }))
`
const write = (skills: string, name: string, file: string, text: string, work: object) => {
  fs.mkdirSync(join(skills, name))
  const settings = {
    ...work,
    env: ["CANARY_TOKEN", "CANARY_PLAIN"],
    retry: { attempts: 2, first: "1 millisecond" },
    report: { when: "always" }
  }
  fs.writeFileSync(join(skills, name, "SKILL.md"), `---\nname: ${name}\nmetadata: ${JSON.stringify({ holdfast: settings })}\n---\n`)
  fs.writeFileSync(join(skills, name, file), text, { mode: 0o755 })
}

describe("a secret that skills print, throw, return and put into steps", () => {
  it("is in no file of the state directory, in no report, and in no line of the log", { timeout: 60_000 }, () =>
    Effect.runPromise(
      Effect.scoped(
        Effect.gen(function* () {
          Object.assign(process.env, variables)
          yield* Effect.addFinalizer(() => Effect.sync(() => Object.keys(variables).forEach((name) => delete process.env[name])))
          const [state, skills] = [folder(), folder()]
          write(skills, "module", "skill.js", module, { module: "./skill.js" })
          fs.mkdirSync(join(skills, "wrong"))
          fs.writeFileSync(
            join(skills, "wrong", "SKILL.md"),
            `---\nname: wrong\nmetadata: { holdfast: { timeout: ${gatewayToken} } }\n---\n`
          )
          write(skills, "program", "work.cjs", program, { run: ["./work.cjs"] })
          write(skills, "garbled", "work.sh", `#!/bin/sh\nprintf %s "$CANARY_TOKEN" > $HOLDFAST_RESULT\n`, { run: ["./work.sh"] })
          const text = `${every.join(" and ")} and ${encodeURIComponent(every[0]!)}`
          const inCode = effectWork((ctx) =>
            Effect.gen(function* () {
              yield* Effect.logError(`for the log: ${text}`, { text })
              yield* ctx.step("two", () => Effect.succeed({ text }))
              if (ctx.attempt === 1) return yield* Effect.fail(new Error(`${"y".repeat(90)}${text}`))
              return { text, summary: text }
            })
          )
          const gateway = yield* EmbeddedGateway.make({ port: 0, token: Redacted.make(gatewayToken), directory: folder() })
          const logged: Array<string> = []
          const heard: Array<string> = []
          const options: HoldfastOptions = {
            state,
            skillsFolders: [skills],
            skills: [
              {
                name: "function",
                description: "",
                settings: { retry: { attempts: 2, first: "1 millisecond" }, report: { when: "always" } },
                work: inCode
              }
            ],
            redact: ["CANARY_PLAIN"],
            gateway: { url: gateway.url, token: Redacted.make(gatewayToken) },
            onEvent: (event) => void heard.push(JSON.stringify(event))
          }
          const scope = yield* Scope.make()
          const logger = Logger.layer([Logger.make(({ message, cause }) => void logged.push(JSON.stringify([message, cause])))])
          const services = yield* Layer.buildWithScope(Layer.provide(layer(options), logger), scope)
          const [runtime, store] = yield* Effect.provideContext(Effect.all([Runtime, StateStore]), services)
          const told = yield* Effect.forkScoped(
            Stream.runDrain(
              Stream.take(
                Stream.filter(store.events, ({ type }) => type === "entry.acknowledged"),
                4
              )
            ),
            { startImmediately: true }
          )
          const runs = yield* Effect.forEach(["module", "program", "function"], (name) => runtime.trigger(name))
          yield* runtime.trigger("garbled")
          yield* Effect.timeout(Fiber.join(told), 30_000)
          yield* runtime.pause("module", { by: "me", why: text })
          const rows = yield* gateway.transcript(mainSession)
          yield* Scope.close(scope, Exit.void)

          assert.deepStrictEqual(searched(state), [])
          assert.deepStrictEqual(found(JSON.stringify(rows), "transcript"), [])
          assert.deepStrictEqual(found(logged.join("\n"), "log"), [])
          assert.deepStrictEqual(found(heard.join("\n"), "events"), [])
          // And each of them was there to be found.
          for (const run of runs)
            assert.match(heard.join("\n"), new RegExp(`"run":"${run.replace("+", "\\+")}","outcome":"success".*redacted CANARY`))
          assert.strictEqual(rows.length, 4)
          assert.match(JSON.stringify(rows), /redacted CANARY_TOKEN/)
          assert.match(logged.join("\n"), /for the log: \[redacted CANARY_TOKEN\]/)
          for (const name of ["stdout.log", "stderr.log"])
            assert.match(fs.readFileSync(join(state, "runs", runs[0]!, name), "utf8"), /redacted CANARY_PLAIN/)
          assert.match(fs.readFileSync(join(state, "status.json"), "utf8"), /"got": ".*redacted gateway token/)
          assert.match(fs.readFileSync(join(state, "runs", runs[1]!, "result.json"), "utf8"), /redacted CANARY_PLAIN/)
        })
      )
    )
  )
})
