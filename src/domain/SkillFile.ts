/**
 * What an operator may set for a skill, in its SKILL.md under `metadata.holdfast` or in the config, and how file, config
 * and defaults become one definition.
 */
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import type { AgentSettings } from "./Agent.ts"
import { parseDuration, showDuration } from "./durations.ts"
import { mayDeclare } from "./Environment.ts"
import { type ScheduleInvalid, shown, SkillInvalid } from "./Errors.ts"
import { durationField, sizeField, textField } from "./fields.ts"
import type { Schedule } from "./Schedule.ts"
import { readSchedule, ScheduleSettings, type Where } from "./ScheduleFile.ts"
import { failuresRemembered } from "./Ledger.ts"
import { type Intensity, skillIntensity } from "./policies/intensity.ts"
import { nameRule } from "./Run.ts"
import { timingOf, timingSettings } from "./TimingFile.ts"
import { overlaps, promptsMax, type SkillDefinition, skillDefaults } from "./Skill.ts"
import { parseSize } from "./sizes.ts"

const dayMs = 86_400_000
const maybe = Schema.optionalKey
const word = textField(
  (text) => text.length <= 4_096 && !text.includes("\0"),
  "at most 4096 characters without NUL",
  "a word of the command"
)
const text = (max: number, description: string) =>
  textField((given) => given.length > 0 && given.length <= max, `1 to ${max} characters`, description)

/** `openclaw/<job id>`: whose job a skill was, and which. */
const originRule = /^(?:openclaw|crontab|hermes)\/[\x21-\x7e]{1,128}$/

/** Everything that can be set for a skill. */
export const SkillSettings = Schema.Struct({
  schedule: maybe(ScheduleSettings),
  run: maybe(
    Schema.Array(word)
      .check(Schema.isMinLength(1), Schema.isMaxLength(64))
      .annotate({ description: "the command, word by word; never a shell" })
  ),
  module: maybe(text(1_024, "a module in the skill's folder, beginning with ./")),
  prompt: maybe(Schema.Boolean.annotate({ description: "hand the text to the agent command" })),
  perDay: maybe(
    Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: promptsMax })).annotate({
      description: "attempts of a prompt skill within 24 hours"
    })
  ),
  timeout: maybe(durationField(1, 366 * dayMs, "an attempt that takes longer is stopped")),
  silence: maybe(durationField(1_000, 366 * dayMs, "an attempt that prints nothing and comes to no step for so long is stopped")),
  memory: maybe(sizeField(1_000_000, 1_000_000_000_000, "an attempt whose processes hold more is killed")),
  grace: maybe(durationField(0, 3_600_000, "from TERM to KILL when an attempt is stopped")),
  catchUp: maybe(Schema.Literals(["latest", "all", "none"]).annotate({ description: "which of the missed slots run" })),
  ...timingSettings,
  cost: maybe(
    Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 1_000 })).annotate({
      description: "what a run takes of the ramp after an outage"
    })
  ),
  overlap: maybe(Schema.Literals(overlaps).annotate({ description: "a slot that is due while a run is under way" })),
  retry: maybe(
    Schema.Struct({
      attempts: maybe(
        Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 100 })).annotate({ description: "tries of one run, the first included" })
      ),
      first: maybe(durationField(1, dayMs, "the delay after the first failure")),
      cap: maybe(durationField(1, 7 * dayMs, "the longest delay"))
    })
  ),
  pool: maybe(
    textField(
      (name) => nameRule.test(name),
      "1 to 64 of a-z, 0-9 and inner dashes",
      "skills of one pool take turns: it has one place, or as many as the config says"
    )
  ),
  quarantine: maybe(
    Schema.Struct({
      failures: maybe(
        Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: failuresRemembered })).annotate({
          description: "failed runs that put it aside; 0: never"
        })
      ),
      within: maybe(durationField(1_000, 7 * dayMs, "the time within which they count"))
    }).annotate({ description: "when a skill that keeps failing is put aside" })
  ),
  pauseAfter: maybe(
    Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: failuresRemembered })).annotate({
      description: "failed runs in a row that pause it until somebody resumes it"
    })
  ),
  onInterruption: maybe(Schema.Literals(["rerun", "record"]).annotate({ description: "what a crash in the middle means" })),
  onRuntimeDeath: maybe(
    Schema.Literals(["kill", "adopt"]).annotate({ description: "what a start does with a process that outlived the last runtime" })
  ),
  needs: maybe(Schema.Array(Schema.Literals(["session", "gateway"])).annotate({ description: "without them the skill's slots are held" })),
  report: maybe(
    Schema.Struct({
      when: maybe(Schema.Literals(["always", "change", "failure", "never"])),
      session: maybe(text(256, "the key of the session that is told")),
      via: maybe(
        Schema.Literals(["inject", "wake", "hooks", "none"]).annotate({
          description: "inject (a row of its own), wake or hooks (for the next heartbeat; may be lost), none"
        })
      ),
      keepFor: maybe(durationField(1_000, 366 * dayMs, "a report that could not be delivered within this is parked")),
      collapse: maybe(Schema.Boolean.annotate({ description: "of the reports that wait only the newest is sent" }))
    })
  ),
  evidence: maybe(
    Schema.Struct({
      files: maybe(Schema.Array(text(1_024, "a file that each success writes")).check(Schema.isMaxLength(16))),
      fields: maybe(Schema.Array(text(64, "a field that each success gives")).check(Schema.isMaxLength(16))),
      atLeast: maybe(durationField(0, 366 * dayMs, "a success that took less is not believed")),
      atMost: maybe(durationField(1, 366 * dayMs, "a success that took longer is not believed"))
    })
  ),
  env: maybe(
    Schema.Array(
      textField(mayDeclare, "a variable's name; not NODE_OPTIONS, LD_*, DYLD_*, GIT_* or the token's", "a variable handed on")
    ).check(Schema.isMaxLength(64))
  ),
  importedFrom: maybe(
    textField(
      (origin) => originRule.test(origin),
      "openclaw/ID, crontab/ID or hermes/ID",
      "the job of another scheduler that this skill was made of: they must not both run"
    )
  )
})
export type SkillSettings = typeof SkillSettings.Type

