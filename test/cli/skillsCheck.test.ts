import { appendFileSync, mkdirSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { expect, it } from "vitest"
import { makeWorld } from "./holdfast.ts"

it("skills that are good are shown with their next three slots and settings, and the code is 0", { timeout: 60_000 }, async () => {
  const world = makeWorld()
  world.skill("daily", {
    schedule: { cron: "0 6 * * *", timezone: "Asia/Tokyo" },
    run: ["true"],
    timeout: "2 minutes",
    silence: "30s",
    memory: "0.5 GB"
  })
  world.skill("by-hand", { run: ["true"] })
  const [plain, json] = await Promise.all([world.run("skills", "check", "skills"), world.run("skills", "check", "skills", "--json")])
  expect(plain.code).toBe(0)
  expect(plain.stdout).toMatch(
    /^ok {2}daily .*\n +schedule {2}cron 0 6 \* \* \* \(Asia\/Tokyo\)\n +next +(\S+T21:00:00Z ?){1}( \S+T21:00:00Z ?){2}/m
  )
  expect(plain.stdout).toContain("timeout 2 minutes, silence 30 seconds, memory 500 MB, grace 10 seconds")
  expect(plain.stdout).toContain("none: only when triggered")
  const { skills, problems } = JSON.parse(json.stdout)
  expect(problems).toEqual([])
  expect(skills.map(({ name, next }: { name: string; next: Array<string> }) => [name, next.length])).toEqual([
    ["by-hand", 0],
    ["daily", 3]
  ])
})

it("every problem is shown with what to do about it, the good ones beside it, and the code is 78", { timeout: 60_000 }, async () => {
  const world = makeWorld()
  world.skill("good", { run: ["true"] })
  world.skill("wrong", { schedule: { cron: "0 25 * * *" }, run: ["true"] })
  world.skill("lost", { run: ["./absent.sh"] })
  const [plain, json] = await Promise.all([world.run("skills", "check", "skills"), world.run("skills", "check", "skills", "--json")])
  expect(plain.code).toBe(78)
  expect(plain.stdout.match(/^!! {2}[A-Z_]+ at \S+.*\n {2}got .*, want .*\n {2}fix: .*$/gm)).toHaveLength(2)
  expect(plain.stdout).toContain("1 good, 0 without settings, 2 problems")
  expect(json.code).toBe(78)
  expect(JSON.parse(json.stdout).problems).toHaveLength(2)
})

it("a prompt is shown with the agent's command and its budget, and without an agent is a problem", { timeout: 60_000 }, async () => {
  const world = makeWorld()
  world.skill("notes", { prompt: true, perDay: 5 })
  appendFileSync(join(world.skills, "notes/SKILL.md"), "Write the notes.\n")
  expect(await world.run("skills", "check", "skills")).toMatchObject({
    code: 78,
    stdout: expect.stringMatching(/^!! {2}AGENT_MISSING at /m)
  })
  const agent = { command: ["openclaw", "agent", "--local", "--message-file", "{promptFile}"], perDay: 20 }
  writeFileSync(join(world.home, "holdfast.config.json"), JSON.stringify({ skillsFolders: ["skills"], agent }))
  const { code, stdout } = await world.run("skills", "check")
  expect(code).toBe(0)
  expect(stdout).toContain("    work      prompt to openclaw agent --local --message-file {promptFile}\n")
  expect(stdout).toContain("    budget    5 prompts in 24 hours, 20 of all prompt skills\n")
})

it("the config says which folders, and its overrides count", { timeout: 60_000 }, async () => {
  const world = makeWorld()
  world.skill("good", { run: ["true"] })
  writeFileSync(
    join(world.home, "holdfast.config.json"),
    JSON.stringify({ skillsFolders: ["skills"], skills: { good: { schedule: { every: "7 minutes" } } } })
  )
  expect((await world.run("skills", "check")).stdout).toContain("every 7 minutes")
  mkdirSync(join(world.home, "elsewhere"))
  const bare = makeWorld()
  expect(await bare.run("skills", "check")).toMatchObject({
    code: 64,
    stderr: expect.stringContaining("got no folder, and none in a config")
  })
})
