/** Broken promises of the import: slots with two schedulers, files written over, jobs that become something else. */
import { type Mutant, one } from "./mutant.ts"

const command = "test/cli/import.test.ts"
const openclaw = "test/domain/OpenClawJob.test.ts"
const job = "test/domain/ForeignJob.test.ts"

const crontab = "test/domain/Crontab.test.ts"
const hermes = "test/domain/HermesJob.test.ts"
const doubles = "test/domain/Doubles.test.ts"
const doctor = "test/cli/doctor.test.ts"

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
  one("a paused job of Hermes is enabled", "src/domain/HermesJob.ts", ` && job.state !== "paused"`, "", hermes),
  one(
    "a double is not seen where the marker is gone",
    "src/domain/Doubles.ts",
    "sameWork(skill, skill.schedule, job, zone)",
    "false",
    doubles
  ),
  one("a skill that is paused is a double", "src/domain/Doubles.ts", " || paused.has(skill.name)", "", doubles, doctor),
  one("what neither scheduler runs is not said", "src/domain/Doubles.ts", `mine && !job.enabled ? `, "false ? ", doubles),
  one("the doctor does not look at pauses", "src/cli/checks.ts", "paused === undefined ? [] : [name]", "[]", doctor),
  one("the doctor leaves with 0 whatever it finds", "src/cli/doctor.ts", "fail: 2", "fail: 0", doctor),
  one(
    "a gateway that is away is a failure",
    "src/cli/checks.ts",
    `"notAGateway"].includes(`,
    `"notAGateway", "refused"].includes(`,
    doctor
  ),
  one("a clock that is behind the record is well", "src/cli/checks.ts", "behindMs > driftMs", "false", doctor),
  one("a line of a crontab is no job", "src/cli/checks.ts", "...(yield* userCrontab), ", "", doctor),
  one("where a skill is from is part of what it does", "src/layers/Skills.ts", "importedFrom: undefined, ", "", command),
  one("a hand-back that is cut short does not say that the skill is paused", "src/cli/handBack.ts", "out.note(`", "void (`", command)
]