/** Whether skill files run only as somebody has approved them. */
export const ApprovalSetting = Schema.Literal("required").annotate({
  description: "skill files run only as they were when somebody approved them"
})

/** What the config may set for a skill: the same, and what no skill may say of itself. */
export const SkillOverride = Schema.Struct({ ...SkillSettings.fields, approval: maybe(ApprovalSetting) })
export type SkillOverride = typeof SkillOverride.Type

/** The settings of the file with those of the config on top: field by field, also inside `retry` and `report`; a schedule or a kind of work replaces the other whole. */
export const withOverride = (file: SkillSettings, override: SkillSettings): SkillSettings => {
  const { run, module, prompt, ...rest } = file
  const work = override.run ?? override.module ?? override.prompt
  return {
    ...(work === undefined ? file : rest),
    ...override,
    ...(file.retry === undefined && override.retry === undefined ? {} : { retry: { ...file.retry, ...override.retry } }),
    ...(file.report === undefined && override.report === undefined ? {} : { report: { ...file.report, ...override.report } })
  }
}

/** What a prompt skill hands over, and to whom. */
export interface Prompt {
  readonly text: string
  readonly agent: AgentSettings | undefined
}

/** A definition without what only the files can say: the digest, and that the entry is there. Its paths are as written. */
export type SkillDraft = Omit<SkillDefinition, "digest" | "pinned">

