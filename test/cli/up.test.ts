import { appendFileSync, existsSync, mkdirSync, readdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { expect, it } from "vitest"
import { makeWorld, until, type World } from "./holdfast.ts"

const everySecond = { schedule: { every: "1 second" }, run: ["true"] }
const up = (world: World, ...args: ReadonlyArray<string>) => world.start("up", "--state", world.state, "--skills", world.skills, ...args)
const picture = (world: World) => {
  const file = join(world.state, "status.json")
  return existsSync(file) ? JSON.parse(readFileSync(file, "utf8")) : undefined
}
const runs = async (world: World): Promise<ReadonlyArray<Record<string, unknown>>> =>
  (await world.run("runs", "--state", world.state, "--json")).stdout
    .trim()
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line))

it(
  "says its mode and what that promises, runs a skill, writes its status file, and leaves with 0 after SIGINT",
  { timeout: 60_000 },
  async () => {
    const world = makeWorld()
    world.skill("tick", everySecond)
    const runtime = up(world)
    await runtime.says(/^ {2}tick {2}next .*$/m)
    await runtime.says(/mode {4}standalone: no gateway configured; healthy\n +local skills: fires/)
    await runtime.says(/run {5}tick {2}success {2}slot \d\d:\d\d:\d\d {2}took \d/)
    runtime.kill("SIGINT")
    const { code, stdout, stderr } = await runtime.ended
    expect(stdout).toContain(`state ${world.state}`)
    expect(stdout).toMatch(/holdfast status --state /)
    expect(stdout).toMatch(/stop {4}SIGINT: /)
    expect(stdout).toMatch(/mode {4}stopped: asked to\n$/)
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" })
    expect(readFileSync(join(world.state, "skills/status/tick.txt"), "utf8")).toMatch(/^status=success,/)
  }
)

it("SIGTERM waits for what is running, says for what and until when, and its run still succeeds", { timeout: 60_000 }, async () => {
  const world = makeWorld()
  world.skill("slow", { run: ["sleep", "2"] })
  const runtime = up(world, "--drain", "45")
  await runtime.says(/standalone/)
  const run = (await world.run("trigger", "slow", "--state", world.state)).stdout.trim()
  runtime.kill("SIGTERM")
  await runtime.says(/stop {4}SIGTERM: waiting for slow@\S+, at most 45 s until \d\d:\d\d:\d\d; again to stop now/)
  expect((await runtime.ended).code).toBe(0)
  expect(await runs(world)).toEqual([expect.objectContaining({ run, outcome: "success" })])
})

it("a second signal does not wait: the run is left to the next start, and the code is still 0", { timeout: 60_000 }, async () => {
  const world = makeWorld()
  world.skill("endless", { run: ["sleep", "600"] })
  const runtime = up(world, "--drain", "300")
  await runtime.says(/standalone/)
  await world.run("trigger", "endless", "--state", world.state)
  runtime.kill("SIGINT")
  await runtime.says(/waiting for endless@/)
  runtime.kill("SIGINT")
  const { code, stdout } = await runtime.ended
  expect(stdout).toMatch(/SIGINT again: what runs is ended now/)
  expect(code).toBe(0)
  const [run] = await runs(world)
  expect(run).toMatchObject({ skill: "endless", attempts: 1 })
  expect(run).not.toHaveProperty("outcome")
})

it("a second runtime on the same state directory leaves with 69 and names the pid of the first", { timeout: 60_000 }, async () => {
  const world = makeWorld()
  world.skill("tick", everySecond)
  const runtime = up(world)
  await runtime.says(/standalone/)
  const [plain, json] = [await up(world).ended, await up(world, "--json").ended]
  expect(plain.code).toBe(69)
  expect(plain.stderr).toMatch(/^LOCK_HELD at /)
  expect(plain.stderr).toContain(`pid ${runtime.pid} `)
  expect(json).toMatchObject({ code: 69, stdout: "" })
  expect(JSON.parse(json.stderr)).toMatchObject({ code: "LOCK_HELD" })
  const settled = picture(world).slots.run
  await until(() => (picture(world).slots.run > settled ? true : undefined)) // And the first works on.
})

