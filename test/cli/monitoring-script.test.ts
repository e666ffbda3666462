import { spawnSync } from "node:child_process"
import { existsSync } from "node:fs"
import { join } from "node:path"
import { expect, it } from "vitest"
import { makeWorld, until } from "./holdfast.ts"

/** As operators have it. Only the port is replaced, by sed. */
const script = `GATEWAY_STATUS=$(curl -s http://localhost:3019/health || echo "FAIL")
SKILL_STATUS=$(find ~/.openclaw/skills/status -name "*.txt" -mmin -60 | wc -l)
if [ "$GATEWAY_STATUS" = "FAIL" ] && [ "$SKILL_STATUS" -gt 0 ]; then echo "Graceful degradation mode"; else echo "All systems operational"; fi
`
const hasCurl = spawnSync("curl", ["--version"]).status === 0

it("the monitoring script sees the gateway up, and its death with the skills going on", { timeout: 90_000 }, async ({ skip }) => {
  if (!hasCurl) skip("curl is not installed on this machine, and the script needs it")
  const world = makeWorld({ HOLDFAST_GATEWAY_TOKEN: "for-this-test-alone" })
  world.skill("tick", { schedule: { every: "1 second" }, run: ["true"] })
  const status = join(world.home, ".openclaw/skills/status")
  const gateway = world.start("gateway", "--port", "0", "--directory", "gateway", "--json")
  const { port } = JSON.parse((await gateway.says(/^\{.*\}$/m))[0])
  const monitor = () => {
    const ported = spawnSync("sed", [`s/:3019/:${port}/`], { input: script, encoding: "utf8" }).stdout
    return spawnSync("bash", ["-c", ported], { env: world.env, encoding: "utf8" }).stdout
  }
  const runtime = world.start(
    "up",
    "--state",
    world.state,
    "--skills",
    world.skills,
    "--gateway",
    `ws://localhost:${port}`,
    "--status",
    status
  )
  await runtime.says(/mode {4}connected/)
  await until(() => (existsSync(join(status, "tick.txt")) ? true : undefined))
  expect(monitor()).toBe("All systems operational\n")

  gateway.kill("SIGKILL")
  await gateway.ended
  expect(monitor()).toBe("Graceful degradation mode\n")
  await runtime.says(/partitioned[^]*tick {2}success/)
  expect(monitor()).toBe("Graceful degradation mode\n")
})