/** Settings and defaults as a definition, or everything that is wrong with them. `zone` is asked for a cron without `timezone`. */
export const draftSkill = ({
  name,
  description,
  settings,
  folder,
  zone,
  where,
  prompt
}: {
  readonly name: string
  readonly description: string
  readonly settings: SkillSettings
  readonly folder: string
  readonly zone: () => string
  readonly where: Where
  readonly prompt?: Prompt
}): Result.Result<SkillDraft, ReadonlyArray<SkillInvalid | ScheduleInvalid>> => {
  const { retry, report, evidence } = settings
  const attemptsMax = retry?.attempts ?? skillDefaults.retry.attemptsMax
  const firstMs = ms(retry?.first, skillDefaults.retry.firstMs)
  const capMs = ms(retry?.cap, Math.max(firstMs, skillDefaults.retry.capMs))
  const timing = timingOf(name, settings, () => settings.schedule?.timezone ?? zone())
  const work = workOf(settings, folder, where, prompt)
  const schedule = settings.schedule === undefined ? noSchedule : readSchedule(settings.schedule, zone, where)
  const atLeastMs = ms(evidence?.atLeast, 0)
  const atMostMs = ms(evidence?.atMost, Infinity)
  const limited = folder === "" ? (["silence", "memory"] as const).filter((key) => settings[key] !== undefined) : []
  const astray = folder === "" ? (evidence?.files ?? []).findIndex((file) => !file.startsWith("/")) : -1
  const disorder = [
    ...(firstMs <= capMs
      ? []
      : [
          invalid(
            "FIELD_RANGE",
            where(["retry", "cap"]),
            showDuration(capMs),
            `at least retry.first, ${showDuration(firstMs)}`,
            "raise retry.cap"
          )
        ]),
    ...(atLeastMs <= atMostMs
      ? []
      : [
          invalid(
            "FIELD_RANGE",
            where(["evidence", "atMost"]),
            showDuration(atMostMs),
            `at least evidence.atLeast, ${showDuration(atLeastMs)}`,
            "raise evidence.atMost"
          )
        ]),
    ...(settings.perDay === undefined || settings.prompt === true
      ? []
      : [invalid("FIELD_RANGE", where(["perDay"]), String(settings.perDay), "perDay only beside prompt: true", "remove perDay")]),
    ...limited.map((key) =>
      invalid(
        "FIELD_RANGE",
        where([key]),
        settings[key]!,
        "a skill with processes of its own: one given in code has none",
        `remove ${key}, or make it a module`
      )
    ),
    ...(settings.onRuntimeDeath !== "adopt" || settings.run !== undefined || settings.prompt === true
      ? []
      : [
          invalid(
            "ADOPT_NO_PROGRAM",
            where(["onRuntimeDeath"]),
            "adopt",
            "adopt only beside run or prompt: any other work ends with the runtime that it speaks to",
            "remove onRuntimeDeath, or make it a program"
          )
        ]),
    ...(astray < 0
      ? []
      : [
          invalid(
            "FIELD_RANGE",
            where(["evidence", "files", astray]),
            shown(evidence!.files![astray]!),
            "an absolute path: a skill given in code has no folder",
            "write the whole path"
          )
        ])
  ]
  if (Result.isFailure(work) || Result.isFailure(schedule) || disorder.length > 0) {
    return Result.fail([
      ...(Result.isFailure(work) ? [work.failure] : []),
      ...(Result.isFailure(schedule) ? [schedule.failure] : []),
      ...disorder
    ])
  }
  return Result.succeed({
    name,
    description,
    schedule: schedule.success,
    work: work.success,
    timeoutMs: ms(settings.timeout, skillDefaults.timeoutMs),
    ...(settings.silence === undefined ? {} : { silenceMs: parseDuration(settings.silence)! }),
    ...(settings.memory === undefined ? {} : { memoryBytes: parseSize(settings.memory)! }),
    graceMs: ms(settings.grace, skillDefaults.graceMs),
    retry: { attemptsMax, firstMs, capMs },
    catchUp: settings.catchUp ?? skillDefaults.catchUp,
    ...(timing === undefined ? {} : { timing }),
    ...(settings.pool === undefined ? {} : { pool: settings.pool }),
    ...(settings.cost === undefined ? {} : { cost: settings.cost }),
    ...(settings.quarantine === undefined ? {} : { intensity: intensityOf(settings.quarantine) }),
    ...(settings.pauseAfter === undefined ? {} : { pauseAfter: settings.pauseAfter }),
    overlap: settings.overlap ?? skillDefaults.overlap,
    onInterruption: settings.onInterruption ?? skillDefaults.onInterruption,
    ...(settings.onRuntimeDeath === undefined ? {} : { onRuntimeDeath: settings.onRuntimeDeath }),
    needs: [...new Set(settings.needs ?? skillDefaults.needs)],
    report: {
      when: report?.when ?? skillDefaults.report.when,
      session: report?.session,
      ...(report?.via === undefined ? {} : { via: report.via }),
      ...(report?.keepFor === undefined ? {} : { keepForMs: parseDuration(report.keepFor)! }),
      ...(report?.collapse === undefined ? {} : { collapse: report.collapse })
    },
    ...(evidence === undefined ? {} : { evidence: { files: evidence.files ?? [], fields: evidence.fields ?? [], atLeastMs, atMostMs } }),
    env: [...new Set(settings.env ?? skillDefaults.env)],
    ...(settings.importedFrom === undefined ? {} : { importedFrom: settings.importedFrom })
  })
}

