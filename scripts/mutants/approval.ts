/** Broken promises of approval. */
import { type Mutant, one } from "./mutant.ts"

const starts = "test/layers/Approval.test.ts"

export const approvalMutants: ReadonlyArray<Mutant> = [
  one("a skill that nobody approved runs", "src/domain/Approval.ts", "pinned === undefined ||", "true ||", starts),
  one("a skill that was changed since runs", "src/domain/Approval.ts", "approval?.digest === digest", "approval !== undefined", starts),
  one("a skill that is not approved is removed", "src/layers/Holdfast.ts", "[...unreadable, ...unapproved]", "unreadable", starts),
  one("files are compared at a start alone", "src/layers/Run.ts", "if (changed !== undefined) return changed", "", starts),
  one(
    "a link leads elsewhere after the approval",
    "src/layers/Skills.ts",
    "word === words[0] ? entry.success.file : path.join(work.folder, word)",
    "entry.success.file",
    starts
  ),
  one(
    "the config cannot ask for single skills",
    "src/layers/Skills.ts",
    "(override?.approval ?? asked.approval)",
    "asked.approval",
    starts
  ),
  {
    name: "a skill may speak of its approval",
    edits: [
      { file: "src/layers/Skills.ts", find: "checkFields(SkillSettings, ours", put: "checkFields(SkillOverride, ours" },
      { file: "src/layers/Skills.ts", find: "type SkillOverride, SkillSettings", put: "SkillOverride, SkillSettings" },
      { file: "src/domain/SkillFile.ts", find: `Schema.Literal("required")`, put: `Schema.Literals(["required", "none"])` }
    ],
    tests: [starts]
  },
  one(
    "an approval makes status files",
    "src/layers/StateStore.ts",
    "options.statusFiles === false",
    "options.statusFiles === undefined && false",
    starts
  ),
  one(
    "approvals are in no checkpoint",
    "src/domain/canonical.ts",
    "of ledger.approvals) yield",
    "of new Map<string, never>()) yield",
    "test/layers/Compaction.test.ts"
  )
]
