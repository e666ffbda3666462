import { expect, it } from "vitest"
import { type Evidence, type Left, missingEvidence } from "../../src/domain/Evidence.ts"

const evidence: Evidence = { files: ["out.md"], fields: ["posts"], atLeastMs: 1_000, atMostMs: 60_000 }
const startedAtMs = Date.UTC(2026, 10, 22, 6, 0, 0, 500)
const good: Left = {
  startedAtMs,
  endedAtMs: startedAtMs + 2_000,
  fields: { posts: 4 },
  files: [{ path: "out.md", bytes: 1, modifiedAtMs: startedAtMs + 1_000 }]
}
const file = (bytes: number | undefined, modifiedAtMs: number): Partial<Left> => ({ files: [{ path: "out.md", bytes, modifiedAtMs }] })

it.each<[string, Partial<Left>, string | undefined]>([
  ["all is there", {}, undefined],
  ["the file is of the second in which it began", file(1, startedAtMs - 500), undefined],
  ["the file is older", file(1, startedAtMs - 501), "out.md was not written by it"],
  ["the file is empty", file(0, startedAtMs), "out.md is empty"],
  ["the file is not there", file(undefined, 0), "out.md is not there"],
  ["the field is not there", { fields: {} }, "it gave no posts"],
  ["the field is one of the prototype's", { fields: Object.create({ posts: 4 }) }, "it gave no posts"],
  ["the field is 0", { fields: { posts: 0 } }, "its posts is 0"],
  ["the field is empty", { fields: { posts: "" } }, 'its posts is ""'],
  ["the field is false", { fields: { posts: false } }, "its posts is false"],
  ["it was too fast", { endedAtMs: startedAtMs + 999 }, "it took 999 ms, less than 1000"],
  ["it was too slow", { endedAtMs: startedAtMs + 60_001 }, "it took 60001 ms, more than 60000"],
  ["much is missing", { fields: {}, endedAtMs: startedAtMs }, "it gave no posts; it took 0 ms, less than 1000"]
])("%s", (_, left, missing) => {
  expect(missingEvidence(evidence, { ...good, ...left })).toBe(missing)
})