/** Nothing when the name is one; else SKILL_NAME_MISSING or SKILL_NAME_INVALID, with the code points of what cannot be seen. */
export const nameProblem = (name: unknown, where: string): SkillInvalid | undefined => {
  if (name === undefined || name === null || name === "") {
    return invalid("SKILL_NAME_MISSING", where, "no name", "name: and the folder's name", "add name: to the front matter")
  }
  if (typeof name === "string" && nameRule.test(name)) return undefined
  const strange = typeof name === "string" ? [...name].filter((char) => !/[\x20-\x7e]/.test(char)).slice(0, 5) : []
  const points = strange.map((char) => `U+${char.codePointAt(0)!.toString(16).toUpperCase().padStart(4, "0")}`).join(" ")
  return invalid(
    "SKILL_NAME_INVALID",
    where,
    `${points === "" ? "" : `${points} in `}${shown(name).slice(0, 80)}`,
    "1 to 64 of a-z, 0-9 and inner dashes",
    "rename the skill and its folder"
  )
}

/** A problem of a skill; `got` must have been escaped. */
export const invalid = (code: string, where: string, got: string, want: string, fix: string) =>
  new SkillInvalid({ code, where, got, want, fix })

const workOf = (
  { run, module, prompt, perDay }: SkillSettings,
  folder: string,
  where: Where,
  { text, agent }: Prompt = { text: "", agent: undefined }
): Result.Result<SkillDefinition["work"], SkillInvalid> => {
  const kinds = Object.entries({ run, module, prompt }).flatMap(([key, value]) => (value === undefined || value === false ? [] : [key]))
  if (kinds.length === 0)
    return Result.fail(invalid("WORK_MISSING", where([]), "no work", "one of run, module, prompt", "say what does the work"))
  if (kinds.length > 1)
    return Result.fail(invalid("WORK_AMBIGUOUS", where([kinds[1]!]), kinds.join(" and "), "one of run, module, prompt", "keep one of them"))
  if (prompt === true) {
    if (agent === undefined) {
      const fix = "set agent.command in holdfast.config.json, or agent in createRuntime"
      return Result.fail(
        invalid("AGENT_MISSING", where(["prompt"]), "no agent", "the agent's command in the config, at agent.command", fix)
      )
    }
    if (text.trim() === "") {
      return Result.fail(
        invalid(
          "PROMPT_EMPTY",
          where(["prompt"]),
          "no text below the front matter",
          "the text for the agent",
          "write it below the closing ---"
        )
      )
    }
    const [program, ...rest] = agent.command
    return Result.succeed({ _tag: "Prompt", text, command: [program!, ...rest], perDay: { all: agent.perDay, own: perDay }, folder })
  }
  if (module !== undefined) {
    return module.startsWith("./")
      ? Result.succeed({ _tag: "Module", file: module, folder })
      : Result.fail(
          invalid("FIELD_RANGE", where(["module"]), shown(module), "a path beginning with ./", "give the path inside the skill's folder")
        )
  }
  const [program, ...rest] = run!
  return isProgram(program!)
    ? Result.succeed({ _tag: "Process", argv: [program!, ...rest], folder })
    : Result.fail(
        invalid(
          "FIELD_RANGE",
          where(["run"]),
          shown(program) || "an empty word",
          "a path beginning with ./ or /, or a program's name",
          "correct the first word"
        )
      )
}

const intensityOf = ({ failures = skillIntensity.failuresMax, within }: NonNullable<SkillSettings["quarantine"]>): Intensity => ({
  failuresMax: failures,
  windowMs: ms(within, skillIntensity.windowMs)
})
/** Whether a first word is a path that begins with ./ or /, or a program's name. */
export const isProgram = (word: string): boolean => /^\.?\/./.test(word) || /^(?!\.{0,2}$)[^/]+$/.test(word)

const noSchedule: Result.Result<Schedule | undefined, ScheduleInvalid> = Result.succeed(undefined)

const ms = (duration: string | undefined, otherwise: number): number => (duration === undefined ? otherwise : parseDuration(duration)!)
