import { assert, describe, it } from "@effect/vitest"
import * as fc from "fast-check"
import type { JournalEvent } from "../../src/domain/JournalEvent.ts"
import { fold } from "../../src/domain/Ledger.ts"
import { parseStatusLine, statusLine } from "../../src/domain/Status.ts"

const slot = Date.UTC(2026, 10, 22, 6)
const skillAfter = (
  ...runs: ReadonlyArray<{
    outcome?: "success" | "failed" | "unproven"
    reason?: string
    fields?: Record<string, string | number | boolean>
    started?: number | null
  }>
) =>
  fold([
    { type: "skill.adopted", v: 1, atMs: 0, skill: "a", digest: "d", schedule: null, from: 0 },
    ...runs.flatMap(({ outcome = "success", reason = "", fields = {}, started = 40 }, i): Array<JournalEvent> => [
      { type: "run.claimed", v: 1, atMs: slot, run: `a@${i}`, skill: "a", slot, fence: 1, digest: "d", missed: 0 },
      {
        type: "run.settled",
        v: 1,
        atMs: slot + 3_000 + i * 60_000,
        run: `a@${i}`,
        outcome,
        reason,
        startedAtMs: started === null ? null : slot + started,
        durationMs: 2_100,
        fields,
        report: null
      }
    ])
  ]).skills.get("a")!

describe("a status line", () => {
  it("of a success names the instant, the run, how long and how late, then the skill's own fields", () => {
    assert.strictEqual(
      statusLine(skillAfter({ fields: { posts: 4, account: "en", dry: false } })),
      "status=success,timestamp=2026-11-22T06:00:03Z,run=a@0,duration_ms=2100,late_ms=40,posts=4,account=en,dry=false\n"
    )
  })

  it("of a failure says when the last success was, and why it failed", () => {
    assert.strictEqual(
      statusLine(skillAfter({}, { outcome: "failed", reason: "exit 1, no output" })),
      "status=failed,timestamp=2026-11-22T06:01:03Z,run=a@1,duration_ms=2100,late_ms=40,last_success=2026-11-22T06:00:03Z,reason=exit 1%2C no output\n"
    )
    assert.include(statusLine(skillAfter({ outcome: "unproven" })), "status=unproven,")
    assert.include(statusLine(skillAfter({ outcome: "failed" })), "last_success=never")
  })

  it("is not there before a run has ended, and knows no lateness of work that never started", () => {
    assert.isUndefined(statusLine(skillAfter()))
    assert.notInclude(statusLine(skillAfter({ started: null })), "late_ms")
    assert.include(statusLine(skillAfter({ started: -5 })), "late_ms=0,".slice(0, -1))
  })

  it("stays one line of pairs whatever a skill reports, and reads back as reported", () => {
    const name = fc.string({ unit: "binary" }).filter((text) => text.isWellFormed())
    fc.assert(
      fc.property(fc.dictionary(name, fc.oneof(name, fc.integer(), fc.boolean()), { noNullPrototype: true }), name, (fields, reason) => {
        const line = statusLine(skillAfter({ outcome: "failed", fields, reason }))!
        // oxlint-disable-next-line no-control-regex -- that none is left is the claim.
        assert.notMatch(line.slice(0, -1), /[\u0000-\u001f\u007f-\u009f\u2028\u2029]/)
        const pairs = parseStatusLine(line)!
        assert.strictEqual(pairs.get("status"), "failed")
        for (const [key, value] of Object.entries(fields)) {
          if (!reserved.has(key)) assert.strictEqual(pairs.get(key), String(value))
        }
      })
    )
  })

  it("keeps its own keys: a skill's field of the same name cannot pass for them", () => {
    const line = statusLine(skillAfter({ outcome: "failed", fields: { status: "success", run: "x" } }))!
    assert.strictEqual(parseStatusLine(line)?.get("status"), "failed")
    assert.strictEqual(parseStatusLine(line)?.get("status_"), "success")
    assert.notInclude(line, "status=success,")
  })

  it("is told from an empty, a partial and a foreign text", () => {
    for (const text of ["", "\n", "status=success", "stat", "hello\n", "status=a\nstatus=b\n", "status=success,posts\n"]) {
      assert.isUndefined(parseStatusLine(text), JSON.stringify(text))
    }
    assert.deepStrictEqual(
      [...parseStatusLine("status=success,a=%zz%2C%\n")!],
      [
        ["status", "success"],
        ["a", "%zz,%"]
      ]
    )
  })
})

const reserved = new Set(["status", "timestamp", "run", "duration_ms", "late_ms", "last_success", "reason"])
