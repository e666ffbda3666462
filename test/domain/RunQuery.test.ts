import { assert, it } from "vitest"
import type { JournalEvent } from "../../src/domain/JournalEvent.ts"
import { fold } from "../../src/domain/Ledger.ts"
import type { Outcome } from "../../src/domain/Outcome.ts"
import { latestRuns, type RunQuery } from "../../src/domain/RunQuery.ts"

const claimed = (run: string, atMs: number): JournalEvent => ({
  type: "run.claimed",
  v: 1,
  atMs,
  run,
  skill: run[0]!,
  slot: atMs,
  fence: atMs,
  digest: "d",
  missed: 0
})
const settled = (run: string, atMs: number, outcome: Outcome): JournalEvent => ({
  type: "run.settled",
  v: 1,
  atMs,
  run,
  outcome,
  reason: "",
  startedAtMs: null,
  durationMs: 0,
  fields: {},
  report: null
})
const { runs } = fold([
  claimed("a1", 1),
  claimed("b2", 2),
  claimed("a3", 3),
  claimed("a4", 4),
  claimed("b5", 5),
  settled("a4", 6, "failed"),
  settled("a1", 7, "success"),
  settled("b2", 8, "unproven")
])
const everything: RunQuery = { skill: undefined, outcomes: undefined, waiting: false, sinceMs: -Infinity, untilMs: Infinity, limit: 9 }

it.each<readonly [string, Partial<RunQuery>, string]>([
  ["all of them, the latest claims first", {}, "b5 a4 a3 b2 a1"],
  ["those of a skill", { skill: "a" }, "a4 a3 a1"],
  ["those that came to one outcome", { outcomes: new Set(["failed"]) }, "a4"],
  ["those that came to one of several", { outcomes: new Set(["failed", "unproven"]) }, "a4 b2"],
  ["those that have no outcome yet", { waiting: true }, "b5 a3"],
  ["both", { outcomes: new Set(["success"]), waiting: true }, "b5 a3 a1"],
  ["those of a stretch of time, its ends included", { sinceMs: 2, untilMs: 4 }, "a4 a3 b2"],
  ["all that is said at once", { skill: "a", waiting: true, outcomes: new Set(["success"]), untilMs: 3, limit: 1 }, "a3"]
])("%s", (_, query, ids) => {
  assert.strictEqual(
    latestRuns(runs.values(), { ...everything, ...query })
      .map(({ run }) => run)
      .join(" "),
    ids
  )
})
