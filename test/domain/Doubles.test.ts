import * as Result from "effect/Result"
import { expect, it } from "vitest"
import { doubles } from "../../src/domain/Doubles.ts"
import type { ForeignJob } from "../../src/domain/ForeignJob.ts"
import type { SkillDefinition } from "../../src/domain/Skill.ts"

const every = { _tag: "Every", everyMs: 600_000, anchorMs: 0 } as const
const skill = (change: Partial<SkillDefinition>) =>
  ({ name: "poll", schedule: every, work: { _tag: "Process", argv: ["/bin/date"], folder: "/s" }, ...change }) as SkillDefinition
const job = (change: Partial<ForeignJob> = {}): ForeignJob => {
  const settings = { schedule: { every: "10 minutes", anchor: "2026-11-27T17:42:17.430Z" }, run: ["/bin/date"] }
  return { from: "openclaw", id: "1", name: "Date", enabled: true, made: Result.succeed({ settings, differs: [] }), ...change }
}
const found = (one: SkillDefinition, other: ForeignJob, paused: ReadonlyArray<string> = []) =>
  doubles([one], new Set(paused), [other], "UTC").map(({ by }) => by)

it("a skill and a job are one by the marker, by the same work at the same times, or by their name", () => {
  expect(found(skill({ importedFrom: "openclaw/1", work: { _tag: "Function" } }), job())).toEqual(["importedFrom"])
  expect(found(skill({}), job())).toEqual(["work"])
  expect(found(skill({}), job({ name: "Poll!", made: Result.fail("no skill") }))).toEqual(["name"])
  const prompt = skill({
    work: { _tag: "Prompt", text: "Write.\n", command: ["agent"], perDay: { all: undefined, own: undefined }, folder: "/s" }
  })
  const turn = { settings: { schedule: { every: "10 minutes" }, prompt: true }, prompt: "Write.", differs: [] }
  expect(found(prompt, job({ made: Result.succeed(turn) }))).toEqual(["work"])
})

it("other work, other times and another name make none", () => {
  expect(found(skill({ importedFrom: "openclaw/2", schedule: { ...every, everyMs: 1_000 } }), job())).toEqual([])
  expect(found(skill({ work: { _tag: "Process", argv: ["/bin/date", "-u"], folder: "/s" } }), job())).toEqual([])
})

it("what only one of the two fires is no double, and what neither fires is said", () => {
  expect(found(skill({ importedFrom: "openclaw/1" }), job({ enabled: false }))).toEqual([])
  expect(found(skill({ importedFrom: "openclaw/1" }), job(), ["poll"])).toEqual([])
  expect(found(skill({ importedFrom: "openclaw/1", schedule: undefined }), job())).toEqual([])
  expect(found(skill({ importedFrom: "openclaw/1", schedule: undefined }), job({ enabled: false }))).toEqual(["none"])
})
