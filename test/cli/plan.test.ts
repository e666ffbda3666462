import { expect, it } from "vitest"
import { makeWorld, until } from "./holdfast.ts"

it("plan lists the slots to come in their order, marks those of a pause, and counts what it leaves out", { timeout: 60_000 }, async () => {
  const world = makeWorld()
  world.skill("hourly", { run: ["true"], schedule: { every: "1 hour" } })
  world.skill("daily", { run: ["true"], schedule: { cron: "30 6 * * *", timezone: "UTC" } })
  world.skill("by-hand", { run: ["true"] })
  const runtime = world.start("up", "--state", world.state, "--skills", world.skills)
  await runtime.says(/standalone/)
  const run = (...args: ReadonlyArray<string>) => world.run(...args, "--state", world.state)
  await until(async () => (await run("status")).stdout.includes("hourly") || undefined)
  expect((await run("pause", "daily", "--why", "no power")).code).toBe(0)
  runtime.kill("SIGINT")
  await runtime.ended

  const from = "2036-05-01T05:45:00Z"
  const json = await run("plan", "--from", from, "--for", "2 hours", "--json")
  expect(json.code).toBe(0)
  expect(
    json.stdout
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line))
  ).toEqual([
    { skill: "hourly", slot: "2036-05-01T06:00:00Z", run: "hourly@20360501T060000Z", note: null },
    {
      skill: "daily",
      slot: "2036-05-01T06:30:00Z",
      run: "daily@20360501T063000Z",
      note: expect.stringContaining("to be skipped: paused by ")
    },
    { skill: "hourly", slot: "2036-05-01T07:00:00Z", run: "hourly@20360501T070000Z", note: null }
  ])
  const table = await run("plan", "--from", from, "--for", "3 days", "--limit", "2")
  expect(table.stdout).toMatch(
    /hourly +every 1 hour[^]*daily +cron 30 6 \* \* \* \(UTC\) +to be skipped: paused by .*no power[^]*and 73 more; --limit shows them\n$/
  )
  expect((await run("plan", "daily", "--from", from, "--for", "1 day", "--json")).stdout.trim().split("\n").length).toBe(1)
  expect((await run("plan", "by-hand")).stdout).toBe("no slots within 1 day\n")

  expect(await run("plan", "weekly")).toMatchObject({ code: 1, stderr: expect.stringContaining("SKILL_UNKNOWN") })
  expect(await run("plan", "--from", "soon")).toMatchObject({
    code: 64,
    stderr: expect.stringContaining("TIME_SYNTAX at holdfast plan --from")
  })
  expect(await run("plan", "--for", "a while")).toMatchObject({
    code: 64,
    stderr: expect.stringContaining("DURATION at holdfast plan --for")
  })
  const [one, soon, before] = await Promise.all([
    run("plan", "daily", "--from", from, "--to", "2036-05-02T06:30:00Z", "--json"),
    run("plan", "--to", "soon"),
    run("plan", "--from", from, "--to", from)
  ])
  expect(one.stdout.trim().split("\n").length).toBe(2)
  expect(soon).toMatchObject({ code: 64, stderr: expect.stringContaining("TIME_SYNTAX at holdfast plan --to") })
  expect(before).toMatchObject({ code: 64, stderr: expect.stringContaining("TIME_ORDER at holdfast plan --to") })
})
