import { Effect } from "effect"
import * as fs from "node:fs"
import { join } from "node:path"
import { assert, describe, expect, it } from "vitest"
import type { EventOf } from "../../src/domain/JournalEvent.ts"
import { Disk } from "../../src/layers/Disk.ts"
import { StateStore } from "../../src/layers/StateStore.ts"
import { createRuntime, type RuntimeOptions } from "../../src/index.ts"
import { journalIn } from "../journal.ts"
import { folder, program, until } from "./children.ts"

/** A folder of prompt skills, an agent that notes each text it gets, and what is on record. */
const makeWorld = (names: ReadonlyArray<string>, settings: object = {}, script = "") => {
  const [state, skills, bin] = [folder(), folder(), folder()]
  let keys = 0
  for (const name of names) {
    fs.mkdirSync(join(skills, name))
    const holdfast = JSON.stringify({ prompt: true, overlap: "allowAll", retry: { first: "1ms" }, ...settings })
    fs.writeFileSync(join(skills, name, "SKILL.md"), `---\nname: ${name}\nmetadata:\n  holdfast: ${holdfast}\n---\nText of ${name}.\n`)
  }
  const agent = program(bin, "agent.sh", `#!/bin/sh\ncat "$1" >> ${bin}/texts\n${script}\n`)
  const ended = () => journalIn(state).filter((event) => event.type === "run.settled")
  return {
    state,
    skills,
    texts: () => (fs.existsSync(`${bin}/texts`) ? fs.readFileSync(`${bin}/texts`, "utf8").trim().split("\n") : []),
    begun: () => journalIn(state).filter((event) => event.type === "prompt.started"),
    /** Triggers these skills at once in a runtime of its own, and gives how their runs ended. */
    run: async (perDay: number | undefined, ...asked: ReadonlyArray<string>): Promise<ReadonlyArray<EventOf<"run.settled">>> => {
      const command = [agent, "{promptFile}"]
      const runtime = await createRuntime({ state, skills: [skills], agent: { command, ...(perDay === undefined ? {} : { perDay }) } })
      const before = ended().length
      const runs = await Promise.all(asked.map((name) => runtime.trigger(name, { key: `k${++keys}` })))
      await Effect.runPromise(until(() => ended().length === before + asked.length, "the ends"))
      await runtime.stop()
      return runs.map((run) => ended().find((event) => event.run === run)!)
    }
  }
}
const outcomes = (ends: ReadonlyArray<EventOf<"run.settled">>) => ends.map(({ outcome }) => outcome)

describe("the budget of a day", () => {
  it("holds over restarts: what is beyond it fails at once, is handed to nobody, and says when the next may begin", async () => {
    const world = makeWorld(["a", "b"])
    assert.deepStrictEqual(outcomes(await world.run(2, "a")), ["success"])
    assert.deepStrictEqual(outcomes(await world.run(2, "b")), ["success"])
    const [end] = await world.run(2, "a")
    const [first] = world.begun()
    const nextAt = new Date(first!.atMs + 86_400_000).toISOString().replace(".000Z", "Z")
    expect(end).toMatchObject({
      outcome: "failed",
      reason: `PROMPT_BUDGET: agent.perDay is 2, and that many have begun within 24 hours; the next may begin at ${nextAt}`
    })
    assert.deepStrictEqual(world.texts(), ["Text of a.", "Text of b."])
    const attempts = journalIn(world.state).filter((event) => event.type === "attempt.started" && event.run === end!.run)
    assert.strictEqual(attempts.length, 1)
    assert.deepStrictEqual(outcomes(await world.run(undefined, "a")), ["success"])
  })

  it("is not exceeded by runs that begin at once, and what was refused does not count", async () => {
    const world = makeWorld(["a", "b", "c"])
    const ends = outcomes(await world.run(2, "a", "b", "c"))
    assert.deepStrictEqual(ends.toSorted(), ["failed", "success", "success"])
    assert.deepStrictEqual(outcomes(await world.run(3, "a")), ["success"])
    assert.deepStrictEqual([world.begun().length, world.texts().length], [3, 3])
  })

  it("counts each attempt, those that failed as well", async () => {
    const world = makeWorld(["a"], {}, "exit 1")
    const [end] = await world.run(2, "a")
    assert.match(end!.reason, /^PROMPT_BUDGET/)
    assert.deepStrictEqual([world.begun().map(({ attempt }) => attempt), world.texts().length], [[1, 2], 2])
  })

  it("may be a skill's own, and takes nothing from the others", async () => {
    const world = makeWorld(["a", "b"], { perDay: 1 })
    assert.deepStrictEqual(outcomes(await world.run(undefined, "a", "b")), ["success", "success"])
    const [end] = await world.run(undefined, "a")
    assert.match(end!.reason, /^PROMPT_BUDGET: perDay of a is 1,/)
  })

  it("survives the compaction of the journal", async () => {
    const world = makeWorld(["a"])
    const compacted = StateStore.use((store) => store.compact).pipe(
      Effect.provide(StateStore.layer(world.state, { history: { runs: 0, days: 0 } })),
      Effect.provide(Disk.layerNode)
    )
    await world.run(1, "a")
    for (let i = 0; i < 3; i++) await Effect.runPromise(compacted)
    assert.deepStrictEqual(world.begun(), [])
    assert.match((await world.run(1, "a"))[0]!.reason, /^PROMPT_BUDGET/)
  })
})

it("an agent that embedders give wrong is refused by name", async () => {
  const refused = (agent: RuntimeOptions["agent"]) =>
    createRuntime({ state: folder(), agent: agent! }).then(
      () => undefined,
      (error) => error
    )
  expect(await refused({ command: ["agent", "{prompt}"] })).toMatchObject({
    code: "FIELD_RANGE",
    where: "agent.command[1]",
    got: "{prompt}"
  })
  expect(await refused({ command: [] })).toMatchObject({ code: "FIELD_RANGE", where: "agent.command" })
})
