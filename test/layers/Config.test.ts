import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import * as NodePath from "@effect/platform-node/NodePath"
import { ConfigProvider, Effect, Layer, Redacted } from "effect"
import * as fs from "node:fs"
import * as os from "node:os"
import * as path from "node:path"
import { inspect } from "node:util"
import { afterAll, beforeEach, describe, expect, it } from "vitest"
import { Config, configJsonSchema, type RuntimeConfig } from "../../src/layers/Config.ts"

const base = fs.realpathSync(fs.mkdtempSync(path.join(os.tmpdir(), "holdfast-config-")))
let root: string
let turn = 0
beforeEach(() => {
  fs.mkdirSync((root = path.join(base, String(turn++))))
})
afterAll(() => fs.rmSync(base, { recursive: true, force: true }))

const write = (value: unknown, mode = 0o644) => {
  const file = path.join(root, "holdfast.config.json")
  fs.writeFileSync(file, typeof value === "string" ? value : JSON.stringify(value))
  fs.chmodSync(file, mode)
  return file
}
const using = (file: string | undefined, env: Record<string, string>) =>
  Config.use((config) => config.load(file)).pipe(
    Effect.provide(Config.layer.pipe(Layer.provide([NodeFileSystem.layer, NodePath.layer]))),
    Effect.provide(ConfigProvider.layer(ConfigProvider.fromEnv({ env })))
  )
const load = (file: string | undefined, env: Record<string, string> = {}): Promise<RuntimeConfig> => Effect.runPromise(using(file, env))
const refusal = (file: string, env: Record<string, string> = {}) => Effect.runPromise(Effect.flip(using(file, env)))
const token = (config: RuntimeConfig) => (config.token === undefined ? undefined : Redacted.value(config.token))
const local = { url: "ws://localhost:3019" }

describe("the config file", () => {
  it("is read whole, its paths from its own folder", async () => {
    const file = write({
      $schema: "./config.schema.json",
      state: "state",
      status: "/srv/status",
      skillsFolders: ["skills", "/opt/skills"],
      timezone: "Asia/Tokyo",
      gateway: { ...local, session: "main" },
      report: { when: "failure", via: "wake", digest: { above: 3 } },
      env: ["BLOG_KEY"],
      agent: { command: ["./agent.sh", "{promptFile}"], timeout: "5 minutes", perDay: 20, env: ["KEY"] },
      redact: ["DATABASE_URL"],
      drainDeadline: "90s",
      skills: { "post-pipeline": { schedule: { every: "1 hour" }, retry: { attempts: 2 } } }
    })
    expect(await load(file)).toMatchObject({
      file,
      state: path.join(root, "state"),
      status: "/srv/status",
      skillsFolders: [path.join(root, "skills"), "/opt/skills"],
      zone: "Asia/Tokyo",
      gateway: { url: { ws: "ws://localhost:3019/", distance: "loopback" }, session: "main" },
      token: undefined,
      report: { when: "failure", via: "wake" },
      digest: { afterMs: 1_800_000, above: 3 },
      env: ["BLOG_KEY"],
      agent: { command: [path.join(root, "agent.sh"), "{promptFile}"], timeout: "5 minutes", perDay: 20, env: ["KEY"] },
      redact: ["DATABASE_URL"],
      drainDeadlineMs: 90_000,
      overrides: { "post-pipeline": { schedule: { every: "1 hour" }, retry: { attempts: 2 } } }
    })
  })
  it("may be empty, or absent when none is named", async () => {
    const nothing = {
      state: undefined,
      status: undefined,
      skillsFolders: [],
      zone: undefined,
      gateway: undefined,
      token: undefined,
      env: [],
      drainDeadlineMs: undefined,
      overrides: {}
    }
    expect(await load(write({}))).toMatchObject(nothing)
    expect(await load(undefined)).toMatchObject({ file: undefined, ...nothing })
  })
  it("that is named must be there", async () => {
    expect(await refusal(path.join(root, "none.json"))).toMatchObject({
      _tag: "ConfigInvalid",
      code: "CONFIG_MISSING",
      where: path.join(root, "none.json"),
      fix: expect.stringContaining("holdfast init")
    })
    expect(await refusal(root)).toMatchObject({ code: "CONFIG_UNREADABLE" })
  })
  it("is small, and not writable by everybody", async () => {
    expect(await refusal(write(" ".repeat(262_145)))).toMatchObject({ code: "CONFIG_TOO_LARGE" })
    expect(await refusal(write({}, 0o646))).toMatchObject({ code: "CONFIG_PERMISSIONS", got: "mode 0646" })
  })
  it.each([
    [{ timezone: "Asia/Tokio" }, "TIMEZONE_UNKNOWN"],
    [{ gateway: { url: "http://localhost:3019" } }, "GATEWAY_URL"],
    [{ gateway: { url: "ws://u:canary@localhost:1" } }, "GATEWAY_URL_CREDENTIALS"],
    [{ gateway: { ...local, tokenFile: "none" } }, "SECRET_MISSING"]
  ])("%j is refused with %s", async (value, code) => {
    const problem = await refusal(write(value))
    expect(problem.code).toBe(code)
    expect(JSON.stringify(problem)).not.toContain("canary")
  })
})

