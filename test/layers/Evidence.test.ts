/** Skills that succeed, and what they have to leave behind to be believed. */
import { Effect } from "effect"
import * as fs from "node:fs"
import { join } from "node:path"
import { assert, it } from "vitest"
import { createRuntime, skill } from "../../src/index.ts"
import { journalIn } from "../journal.ts"
import { folder, until } from "./children.ts"

/** Runs a skill of a folder once, with these settings, and gives how its run was settled. */
const settledOf = async (run: ReadonlyArray<string>, evidence: object, before: (skillFolder: string) => void = () => {}) => {
  const [state, skills] = [folder(), folder()]
  const own = join(skills, "job")
  fs.mkdirSync(own)
  fs.writeFileSync(join(own, "SKILL.md"), `---\nname: job\nmetadata:\n  holdfast: ${JSON.stringify({ run, evidence })}\n---\n`)
  before(own)
  const runtime = await createRuntime({ state, skills: [skills] })
  await runtime.trigger("job")
  const settled = () => journalIn(state).find((event) => event.type === "run.settled")
  await Effect.runPromise(until(() => settled() !== undefined, "the end"))
  await runtime.stop()
  const attempts = journalIn(state).filter(({ type }) => type === "attempt.started").length
  const status = fs.readFileSync(join(state, "skills/status/job.txt"), "utf8")
  return { settled: settled(), attempts, status }
}
const answering = (json: string) => ["sh", "-c", `printf '%s' '${json}' > "$HOLDFAST_RESULT"; echo text > out.md`]

it("a program that leaves what it declares is a success", async () => {
  const { settled, status } = await settledOf(answering(`{"posts":4}`), { files: ["out.md"], fields: ["posts"] })
  assert.deepInclude(settled, { outcome: "success", reason: "" })
  assert.match(status, /^status=success,/)
})

it("one that does not is unproven, with what is missing, is not tried again, and keeps what it answered", async () => {
  const { settled, attempts, status } = await settledOf(answering(`{"posts":0}`), { files: ["out.md", "missing.md"], fields: ["posts"] })
  assert.deepInclude(settled, { outcome: "unproven", reason: "missing.md is not there; its posts is 0", fields: { posts: 0 } })
  assert.strictEqual(attempts, 1)
  assert.match(status, /^status=unproven,.*last_success=never,reason=missing.md is not there; its posts is 0,posts=0\n$/)
})

it("a file of an earlier day is no evidence, and neither is a link", async () => {
  const old = (own: string) => {
    fs.writeFileSync(join(own, "old.md"), "text")
    fs.utimesSync(join(own, "old.md"), 1_000_000_000, 1_000_000_000)
    fs.writeFileSync(join(own, "new.md"), "text")
    fs.symlinkSync("new.md", join(own, "link.md"))
  }
  const { settled } = await settledOf(["true"], { files: ["old.md", "link.md"] }, old)
  assert.deepInclude(settled, { outcome: "unproven", reason: "old.md was not written by it; link.md is not there" })
})

it("a skill given in code declares fields, times, and files by their whole path", async () => {
  const state = folder()
  const out = join(folder(), "out.md")
  const runtime = await createRuntime({
    state,
    skills: [
      skill({ name: "writes", evidence: { files: [out], fields: ["n"] }, run: () => (fs.writeFileSync(out, "text"), { n: 1 }) }),
      skill({ name: "hurries", evidence: { atLeast: "1 hour" }, run: () => {} })
    ]
  })
  const settled = (name: string) => journalIn(state).find((event) => event.type === "run.settled" && event.run.startsWith(`${name}@`))
  for (const name of ["writes", "hurries"]) {
    await runtime.trigger(name)
    await Effect.runPromise(until(() => settled(name) !== undefined, "the end"))
  }
  await runtime.stop()
  assert.deepInclude(settled("writes"), { outcome: "success" })
  assert.deepInclude(settled("hurries"), { outcome: "unproven" })
  const refused = await createRuntime({ state, skills: [skill({ name: "astray", evidence: { files: ["out.md"] }, run: () => {} })] }).catch(
    (error: unknown) => error
  )
  assert.deepInclude({ ...(refused as object) }, { code: "FIELD_RANGE", where: "skills.astray.evidence.files[0]" })
})
