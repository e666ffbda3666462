/** Broken promises of the import: slots with two schedulers, files written over, jobs that become something else. */
import { type Mutant, one } from "./mutant.ts"

const command = "test/cli/import.test.ts"
const openclaw = "test/domain/OpenClawJob.test.ts"
const job = "test/domain/ForeignJob.test.ts"

const crontab = "test/domain/Crontab.test.ts"
const hermes = "test/domain/HermesJob.test.ts"

export const importMutants: ReadonlyArray<Mutant> = [
  one(
    "an imported skill is scheduled while its job is",
    "src/cli/importing.ts",
    "const free = !job.enabled || ended === true",
    "const free = true",
    command
  ),
  one(
    "a skill is scheduled though nobody knows whether its job was disabled",
    "src/cli/importing.ts",
    "if (!free) yield* end!(job)",
    "if (!free) yield* Effect.ignore(end!(job))",
    command
  ),
  one("an import writes over a skill", "src/cli/importing.ts", "existsSync(place) && !(", "false && !(", command),
  one(
    "an import writes without being told to",
    "src/cli/importing.ts",
    "Result.isFailure(row.read) || !write",
    "Result.isFailure(row.read)",
    command
  ),
  one(
    "a job is handed back before its skill is paused",
    "src/cli/handBack.ts",
    "  yield* ask(state, {",
    "  yield* enable(session, job.id, true)\n  yield* ask(state, {",
    command
  ),
  one("a single run that is past is handed back", "src/cli/handBack.ts", "(job.onceAtMs ?? Infinity) <=", "Infinity <=", command),
  one("a job without a next run stays enabled there", "src/cli/handBack.ts", "    yield* enable(session, job.id, false)\n", "", command),
  one("a gateway that refuses us is gone round by its file", "src/cli/openClaw.ts", `reason !== "unauthorized" && `, "", command),
  one("only the first page of jobs is read", "src/layers/OpenClawJobs.ts", "after !== null && after > offset &&", "false &&", command),
  one("a time without a zone is this machine's", "src/domain/OpenClawJob.ts", `"T00:00"}Z\``, `"T00:00"}+05:00\``, openclaw),
  one("a secret goes into a skill file", "src/domain/OpenClawJob.ts", "looksSecret({ name, value })", "false", openclaw),
  one("a command is imported without its input", "src/domain/OpenClawJob.ts", "!known.has(key)", `key === ""`, openclaw),
  one("an imported command is tried again", "src/domain/OpenClawJob.ts", "        retry: { attempts: 1 },\n", "", openclaw),
  one("two jobs become one skill", "src/domain/ForeignJob.ts", "alone ? name :", "alone || name ? name :", job),
  one("a line is read by the command behind an escaped %", "src/domain/Crontab.ts", "(?<!\\\\)%", "%", crontab),
  one("a crontab's command starts in the skill's folder", "src/domain/Crontab.ts", `cd "$HOME" || exit; `, "", crontab),
  one("a user column is part of the command", "src/domain/Crontab.ts", "/^root\\s/.test(command)", "false", crontab),
  one("the settings of a crontab are lost", "src/domain/Crontab.ts", "      settings.set(", "      void (", crontab),
  one("a crontab of the system is read as a user's", "src/cli/crontab.ts", "if (/^\\/etc", "if (false && /^\\/etc", command),
  one("a job of Hermes that ends goes on for ever", "src/domain/HermesJob.ts", `job.schedule.kind !== "once"`, "false", hermes),
  one("a paused job of Hermes is enabled", "src/domain/HermesJob.ts", ` && job.state !== "paused"`, "", hermes)
]