describe("the agent's command", () => {
  it.each<[string, unknown, string, string, string]>([
    ["names the text itself", ["agent", "--message", "{prompt}"], "FIELD_RANGE", "command[2]", "{prompt}"],
    ["names what there is not", ["agent", "--key=x-{slot}"], "FIELD_RANGE", "command[1]", "--key=x-{slot}"],
    ["lets a placeholder choose the program", ["{run}"], "FIELD_RANGE", "command", '["{run}"]'],
    ["has a program in a folder above", ["../agent"], "FIELD_RANGE", "command", '["../agent"]'],
    ["has no word", [], "FIELD_RANGE", "command", "[]"],
    ["is a line for a shell", "agent --local", "FIELD_TYPE", "command", "agent --local"]
  ])("is refused where it %s", async (_, command, code, where, got) => {
    const file = write({ agent: { command } })
    expect(await refusal(file)).toMatchObject({ code, where: `${file} agent.${where}`, got })
  })
  it("may hold braces that name nothing, as JSON does", async () => {
    const command = ["agent", '{"run": 1}', "{}", "{run}-{skill}", "--file={promptFile}"]
    expect((await load(write({ agent: { command } }))).agent).toEqual({ command })
  })
  it("has a budget of at least one", async () => {
    expect(await refusal(write({ agent: { command: ["agent"], perDay: 0 } }))).toMatchObject({ code: "FIELD_RANGE", got: "0" })
    expect(await refusal(write({ agent: {} }))).toMatchObject({ code: "FIELD_MISSING" })
  })
})

describe("the token", () => {
  const secret = "canary-5e1d"
  const withTokenFile = (content: string, mode = 0o600) => {
    fs.writeFileSync(path.join(root, "token"), content)
    fs.chmodSync(path.join(root, "token"), mode)
    return write({ gateway: { ...local, tokenFile: "token" } })
  }
  it("comes from a file of its owner alone", async () => {
    const config = await load(withTokenFile(`${secret}\n`))
    expect(token(config)).toBe(secret)
    expect(`${JSON.stringify(config)} ${inspect(config, { depth: 9 })}`).not.toContain("canary")
  })
  it.each([0o640, 0o604, 0o666])("is refused from a file of mode %o", async (mode) => {
    const problem = await refusal(withTokenFile(secret, mode))
    expect(problem).toMatchObject({ code: "CONFIG_PERMISSIONS", want: "mode 0600" })
    expect(JSON.stringify(problem)).not.toContain("canary")
  })
  it.each([
    ["", "empty"],
    [`${secret}\nmore`, "lines"],
    ["x".repeat(5_000), "4096"]
  ])("is refused when the file is not one line: %#", async (content, got) => {
    const problem = await refusal(withTokenFile(content))
    expect(problem).toMatchObject({
      code: "SECRET_MISSING",
      where: expect.stringContaining("gateway.tokenFile"),
      got: expect.stringContaining(got === "lines" ? "line" : got)
    })
    expect(JSON.stringify(problem)).not.toContain("canary")
  })
  it("in the environment wins, and needs no file", async () => {
    expect(token(await load(withTokenFile("other"), { HOLDFAST_GATEWAY_TOKEN: secret }))).toBe(secret)
    expect(token(await load(undefined, { HOLDFAST_GATEWAY_TOKEN: secret }))).toBe(secret)
    expect(token(await load(withTokenFile("other", 0o644), { HOLDFAST_GATEWAY_TOKEN: secret }))).toBe(secret)
  })
  it("is missing when the variable is empty", async () => {
    expect(await load(undefined, { HOLDFAST_HOOK_TOKEN: secret })).toMatchObject({ token: undefined, hookToken: Redacted.make(secret) })
    expect(await refusal(write({ gateway: { ...local, hookTokenFile: "none" } }))).toMatchObject({
      code: "SECRET_MISSING",
      where: expect.stringContaining("gateway.hookTokenFile")
    })
    expect(await refusal(write({}), { HOLDFAST_GATEWAY_TOKEN: " " })).toMatchObject({
      code: "SECRET_MISSING",
      where: "HOLDFAST_GATEWAY_TOKEN"
    })
  })
})

describe("the JSON Schema", () => {
  it("in docs is the one that the code gives (UPDATE_SCHEMA=1 writes it anew)", () => {
    const file = path.join(import.meta.dirname, "../../docs/config.schema.json")
    const text = `${JSON.stringify(configJsonSchema(), null, 2)}\n`
    if (process.env["UPDATE_SCHEMA"] === "1") fs.writeFileSync(file, text)
    expect(fs.readFileSync(file, "utf8")).toBe(text)
  })
  it("is closed: an editor marks a mistyped key", () => {
    const { properties, additionalProperties } = configJsonSchema() as { properties: Record<string, any>; additionalProperties: unknown }
    expect(additionalProperties).toBe(false)
    expect(properties["gateway"]).toMatchObject({ additionalProperties: false, required: ["url"] })
    expect(Object.keys(properties)).toContain("skillsFolders")
  })
})
