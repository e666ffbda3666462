import { expect, it } from "vitest"
import { makeWorld, until } from "./holdfast.ts"

it("why says what became of a slot, with its attempts, also while the runtime is down", { timeout: 90_000 }, async () => {
  const world = makeWorld()
  world.skill("flaky", {
    run: ["sh", "-c", 'test "$HOLDFAST_ATTEMPT" = 2 || { echo no luck >&2; exit 3; }'],
    schedule: { every: "3 seconds" },
    retry: { first: "100 milliseconds" }
  })
  const runtime = world.start("up", "--state", world.state, "--skills", world.skills)
  const [, id = ""] = await runtime
    .says(/run {5}flaky {2}success {2}slot/)
    .then(async () => /^(flaky@\S+)/m.exec((await world.run("runs", "flaky", "--state", world.state)).stdout)!)
  const why = (...args: ReadonlyArray<string>) => world.run("why", ...args, "--state", world.state)
  const told = await why("flaky", id)
  expect(told.code).toBe(0)
  expect(told.stdout).toMatch(
    new RegExp(
      [
        `^flaky, slot .* of every 3 seconds`,
        `  run: it became a run of its own`,
        `  the runtime was standalone then: .*`,
        `  run ${id}`,
        `    \\S+  attempt 1 began, \\d+ ms after the slot`,
        `    \\S+  it failed: .*exit 3: no luck; to be tried again at \\S+`,
        `    \\S+  attempt 2 began`,
        `    \\S+  success after .*`,
        `  the next slot is .*\\n$`
      ].join("\\n")
    )
  )

  expect((await world.run("pause", "flaky", "--why", "enough", "--state", world.state)).code).toBe(0)
  await until(async () => (await why("flaky")).stdout.includes("waits: paused by") || undefined)
  expect((await world.run("resume", "flaky", "--state", world.state)).code).toBe(0)
  runtime.kill("SIGINT")
  await runtime.ended
  await until(async () => (await why("flaky")).stdout.includes("no runtime is at work") || undefined)

  const json = JSON.parse((await why("flaky", id, "--json")).stdout)
  expect(json).toMatchObject({ skill: "flaky", verdict: "run", run: id, record: { type: "run.claimed" } })
  expect(json.events.map(({ type }: { readonly type: string }) => type)).toContain("run.settled")

  expect(await why("flakey")).toMatchObject({ code: 1, stderr: expect.stringContaining("did you mean flaky?") })
  expect(await why("flaky", "soon")).toMatchObject({ code: 64, stderr: expect.stringContaining("TIME_SYNTAX at holdfast why") })
  expect(await why("flaky", "2020-01-01T00:00:00Z")).toMatchObject({
    code: 1,
    stderr: expect.stringMatching(/SLOT_UNKNOWN at flaky\n.*\n {2}fix: the first slot/)
  })
})
