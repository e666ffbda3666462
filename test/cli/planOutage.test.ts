import { rmSync } from "node:fs"
import { join } from "node:path"
import { expect, it } from "vitest"
import { makeWorld, until } from "./holdfast.ts"

it("plan --outage says of each slot what would become of it, and counts that", { timeout: 60_000 }, async () => {
  const world = makeWorld()
  world.skill("local", { run: ["true"], schedule: { every: "1 hour" } })
  world.skill("digest", { run: ["true"], schedule: { every: "1 hour" }, needs: ["session"] })
  world.skill("paused", { run: ["true"], schedule: { every: "1 hour" } })
  world.skill("gone", { run: ["true"], schedule: { cron: "30 6 * * *", timezone: "UTC" } })
  world.skill("in-june", { run: ["true"], schedule: { cron: "* * * 6 *", timezone: "UTC" } })
  const runtime = world.start("up", "--state", world.state, "--skills", world.skills, "--gateway", "ws://localhost:1")
  const run = (...args: ReadonlyArray<string>) => world.run(...args, "--state", world.state)
  await until(async () => (await run("status")).stdout.includes("local") || undefined)
  expect((await run("pause", "paused", "--why", "no power")).code).toBe(0)
  runtime.kill("SIGINT")
  await runtime.ended
  rmSync(join(world.skills, "gone"), { recursive: true })

  const plan = (...args: ReadonlyArray<string>) =>
    run("plan", "--from", "2036-05-01T05:45:00Z", "--to", "2036-05-01T08:15:00Z", "--skills", world.skills, ...args)
  const session = ["--outage", "session=2036-05-01T06:30:00Z..2036-05-01T07:30:00Z"]
  const [json, table, again, alone, refused, twoEnds, tooLong, tooMany] = await Promise.all([
    plan(...session, "--json"),
    plan(...session, "--limit", "3"),
    plan(...session, "--limit", "3"),
    plan("local", "--outage", "runtime=2036-05-01T05:50:00Z..2036-05-01T07:30:00Z", "--json"),
    plan("--outage", "session=06:30"),
    plan(...session, "--for", "1 hour"),
    run("plan", "--from", "2036-05-01T05:45:00Z", "--for", "32 days", ...session),
    run(
      "plan",
      "in-june",
      "--from",
      "2036-05-31T00:00:00Z",
      "--for",
      "6 days",
      "--outage",
      "runtime=2036-06-01T00:00:00Z..2036-06-02T00:00:00Z"
    )
  ])
  const slots = json.stdout
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line))
  const line = (skill: string, hour: number, fate: string, reason: unknown = null, lateMs: number | null = null) => ({
    skill,
    slot: `2036-05-01T0${hour}:00:00Z`,
    fate,
    run: fate === "waits" ? null : `${skill}@20360501T0${hour}0000Z`,
    lateMs,
    reason
  })
  const paused = expect.stringMatching(/^paused by .*: no power; skipped once it is resumed$/)
  expect(slots).toEqual([
    line("digest", 6, "onTime", null, 0),
    line("local", 6, "onTime", null, 0),
    line("paused", 6, "waits", paused),
    { ...line("gone", 6, "unforeseen", expect.stringContaining("skills check")), slot: "2036-05-01T06:30:00Z", run: null },
    line("digest", 7, "late", "the runtime was degraded.sessionLost then (session refused)", 1_800_000),
    line("local", 7, "onTime", null, 0),
    line("paused", 7, "waits", paused),
    line("digest", 8, "onTime", null, 0),
    line("local", 8, "onTime", null, 0),
    line("paused", 8, "waits", paused),
    {
      slots: 10,
      onTime: 5,
      late: 1,
      waits: 3,
      unforeseen: 1,
      outages: [{ what: "session", from: "2036-05-01T06:30:00Z", to: "2036-05-01T07:30:00Z" }]
    }
  ])
  expect(table.stdout).toMatch(
    /^without session from .*\nSLOT +SKILL +FATE\n.* paused +waits +paused by .*\n.* gone +not foreseen +its files .*\n.* digest +late by 30 min +the runtime was .*\nand 7 more; --limit shows them\n10 slots: 5 on time, 1 late, 3 waiting at the end, 1 not foreseen\n$/
  )
  expect(again.stdout).toBe(table.stdout)
  expect(alone.stdout.trimEnd().split("\n").at(-1)).toContain(`"slots":3,"onTime":1,"late":1,"coalesced":1`)

  expect(refused).toMatchObject({ code: 64, stderr: expect.stringContaining("OUTAGE_SYNTAX at holdfast plan --outage") })
  expect(twoEnds).toMatchObject({ code: 64, stderr: expect.stringContaining("FLAGS_CONFLICT at holdfast plan") })
  expect(tooLong.stderr).toContain("PLAN_TOO_LONG at holdfast plan --outage\n  got 32 days, want at most 31 days")
  expect(tooMany).toMatchObject({ code: 64, stderr: expect.stringContaining("got 7201 slots, want at most 5000 slots") })
})
