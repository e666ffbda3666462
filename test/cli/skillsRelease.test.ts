import { Effect } from "effect"
import { expect, it } from "vitest"
import { Disk } from "../../src/layers/Disk.ts"
import { StateStore } from "../../src/layers/StateStore.ts"
import { makeWorld, until } from "./holdfast.ts"

it("skills release lets a skill that was put aside work again", { timeout: 60_000 }, async () => {
  const world = makeWorld()
  world.skill("tick", { run: ["true"], schedule: { every: "1 second" } })
  await Effect.runPromise(
    StateStore.use((store) =>
      store.append(
        { type: "skill.adopted", skill: "tick", digest: "of old", schedule: null, from: 0 },
        { type: "skill.quarantined", skill: "tick", why: "it kept crashing" }
      )
    ).pipe(Effect.provide(StateStore.layer(world.state)), Effect.provide(Disk.layerNode))
  )
  const runtime = world.start("up", "--state", world.state, "--skills", world.skills)
  await runtime.says(/standalone/)
  const run = (...args: ReadonlyArray<string>) => world.run(...args, "--state", world.state)
  await until(async () => (await run("status")).stdout.includes("tick quarantined: it kept crashing") || undefined)
  expect(await run("skills", "release", "tick")).toMatchObject({ code: 0, stdout: expect.stringContaining("tick works again") })
  await runtime.says(/run {5}tick {2}success/)
  expect(runtime.stdout()).toMatch(/skill {3}tick {2}released by /)
  expect(await run("skills", "release", "tick")).toMatchObject({ code: 1, stderr: expect.stringContaining("SKILL_NOT_ASIDE at tick") })
})