it("with --json every line on stdout is one event, from the start to the end", { timeout: 60_000 }, async () => {
  const world = makeWorld()
  world.skill("tick", everySecond)
  const runtime = up(world, "--json")
  await runtime.says(/"run.settled"/)
  runtime.kill("SIGTERM")
  const { code, stdout } = await runtime.ended
  const types = stdout
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line).type)
  expect(code).toBe(0)
  expect(types).toEqual(expect.arrayContaining(["runtime.up", "run.claimed", "run.settled", "drain.asked", "runtime.ended"]))
  expect(types.at(-1)).toBe("runtime.ended")
})

it("a reader that goes away does not stop the skills", { timeout: 60_000 }, async () => {
  const world = makeWorld()
  world.skill("tick", everySecond)
  const runtime = up(world)
  await runtime.says(/tick {2}success/)
  runtime.closeStdout()
  const settled = picture(world).slots.run
  await until(() => (picture(world).slots.run >= settled + 3 ? true : undefined))
  runtime.kill("SIGINT")
  expect((await runtime.ended).code).toBe(0)
})

it("--hold fires nothing until release, which says the mode it is in then", { timeout: 60_000 }, async () => {
  const world = makeWorld()
  world.skill("tick", everySecond)
  const runtime = up(world, "--hold")
  await runtime.says(/mode {4}held: /)
  await runtime.says(/held {4}tick {2}waits: /) // Its slot has come, and it waits with the reason.
  expect(picture(world).slots.run).toBe(0)
  expect((await world.run("status", "--state", world.state, "--exit-code")).code).toBe(1)
  expect(await world.run("release", "--state", world.state, "--json")).toMatchObject({
    code: 0,
    stdout: expect.stringContaining('"mode":"standalone"')
  })
  await runtime.says(/tick {2}success/)
})

it("what a skill prints of its secrets is in no line of ours, and its files are for this user alone", { timeout: 60_000 }, async () => {
  const canary = "canary-of-the-command"
  const world = makeWorld({ CANARY_TOKEN: canary })
  world.skill("loud", {
    run: [
      "sh",
      "-c",
      'umask; ls -l /proc/$$/fd 2> /dev/null; touch "$HOLDFAST_RUN_DIRECTORY/mine"; echo "denied: $CANARY_TOKEN" >&2; exit 64'
    ],
    env: ["CANARY_TOKEN"]
  })
  const runtime = up(world)
  await runtime.says(/standalone/)
  const run = (await world.run("trigger", "loud", "--state", world.state)).stdout.trim()
  await runtime.says(/loud {2}failed .*exit 64: denied: \[redacted CANARY_TOKEN\]/)
  runtime.kill("SIGINT")
  const { stdout, stderr } = await runtime.ended
  expect(stdout + stderr).not.toContain(canary)
  const [umask, ...openFiles] = readFileSync(join(world.state, "runs", run, "stdout.log"), "utf8")
    .trim()
    .split("\n")
  expect(umask).toBe("0077")
  expect(openFiles.filter((file) => file.includes(world.state)).map((file) => file.split("/").at(-1))).toEqual(
    process.platform === "linux" ? ["stdout.log", "stderr.log"] : []
  )
  expect(statSync(join(world.state, "runs", run, "mine")).mode & 0o777).toBe(0o600)
})

it("files of skills that are wrong are shown in full at the start, and the others run", { timeout: 60_000 }, async () => {
  const world = makeWorld()
  world.skill("tick", everySecond)
  world.skill("wrong", { schedule: { evry: "1 second" }, run: ["true"] })
  const runtime = up(world)
  await runtime.says(/FRONTMATTER_UNKNOWN_KEY at \S+wrong\/SKILL\.md:5 .*\n {2}got .*, want .*\n {2}fix: .*/)
  await runtime.says(/tick {2}success/)
})

