/** Broken promises of what skills are given of the link, and of the circuit around it. */
import { type Mutant, one } from "./mutant.ts"

const circuit = "test/machines/circuit.test.ts"
const tools = "test/layers/Tools.test.ts"
const link = "test/layers/SkillLink.test.ts"
const host = "test/layers/SkillHost.test.ts"
const supervisor = "test/layers/Supervisor.test.ts"

export const linkMutants: ReadonlyArray<Mutant> = [
  one(
    "link: an answer does not end the row of failures",
    "src/machines/circuit.ts",
    "forget: assign({ failures: 0 })",
    "forget: assign({})",
    circuit
  ),
  one(
    "link: a half open circuit lets every call through",
    "src/machines/circuit.ts",
    'snapshot.matches({ halfOpen: "waiting" })',
    'snapshot.matches("halfOpen")',
    circuit,
    tools
  ),
  one("link: any call closes the circuit", "src/machines/circuit.ts", "call === context.trial", "call >= 0", circuit),
  one(
    "link: a call that was given up keeps the circuit half open",
    "src/machines/circuit.ts",
    `target: "waiting" }`,
    `target: "trying" }`,
    circuit
  ),
  one("link: a refusal counts as a failure", "src/layers/Tools.ts", `reason !== "refused" ||`, `reason !== "circuitOpen" ||`, tools),
  one("link: what is given up counts as a failure", "src/layers/Circuit.ts", `? "call.abandoned"`, `? "call.failed"`, tools),
  one("link: a failure of the gateway's own does not count", "src/layers/Tools.ts", `"HTTP_5"`, `"HTTP_6"`, tools),
  one("link: an answer that was lost counts as not sent", "src/layers/Tools.ts", "progress.sent = true", "progress.sent = false", tools),
  one(
    "link: an answer may be as long as it likes",
    "src/layers/Tools.ts",
    "if (bytes <= toolBytesMax) return",
    "if (bytes > 0) return",
    tools
  ),
  one("link: the token is in the failure", "src/layers/Tools.ts", `detail.replaceAll(Redacted.value(token), "(token)")`, "detail", tools),
  one("link: a skill need not declare what it asks", "src/layers/SkillLink.ts", "!needs.includes(need)", "false as boolean", link, host),
  one("link: a row is sent without a look", "src/layers/SkillLink.ts", "if (stands) return { already: true }", "void stands", link),
  one("link: a secret is injected as it is", "src/layers/SkillLink.ts", "text: secrets.text(row.text)", "text: row.text", link),
  one(
    "link: what a skill injects looks like its report",
    "src/layers/SkillLink.ts",
    "label: skillLabel(facts.run, name)",
    "label: label ?? `holdfast run=${facts.run}`",
    link
  ),
  one(
    "link: what was sent and not answered was not sent",
    "src/layers/SkillLink.ts",
    `if (sent && method === "chat.inject") return "ambiguous"`,
    "",
    link
  ),
  one(
    "link: a module cannot say of what class its failure is",
    "src/host/main.ts",
    "said(error), retryable, failure)",
    "said(error), retryable)",
    host
  ),
  one("link: steps wait for the gateway", "src/layers/SkillHost.ts", "asking.release(1)), Effect.forkChild)", "asking.release(1)))", host),
  one(
    "link: what failed for want of it is tried again without it",
    "src/layers/Supervisor.ts",
    "else child.mayStart.closeUnsafe()",
    "",
    supervisor
  ),
  one(
    "link: every failure waits for it",
    "src/machines/run.ts",
    `end._tag === "Failed" && end.class === "link"`,
    `end._tag === "Failed"`,
    supervisor,
    "test/machines/run.test.ts"
  )
]
