import { userInfo } from "node:os"
import { expect, it } from "vitest"
import { makeWorld, until } from "./holdfast.ts"

it("backfill lists what it would do, does it once, and why and runs tell of it afterwards", { timeout: 90_000 }, async () => {
  const world = makeWorld()
  world.skill("hourly", {
    run: ["sh", "-c", 'test "$HOLDFAST_SLOT" != 2024-11-20T07:00:00Z'],
    schedule: { every: "1 hour" },
    retry: { attempts: 1 }
  })
  const runtime = world.start("up", "--state", world.state, "--skills", world.skills)
  await runtime.says(/standalone/)
  const run = (...args: ReadonlyArray<string>) => world.run(...args, "--state", world.state)
  const range = ["--from", "2024-11-20T06:00:00Z", "--to", "2024-11-20T08:00:00Z"]
  const backfill = (...args: ReadonlyArray<string>) => run("backfill", "hourly", ...range, ...args)
  const ids = ["hourly@20241120T060000Z", "hourly@20241120T070000Z", "hourly@20241120T080000Z"]

  const [first = "", second = "", third = ""] = ids
  const tried = await backfill("--dry-run", "--limit", "2")
  expect(tried.stdout).toMatch(
    new RegExp(
      `${first} +2024-11-[\\d: ]+ - +run\n${second} .* - +run\n${third} .* - +left out: over the limit\n1 more; ask again, or with --limit or --all\n$`
    )
  )
  expect(await backfill("--limit", "2", "--why", "the disk was full")).toMatchObject({
    code: 0,
    stdout: `${first}\n${second}\n`,
    stderr: "1 more; ask again, or with --limit or --all\n"
  })
  expect(JSON.parse((await backfill("--all", "--json")).stdout)).toEqual({
    skill: "hourly",
    runs: [third],
    leftOut: { hasRun: 2 },
    more: 0
  })
  await until(async () => (await run("runs", "--waiting")).stdout === "no such runs\n" || undefined)
  expect(await run("backfill", "hourly", "--from", range[1]!)).toMatchObject({
    code: 64,
    stderr: expect.stringContaining("FLAG_MISSING at holdfast backfill --to")
  })
  expect(await backfill("--all", "--limit", "2")).toMatchObject({ code: 64, stderr: expect.stringContaining("FLAG_TWICE") })
  runtime.kill("SIGINT")
  await runtime.ended

  expect(await backfill()).toMatchObject({ code: 69, stderr: expect.stringMatching(/^RUNTIME_DOWN at /) })
  const again = (await backfill("--dry-run", "--json")).stdout
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line))
  expect(again).toEqual(ids.map((id) => expect.objectContaining({ run: id, record: null, would: "leaveOut", barrier: "hasRun" })))
  expect(await run("backfill", "hurly", ...range, "--dry-run")).toMatchObject({
    code: 1,
    stderr: expect.stringContaining("did you mean hourly?")
  })
  const why = (await run("why", "hourly", first)).stdout
  expect(why).toMatch(/nothing was owed then: its schedule was adopted /)
  expect(why).toMatch(new RegExp(`${userInfo().username} asked for a run of it [\\d-]+ \\d\\d:\\d\\d: the disk was full\\n`))
  expect(why).toMatch(/\n {2}run hourly@20241120T060000Z\n[^]*success after/)

  const list = async (...args: ReadonlyArray<string>) =>
    (await run("runs", "hourly", "--json", ...args)).stdout.split("\n").flatMap((line) => (line === "" ? [] : [JSON.parse(line).run]))
  const lists = await Promise.all([
    list("--outcome", "failed,cancelled"),
    list("--outcome", "success", "--waiting", "--since", "2024-11-20T09:00:00Z"),
    list("--until", "2024-11-20T09:00:00Z"),
    list("--waiting")
  ])
  expect(lists).toEqual([[second], [third, first], [], []])
  const [none, unknown, noTime] = await Promise.all([
    run("runs", "hourly", "--outcome", "cancelled"),
    run("runs", "--outcome", "failed,sucess"),
    run("runs", "--since", "soon")
  ])
  expect(none.stdout).toBe("no such runs of hourly\n")
  expect(unknown).toMatchObject({
    code: 64,
    stderr: expect.stringMatching(/^OUTCOME_UNKNOWN at holdfast runs --outcome\n.*\n {2}fix: did you mean success\?\n$/)
  })
  expect(noTime).toMatchObject({ code: 64, stderr: expect.stringContaining("TIME_SYNTAX at holdfast runs --since") })
})