it("a retry is said with its reason and its instant", { timeout: 60_000 }, async () => {
  const world = makeWorld()
  world.skill("flaky", { schedule: { every: "1 second" }, run: ["false"], retry: { attempts: 2, first: "1 second" } })
  const runtime = up(world)
  await runtime.says(/retry {3}flaky {2}attempt 1 failed: .*; again at \d\d:\d\d:\d\d/)
  await runtime.says(/run {5}flaky {2}failed {2}slot/)
})

it("flags stand over the config, and the config over the defaults", { timeout: 60_000 }, async () => {
  const world = makeWorld()
  world.skill("tick", everySecond)
  writeFileSync(
    join(world.home, "holdfast.config.json"),
    JSON.stringify({ state: "from-config", status: "status-of-config", skillsFolders: ["skills"] })
  )
  const runtime = world.start("up", "--status", "status-of-flag")
  await runtime.says(/tick {2}success/)
  await until(() => (existsSync(join(world.home, "status-of-flag/tick.txt")) ? true : undefined))
  expect(existsSync(join(world.home, "status-of-config"))).toBe(false)
  expect((await world.run("status")).stdout).toContain(join(world.home, "from-config")) // The reading commands look there too.
})

it("a prompt is handed to the agent that the config names, a program in the config's folder", { timeout: 60_000 }, async () => {
  const world = makeWorld()
  world.skill("notes", { schedule: { every: "1 second" }, prompt: true })
  appendFileSync(join(world.skills, "notes/SKILL.md"), "Write the notes.\n")
  writeFileSync(join(world.home, "agent.sh"), `#!/bin/sh\ncp "$1" "${world.home}/got.md"\n`, { mode: 0o755 })
  writeFileSync(join(world.home, "holdfast.config.json"), JSON.stringify({ agent: { command: ["./agent.sh", "{promptFile}"] } }))
  const runtime = up(world)
  await runtime.says(/run {5}notes {2}success/)
  runtime.kill("SIGINT")
  expect((await runtime.ended).code).toBe(0)
  expect(readFileSync(join(world.home, "got.md"), "utf8")).toBe("Write the notes.\n")
})

it(
  "a config that is wrong leaves with 78, a state directory that cannot be one with 74, a wrong address with 78",
  { timeout: 60_000 },
  async () => {
    const world = makeWorld()
    writeFileSync(join(world.home, "bad.json"), '{ "stat": 1 }')
    writeFileSync(join(world.home, "file"), "")
    mkdirSync(join(world.home, "foreign"))
    writeFileSync(join(world.home, "foreign", "diary.txt"), "")
    mkdirSync(join(world.home, "real"))
    symlinkSync("real", join(world.home, "alias"))
    const ends = await Promise.all([
      world.run("up", "--config", "bad.json"),
      world.run("up", "--config", "absent.json"),
      world.run("up", "--state", "file"),
      world.run("up", "--state", "foreign"),
      world.run("up", "--state", "alias/"),
      world.run("up", "--state", "s", "--gateway", "http://elsewhere"),
      world.run("up", "--demo", "--gateway", "ws://localhost:1")
    ])
    expect(ends.map(({ code }) => code)).toEqual([78, 78, 74, 74, 74, 78, 64])
    for (const { stderr, stdout } of ends) {
      expect(stderr).toMatch(/^[A-Z_]+ at .*\n {2}got .*, want .*\n {2}fix: .*\n$/)
      expect(stdout).toBe("")
    }
    expect(readdirSync(join(world.home, "foreign"))).toEqual(["diary.txt"])
    expect(readdirSync(join(world.home, "real"))).toEqual([])
  }
)

it("without --state the state is in the user's state folder, for this user alone", { timeout: 60_000 }, async () => {
  const world = makeWorld()
  world.skill("tick", everySecond)
  const runtime = world.start("up", "--skills", world.skills)
  await runtime.says(/standalone/)
  const place = join(world.home, process.platform === "darwin" ? "Library/Application Support/holdfast" : ".state/holdfast")
  expect(statSync(place).mode & 0o777).toBe(0o700)
  expect((await world.run("status")).stdout).toContain(`pid ${runtime.pid}, `)
})
