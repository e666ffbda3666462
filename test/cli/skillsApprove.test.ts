import { existsSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { expect, it } from "vitest"
import { makeWorld } from "./holdfast.ts"

it("a skill is approved without a runtime and with one, and skills check says how it stands", { timeout: 60_000 }, async () => {
  const world = makeWorld()
  world.skill("post", { run: ["./work.sh"] })
  const script = join(world.skills, "post", "work.sh")
  writeFileSync(script, "#!/bin/sh\necho first\n", { mode: 0o755 })
  writeFileSync(
    join(world.home, "holdfast.config.json"),
    JSON.stringify({ state: "state", status: "status", skillsFolders: ["skills"], approval: "required" })
  )
  const check = () => world.run("skills", "check")
  expect(await check()).toMatchObject({ code: 78, stdout: expect.stringMatching(/^!! {2}SKILL_UNAPPROVED at .*post\/SKILL\.md/m) })

  const alone = await world.run("skills", "approve", "post", "--json")
  expect(alone).toMatchObject({ code: 0, stderr: "" })
  const { digest, by, files } = JSON.parse(alone.stdout)
  expect(files).toEqual([{ file: script, sha256: expect.stringMatching(/^[0-9a-f]{64}$/) }])
  const runtime = world.start("up")
  expect(await check()).toMatchObject({ code: 0, stdout: expect.stringMatching(new RegExp(`approved +by ${by} at \\d{4}-`)) })
  await runtime.says(/standalone/)

  writeFileSync(script, "#!/bin/sh\necho second\n")
  expect(await check()).toMatchObject({ code: 78, stdout: expect.stringContaining(`want ${digest.slice(0, 16)}, approved by ${by} at `) })
  expect(await world.run("skills", "approve", "--all")).toMatchObject({ code: 0, stdout: expect.stringContaining(`  ${script}\n`) })
  await runtime.says(/skill {3}post {2}approved by /)
})

it("neither a skill itself nor a guess approves anything", { timeout: 60_000 }, async () => {
  const world = makeWorld({ HOLDFAST_RUN_ID: "post@20261122T060000Z" })
  world.skill("post", { run: ["true"] })
  const approve = (...args: ReadonlyArray<string>) => world.run("skills", "approve", ...args, "--state", world.state, "--skills", "skills")
  const outside = makeWorld()
  outside.skill("post", { run: ["true"] })
  outside.skill("wrong", { run: ["./absent"] })
  const guess = (...args: ReadonlyArray<string>) =>
    outside.run("skills", "approve", ...args, "--state", outside.state, "--skills", "skills")
  const ends = await Promise.all([approve("post"), guess("pots"), guess("wrong"), guess(), guess("post", "--all")])
  expect(ends.map(({ code, stderr }) => [code, /^[A-Z_]+/.exec(stderr)?.[0]])).toEqual([
    [1, "APPROVED_BY_SKILL"],
    [1, "SKILL_UNKNOWN"],
    [78, "SKILL_ENTRY_MISSING"],
    [64, "WORDS"],
    [64, "WORDS"]
  ])
  expect(ends[1].stderr).toContain("did you mean post?")
  for (const { state } of [world, outside]) expect(existsSync(state)).toBe(false)
})
