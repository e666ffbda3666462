import { userInfo } from "node:os"
import { expect, it } from "vitest"
import { makeWorld, until } from "./holdfast.ts"

it("pause keeps slots from becoming runs, status says who and why, and resume says when the next one is", { timeout: 60_000 }, async () => {
  const world = makeWorld()
  world.skill("tick", { run: ["true"], schedule: { every: "1 second" } })
  const runtime = world.start("up", "--state", world.state, "--skills", world.skills)
  await runtime.says(/run {5}tick {2}success/)
  const run = (...args: ReadonlyArray<string>) => world.run(...args, "--state", world.state)

  const pausedFromMs = Date.now()
  expect(await run("pause", "tick", "--why", "no power")).toMatchObject({
    code: 0,
    stdout: "tick is paused; holdfast resume tick ends that\n"
  })
  const words = `paused by ${userInfo().username}: no power`
  await until(async () => (await run("status")).stdout.includes(`tick paused: ${words}`) || undefined)
  expect((await run("status", "--exit-code")).code).toBe(0)
  expect(await run("trigger", "tick", "--wait")).toMatchObject({ code: 0 })

  await until(() => (Date.now() > pausedFromMs + 2_000 ? true : undefined)) // A slot each second: at least one of them is skipped.
  const resumed = await run("resume", "tick")
  expect(resumed).toMatchObject({
    code: 0,
    stdout: expect.stringMatching(/^tick is resumed; its next slot is at \d\d:\d\d:\d\d (now|in .*)\n$/)
  })
  expect(await run("resume", "tick")).toMatchObject({ code: 1, stderr: expect.stringContaining("SKILL_NOT_PAUSED at tick") })
  expect(await run("pause", "tock")).toMatchObject({ code: 1, stderr: expect.stringContaining("did you mean tick?") })

  const exported = (await run("state", "export")).stdout.trimEnd().split("\n")
  const skipped = exported.map((line) => JSON.parse(line)).filter(({ type }) => type === "slot.settled")
  expect(skipped).toEqual([expect.objectContaining({ verdict: "skipped", reason: words })])
})
