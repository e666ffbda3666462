import { expect, it } from "vitest"
import { makeWorld } from "./holdfast.ts"

it(
  "trigger prints the run's id; --wait leaves with 0 for a success and 1 for a failure; the same key is the same run",
  { timeout: 90_000 },
  async () => {
    const world = makeWorld()
    world.skill("good", { run: ["true"] })
    world.skill("bad", { run: ["false"], retry: { attempts: 1 } })
    const runtime = world.start("up", "--state", world.state, "--skills", world.skills)
    await runtime.says(/standalone/)
    const trigger = (...args: ReadonlyArray<string>) => world.run("trigger", ...args, "--state", world.state)

    expect(await trigger("good", "--wait")).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/^good@\d{8}T\d{6}(\.\d+)?Z\+manual-\S+\nsuccess after .*\n$/)
    })
    expect(await trigger("bad", "--wait")).toMatchObject({ code: 1, stdout: expect.stringMatching(/^bad@\S+\nfailed after .*: .*\n$/) })
    const json = await trigger("bad", "--wait", "--json")
    expect(json.code).toBe(1)
    expect(JSON.parse(json.stdout)).toMatchObject({ skill: "bad", outcome: "failed" })

    const once = await trigger("good", "--key", "launch", "--wait")
    expect(once.stdout).toMatch(/^good@\S+\+manual-launch\n/)
    expect((await trigger("good", "--key", "launch")).stdout).toBe(`${once.stdout.split("\n")[0]}\n`)

    expect(await trigger("god")).toMatchObject({
      code: 1,
      stdout: "",
      stderr: expect.stringMatching(/^SKILL_UNKNOWN at skill\n.*\n {2}fix: did you mean good\?\n$/)
    })
    runtime.kill("SIGINT")
    await runtime.ended
    expect(await trigger("good")).toMatchObject({ code: 69, stderr: expect.stringMatching(/^RUNTIME_DOWN at /) })
  }
)

it("runs cancel ends a run that is under way, once what it started is gone", { timeout: 60_000 }, async () => {
  const world = makeWorld()
  world.skill("endless", { run: ["sleep", "600"] })
  const runtime = world.start("up", "--state", world.state, "--skills", world.skills)
  await runtime.says(/standalone/)
  const waiting = world.start("trigger", "endless", "--wait", "--state", world.state)
  const [id] = await waiting.says(/^endless@\S+/)
  const cancel = (run: string) => world.run("runs", "cancel", run, "--state", world.state)
  expect(await cancel(id)).toMatchObject({ code: 0, stdout: `${id} is cancelled\n` })
  expect(await waiting.ended).toMatchObject({ code: 1, stdout: expect.stringContaining("cancelled after") })
  expect(await cancel(id)).toMatchObject({ code: 1, stderr: expect.stringContaining("has ended: cancelled") })
  expect(await cancel("endless@20200101T000000Z")).toMatchObject({ code: 1, stderr: expect.stringContaining("RUN_UNKNOWN at run") })
})

it("a wait does not outlive the runtime it waits for", { timeout: 60_000 }, async () => {
  const world = makeWorld()
  world.skill("endless", { run: ["sleep", "600"] })
  const runtime = world.start("up", "--state", world.state, "--skills", world.skills)
  await runtime.says(/standalone/)
  const waiting = world.start("trigger", "endless", "--wait", "--state", world.state)
  await waiting.says(/^endless@/)
  runtime.kill("SIGINT")
  await runtime.says(/waiting for endless/)
  runtime.kill("SIGINT")
  await runtime.ended
  expect(await waiting.ended).toMatchObject({
    code: 69,
    stderr: expect.stringMatching(/^RUNTIME_DOWN at .*\n {2}got endless@\S+ is not settled/)
  })
})
