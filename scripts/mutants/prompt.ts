/** Broken promises of prompt skills, and of what a day of them may cost. */
import { type Mutant, one } from "./mutant.ts"

const real = "test/layers/SkillPrompt.test.ts"
const budget = "test/layers/PromptBudget.test.ts"
const loaded = "test/layers/Skills.test.ts"

export const promptMutants: ReadonlyArray<Mutant> = [
  one(
    "the text stands in the words of the command",
    "src/layers/SkillPrompt.ts",
    "filled(command, { promptFile,",
    "filled(command, { promptFile: text,",
    real
  ),
  one("others may read the text", "src/layers/SkillPrompt.ts", "mode: 0o600", "mode: 0o644", real),
  one(
    "the text is written through a link",
    "src/layers/SkillPrompt.ts",
    `      fs.rmSync(path, { force: true, recursive: true })\n      fs.writeFileSync(path, text, { flag: "wx",`,
    `      fs.writeFileSync(path, text, { flag: "w",`,
    real
  ),
  one("the text is on no stdin", "src/layers/SkillPrompt.ts", "? {} : { stdin: promptFile }", "? {} : {}", real),
  one("the text is on stdin and in a file", "src/layers/SkillPrompt.ts", "namesFile(command) ? {} :", "false ? {} :", real),
  one(
    "a prompt begins before its text is written",
    "src/layers/SkillPrompt.ts",
    "  const refused = yield*",
    "  yield* begin\n  const refused = yield*",
    real
  ),
  one(
    "a template may name the text",
    "src/domain/Agent.ts",
    `["promptFile", "run",`,
    `["promptFile", "prompt", "run",`,
    "test/layers/Config.test.ts"
  ),
  one("a placeholder chooses the program", "src/domain/Agent.ts", " && !/[{}]/.test(program)", "", "test/layers/Config.test.ts"),
  one(
    "the digest is blind to the text",
    "src/layers/Skills.ts",
    "work: { ...work, folder: undefined } }",
    `work: { ...work, folder: undefined, ...(work._tag === "Prompt" ? { text: "" } : {}) } }`,
    loaded
  ),
  one(
    "the agent's time stands above the skill's own",
    "src/layers/Skills.ts",
    "{ ...(agent?.timeout === undefined ? {} : { timeout: agent.timeout }), ...own, env }",
    "{ ...own, ...(agent?.timeout === undefined ? {} : { timeout: agent.timeout }), env }",
    loaded
  ),
  one(
    "the agent's path starts from the skill's folder",
    "src/layers/Config.ts",
    "placed(config.agent, absolute)",
    "config.agent",
    "test/layers/Config.test.ts"
  ),
  one("a prompt is not on record before it begins", "src/layers/PromptBudget.ts", "  yield* append({", "  void ({", budget),
  one(
    "two prompts take the last place at once",
    "src/layers/PromptBudget.ts",
    "turn.withPermit(begin(work, facts))",
    "begin(work, facts)",
    budget
  ),
  one(
    "what was refused counts",
    "src/layers/PromptBudget.ts",
    `    return failed("PROMPT_BUDGET"`,
    `    yield* append({ type: "prompt.started", run, skill, attempt })\n    return failed("PROMPT_BUDGET"`,
    budget
  ),
  one("a refused prompt is tried again", "src/layers/PromptBudget.ts", "reason, false)", "reason, true)", budget),
  one("the agent's budget is each skill's own", "src/layers/PromptBudget.ts", "begunAtMs: all,", "begunAtMs: own,", budget),
  one("a skill's budget is everybody's", "src/layers/PromptBudget.ts", "begunAtMs: own,", "begunAtMs: all,", budget),
  one(
    "a checkpoint forgets the prompts",
    "src/domain/canonical.ts",
    "...(promptsAtMs.length === 0 ? {} : { promptsAtMs })",
    "",
    budget,
    "test/domain/Ledger.test.ts"
  ),
  one(
    "a prompt counts for longer than a day",
    "src/domain/policies/budget.ts",
    "dayMs = 86_400_000",
    "dayMs = 90_000_000",
    "test/domain/policies/budget.test.ts"
  ),
  one(
    "a clock set back frees the budget",
    "src/domain/policies/budget.ts",
    "Math.abs(nowMs - atMs) < dayMs",
    "nowMs - atMs < dayMs && nowMs >= atMs",
    "test/domain/policies/budget.test.ts"
  )
]
