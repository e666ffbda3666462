import { rmSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { expect, it } from "vitest"
import { makeWorld, until } from "./holdfast.ts"

it("reload takes over what has changed, all or nothing, and SIGHUP asks for the same", { timeout: 60_000 }, async () => {
  const world = makeWorld({ POST_TOKEN: "not-to-be-shown" })
  const run = (...args: ReadonlyArray<string>) => world.run(...args, "--state", world.state)
  world.skill("gone", { run: ["sleep", "600"], schedule: { every: "1 hour" } })
  world.skill("tick", { run: ["true"], schedule: { every: "1 hour" } })
  const runtime = world.start("up", "--state", world.state, "--skills", world.skills)
  await runtime.says(/standalone/)
  await run("trigger", "gone")
  await until(async () => (await run("state", "export")).stdout.includes('"attempt.spawned"') || undefined)

  writeFileSync(join(world.skills, "tick", "SKILL.md"), "---\nname: [\n---\n")
  const before = (await run("state", "export")).stdout
  expect(await run("reload")).toMatchObject({ code: 1, stderr: expect.stringMatching(/RELOAD_REFUSED at \S+tick.SKILL\.md/) })
  expect((await run("state", "export")).stdout).toBe(before)

  world.skill("tick", { run: ["true"], schedule: { every: "1 second" }, env: ["POST_TOKEN"] })
  expect(await run("reload")).toMatchObject({ code: 1, stderr: expect.stringContaining("RELOAD_SECRET, POST_TOKEN") })

  rmSync(join(world.skills, "gone"), { recursive: true })
  world.skill("tick", { run: ["true"], schedule: { every: "1 second" } })
  world.skill("new", { run: ["true"], schedule: { every: "1 second" } })
  expect(await run("reload")).toMatchObject({ code: 0, stdout: "added new; changed tick; removed gone\n" })
  expect((await run("runs", "gone", "--json")).stdout).toContain('"cancelled"')
  await runtime.says(/run +tick +success/)
  await runtime.says(/run +new +success/)

  rmSync(join(world.skills, "new"), { recursive: true })
  runtime.kill("SIGHUP")
  await runtime.says(/reload +removed new/)
  writeFileSync(join(world.skills, "tick", "SKILL.md"), "---\nname: [\n---\n")
  runtime.kill("SIGHUP")
  await runtime.says(/reload +.*RELOAD_REFUSED/)
  runtime.kill("SIGTERM")
  expect((await runtime.ended).code).toBe(0)
})
