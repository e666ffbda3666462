import { readdirSync, readFileSync, statSync, writeFileSync } from "node:fs"
import { createServer as createHttp } from "node:http"
import { type AddressInfo, createServer } from "node:net"
import { join } from "node:path"
import { expect, it, onTestFinished } from "vitest"
import { type WebSocket, WebSocketServer } from "ws"
import { makeWorld, until } from "./holdfast.ts"

const canary = "canary-7f3a91d2c4b8e650"
/** Every file below a folder, as one text. */
const everything = (folder: string): string =>
  readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => readFileSync(join(entry.parentPath, entry.name), "utf8"))
    .join("\n")

it("a runtime follows its gateway through a kill and back; the token is in no output and no file", { timeout: 120_000 }, async () => {
  const world = makeWorld({ HOLDFAST_GATEWAY_TOKEN: canary })
  world.skill("tick", { schedule: { every: "1 second" }, run: ["true"], report: { when: "always" } })
  world.skill("asks", { schedule: { every: "1 second" }, run: ["true"], needs: ["session"] })
  const gateway = world.start("gateway", "--port", "0", "--directory", "gateway", "--json")
  const { port } = JSON.parse((await gateway.says(/^\{.*\}$/m))[0])
  const runtime = world.start("up", "--state", world.state, "--skills", world.skills, "--gateway", `ws://localhost:${port}`)
  await runtime.says(/mode {4}connected/)
  await runtime.says(/report {2}tick@\S+ {2}acknowledged/)

  gateway.kill("SIGKILL")
  await runtime.says(
    /connected[^]*mode {4}degraded\.partitioned: session and gateway down \(session \w+, gateway \w+\)\n +local skills: fires/
  )
  await runtime.says(/partitioned[^]*held {4}asks {2}waits: needs session/)
  await runtime.says(/partitioned[^]*waits[^]*run {5}tick {2}success/)
  const degraded = await until(async () => {
    const ended = await world.run("status", "--state", world.state, "--exit-code")
    return /asks +held/.test(ended.stdout) ? ended : undefined
  })
  expect(degraded.code).toBe(1)
  expect(degraded.stdout).toMatch(/^degraded\.partitioned {2}[^]*outbox {2}[1-9]\d* waiting \(oldest /)

  const again = world.start("gateway", "--port", String(port), "--directory", "gateway")
  await again.says(/listening/)
  await runtime.says(/waits[^]*mode {4}connected/)
  const outputs = await Promise.all([
    world.run("status", "--state", world.state, "--json"),
    world.run("runs", "--state", world.state, "--json"),
    world.run("skills", "check", "skills", "--json"),
    world.run("up", "--state", world.state, "--gateway", `http://${canary}@localhost:${port}`),
    world.run("up", "--state", world.state, "--gateway", `ws://localhost:${port}`)
  ])
  runtime.kill("SIGTERM")
  again.kill("SIGTERM")
  const ends = [await runtime.ended, await again.ended, await gateway.ended, ...outputs]
  expect(ends.slice(0, 2).map(({ code }) => code)).toEqual([0, 0])
  for (const { stdout, stderr } of ends) expect(stdout + stderr).not.toContain(canary)
  expect(everything(world.home)).not.toContain(canary)
})

it(
  "the gateway makes its token file for its owner alone, keeps it, and prints its place and not what is in it",
  { timeout: 60_000 },
  async () => {
    const world = makeWorld()
    const first = world.start("gateway", "--port", "0", "--directory", "gateway")
    await first.says(/token in \S+\/gateway\/token/)
    const file = join(world.home, "gateway/token")
    const token = readFileSync(file, "utf8").trim()
    expect(token).toMatch(/^[0-9a-f]{64}$/)
    expect(statSync(file).mode & 0o777).toBe(0o600)
    first.kill("SIGINT")
    const { code, stdout, stderr } = await first.ended
    expect(code).toBe(0)
    expect(stdout + stderr).not.toContain(token)
    const second = world.start("gateway", "--port", "0", "--directory", "gateway")
    await second.says(/listening/)
    expect(readFileSync(file, "utf8").trim()).toBe(token)
  }
)

it("a port that is taken leaves with 69, a script that is wrong with 78", { timeout: 60_000 }, async () => {
  const world = makeWorld()
  const taken = createServer()
  await new Promise<void>((listening) => taken.listen(0, "127.0.0.1", listening))
  onTestFinished(() => {
    taken.close()
  })
  const { port } = taken.address() as { port: number }
  writeFileSync(join(world.home, "drill.json"), '[{ "at": "1 second", "do": "hangg" }]')
  const [inUse, wrong] = await Promise.all([
    world.run("gateway", "--port", String(port), "--directory", "gateway"),
    world.run("gateway", "--port", "0", "--directory", "other", "--script", "drill.json")
  ])
  expect(inUse).toMatchObject({ code: 69, stdout: "", stderr: expect.stringMatching(/^LISTEN_IN_USE at /) })
  expect(wrong).toMatchObject({ code: 78, stdout: "", stderr: expect.stringContaining("did you mean hang?".replace("d", "D")) })
})

it("up says what a person has to mend, also when the mode stays as it is", { timeout: 60_000 }, async () => {
  const world = makeWorld({ HOLDFAST_GATEWAY_TOKEN: canary })
  const server = createHttp((_, response) => response.end(JSON.stringify({ ready: true })))
  onTestFinished(() => server.close().closeAllConnections())
  const sockets = new WebSocketServer({ server })
  const refuse = (socket: WebSocket) => socket.close(1008)
  await new Promise<void>((listening) => server.listen(0, "127.0.0.1", listening))
  const runtime = world.start("up", "--state", world.state, "--gateway", `ws://localhost:${(server.address() as AddressInfo).port}`)
  await runtime.says(/mode {4}degraded\.sessionLost/)
  sockets.on("connection", refuse)
  for (const socket of sockets.clients) refuse(socket)
  await runtime.says(/link {4}GATEWAY_AUTH/)
})
