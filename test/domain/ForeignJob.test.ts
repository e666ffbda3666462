import * as Result from "effect/Result"
import { expect, it } from "vitest"
import { type ForeignJob, skillFile, skillNames, slug } from "../../src/domain/ForeignJob.ts"
import { readFrontMatter } from "../../src/domain/FrontMatter.ts"

const job = (name: string, id = "0a1b2c3d-4e5f"): ForeignJob => ({ from: "openclaw", id, name, enabled: true, made: Result.fail("") })
const made = { settings: { schedule: { every: "1 hour" }, run: ["true", "--- : #\n"] }, differs: ["a", "b"] }
const ours = (text: string) => {
  const { metadata } = Result.getOrThrow(readFrontMatter(text)).value as { readonly metadata: { readonly holdfast: object } }
  return metadata.holdfast
}

it("a skill is called as the job is where that makes a name, and jobs that would be one are told apart by their ids", () => {
  expect(["Daily backup", "  Ünï--Côde!  ", "x".repeat(90), "日報", "-"].map(slug)).toEqual([
    "daily-backup",
    "uni-code",
    "x".repeat(64),
    "",
    ""
  ])
  const [one, two, three] = [job("A b", "11111111-1"), job("a-B", "22222222-2"), job("日報", "33333333-3")]
  expect([...skillNames([one, two, three]).values()]).toEqual(["a-b-11111111", "a-b-22222222", "openclaw-33333333"])
})

it("a file says where it is from, and has its schedule as a comment until the job is disabled there", () => {
  const skill = { importedFrom: "openclaw/0a1b2c3d-4e5f", run: ["true", "--- : #\n"] }
  expect(ours(skillFile(job("A"), "a", made, true))).toEqual({ ...skill, schedule: { every: "1 hour" } })
  const draft = skillFile(job("A"), "a", made, false)
  expect(ours(draft)).toEqual(skill)
  expect(ours(draft.replace("    # schedule:", "    schedule:"))).toEqual({ ...skill, schedule: { every: "1 hour" } })
})

it("a prompt's text stands below the head, whatever is in it", () => {
  const text = skillFile(job("A\nname: b"), "a", { ...made, prompt: "---\nname: b\n---\nWrite." }, true)
  expect(Result.getOrThrow(readFrontMatter(text))).toMatchObject({ value: { name: "a" }, body: "---\nname: b\n---\nWrite.\n" })
})
