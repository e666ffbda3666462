/** Broken promises of the ways by which reports go. */
import { type Mutant, one } from "./mutant.ts"

const outbox = "src/layers/Outbox.ts"
const ways = "test/layers/Ways.test.ts"

export const wayMutants: ReadonlyArray<Mutant> = [
  one("one session holds up the others for ever", outbox, "> holdUpMs", "> Infinity", "test/layers/Outbox.test.ts"),
  one(
    "a session that holds up others is never tried again",
    outbox,
    "?? outbox.values().find(bySession)\n  }",
    "\n  }",
    "test/layers/Outbox.test.ts"
  ),
  one(
    "a cut report points at a file that is not there",
    "src/layers/Run.ts",
    "if (told && text !== whole) yield*",
    "if (false as boolean) yield*",
    "test/layers/Run.test.ts"
  ),
  one(
    "a report is cut in the middle of a character",
    "src/domain/Report.ts",
    String.raw`.replace(/[\ud800-\udbff]$/, "")`,
    "",
    "test/layers/Run.test.ts"
  ),
  one(
    "an admin's scope is asked for where nothing is injected",
    "src/domain/Outbox.ts",
    'asked.has("inject") ? ["operator.admin"]',
    'true ? ["operator.admin"]',
    ways
  ),
  one(
    "a report that needs another scope is sent into its refusal",
    outbox,
    "if (!state.scopes.includes(scopeOf(entry.via)!))",
    "if (false as boolean)",
    ways
  ),
  one("a line is not renewed for another scope", outbox, "      yield* session.renew //", "      //", ways),
  one(
    "a wake is recorded as if it stood in the session",
    outbox,
    'how: "reply", ...(entry.via && { via: entry.via })',
    'how: "reply"',
    ways
  ),
  one("a wake is looked up", outbox, "entry.via === undefined && entry.sent !== undefined", "entry.sent !== undefined", ways),
  one(
    "a wake whose reply is lost counts as told",
    outbox,
    "const absent = failed.reason",
    'if (via !== undefined) return yield* park(entry, "lost")\n    const absent = failed.reason',
    ways
  ),
  one(
    "a report by the hooks waits for the session",
    "src/machines/outbox.ts",
    '    hooks: {\n      initial: "delivering"',
    '    hooks: {\n      initial: "idle"',
    ways,
    "test/machines/outbox.test.ts"
  ),
  one("each try of a hook is one more record", outbox, "if (entry.sent === undefined) yield* store.append", "yield* store.append", ways),
  one("a refused hook is tried for ever", "src/layers/Hooks.ts", "status >= 400 && status < 500", "status >= 600 && status < 500", ways),
  one(
    "a page that answers 200 has taken the report",
    "src/layers/Hooks.ts",
    String.raw`status === 200 && /^\{[^]*"ok"\s*:\s*true/.test(body)`,
    "status > 0",
    ways
  ),
  one(
    "a report goes into a digest twice where the disk is slow",
    outbox,
    "Effect.flatMap(Effect.forkDetach(oneTidying.withPermit(work), { startImmediately: true }), Fiber.join)",
    "work",
    "test/layers/Backlog.test.ts"
  ),
  one("a report without a way is still made", "src/layers/Run.ts", 'via !== "none" && ', "", "test/layers/Run.test.ts"),
  one(
    "a skill's keepFor begins at the slot",
    "src/layers/Run.ts",
    "expiresAtMs: nowMs + keepForMs",
    "expiresAtMs: keepForMs",
    "test/layers/Run.test.ts"
  ),
  one(
    "a skill is handed the token of the hooks",
    "src/domain/Environment.ts",
    "HOLDFAST_(?:GATEWAY|HOOK)_TOKEN",
    "HOLDFAST_GATEWAY_TOKEN",
    "test/layers/Process.test.ts"
  )
]
