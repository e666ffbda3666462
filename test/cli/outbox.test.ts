import { Effect } from "effect"
import { expect, it } from "vitest"
import { Disk } from "../../src/layers/Disk.ts"
import { type NewEvent, StateStore } from "../../src/layers/StateStore.ts"
import { makeWorld } from "./holdfast.ts"

const run = (skill: string) => `${skill}@20261122T060000Z`
const told = (skill: string): ReadonlyArray<NewEvent> => [
  { type: "run.claimed", run: run(skill), skill, slot: 0, fence: 1, digest: "d", missed: 0 },
  {
    type: "run.settled",
    run: run(skill),
    outcome: "failed",
    reason: "",
    startedAtMs: 0,
    durationMs: 1,
    fields: {},
    report: { session: "agent:main:main", text: "it failed" }
  }
]

it("outbox lists what waits and what is parked, also while the runtime is down; redrive and drop ask it", { timeout: 60_000 }, async () => {
  const world = makeWorld()
  world.skill("tick", { run: ["true"] })
  await Effect.runPromise(
    StateStore.use((store) =>
      store.append(
        ...["one", "two", "three"].flatMap(told),
        { type: "entry.sent", run: run("one"), gatewayBootId: "g" },
        { type: "entry.parked", run: run("two"), reason: "chat.inject: FORBIDDEN: no" },
        { type: "entry.parked", run: run("three"), reason: "expired" }
      )
    ).pipe(Effect.provide(StateStore.layer(world.state)), Effect.provide(Disk.layerNode))
  )
  const outbox = (...args: ReadonlyArray<string>) => world.run("outbox", ...args, "--state", world.state)
  const listed = await outbox()
  expect(listed).toMatchObject({ code: 0, stdout: expect.stringMatching(/^RUN +STATE +AGE +SESSION +REASON\n/) })
  expect(listed.stdout).toMatch(/^one@\S+ +waiting .* agent:main:main +was sent, and is looked up before it is sent again$/m)
  expect(listed.stdout).toMatch(/^two@\S+ +parked .* chat.inject: FORBIDDEN: no$/m)
  expect(await outbox("redrive", run("two"))).toMatchObject({ code: 69, stderr: expect.stringMatching(/^RUNTIME_DOWN at /) })
  expect(await outbox("redrive")).toMatchObject({ code: 64, stderr: expect.stringContaining("RUN, or --all") })

  const runtime = world.start("up", "--state", world.state, "--skills", world.skills)
  await runtime.says(/standalone/)
  expect(await outbox("drop", run("three"))).toMatchObject({ code: 0, stdout: `${run("three")} is given up: its session is not told\n` })
  expect(await outbox("drop", run("three"))).toMatchObject({ code: 1, stderr: expect.stringContaining("ENTRY_NOT_PARKED at outbox") })
  expect(await outbox("redrive", "--all")).toMatchObject({ code: 0, stdout: `${run("two")} is sent again\n` })
  await runtime.says(/report {2}three@\S+ {2}given up by /)
  const values = (await outbox("--json")).stdout.trim().split("\n")
  expect(values.map((line) => JSON.parse(line))).toMatchObject([
    { run: run("one"), state: "waiting", session: "agent:main:main", sentAt: expect.any(String), ageMs: expect.any(Number) },
    { run: run("two"), state: "waiting" }
  ])
})
