/**
 * The loader: folders of SKILL.md files become definitions. One folder a skill, `<folder>/<name>/SKILL.md`.
 *
 * A bad skill is a problem in the answer and never hinders another. Nothing is executed, links are not followed out of a
 * skill's folder, and sizes are asked before anything is read.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Layer from "effect/Layer"
import * as Path from "effect/Path"
import type { PlatformError } from "effect/PlatformError"
import * as Result from "effect/Result"
import { createHash } from "node:crypto"
import type { AgentSettings } from "../domain/Agent.ts"
import { basename, dirname } from "node:path"
import { nearest, type ScheduleInvalid, shown, type SkillInvalid } from "../domain/Errors.ts"
import { checkFields, fieldName, type FieldProblem, type Path as FieldPath } from "../domain/fields.ts"
import type { FrontMatter, FrontMatterProblem } from "../domain/FrontMatter.ts"
import type { PinnedFile, SkillDefinition } from "../domain/Skill.ts"
import { draftSkill, invalid, nameProblem, type SkillDraft, type SkillOverride, SkillSettings, withOverride } from "../domain/SkillFile.ts"
import { entryAt, entryBytesMax, executable, type Files, readBytes, writableByNobodyElse } from "./skillFolder.ts"

/** What the config says of skills, by name. Checked where the config is read. */
export type Overrides = Readonly<Record<string, SkillOverride>>

export interface LoadOptions {
  /** For cron schedules without `timezone`. Default: the machine's zone. */
  readonly zone?: string | undefined
  /** Whether a gateway is configured (default: yes). Without one, skills that need it or the session are refused. */
  readonly gateway?: boolean | undefined
  /** For skills that say nothing of it themselves, field by field. */
  readonly report?: SkillSettings["report"]
  /** Names of variables handed on to every skill, beside its own. */
  readonly env?: ReadonlyArray<string> | undefined
  /** The command that prompt skills hand their text to, its program by an absolute path or a name. Without one they are refused. */
  readonly agent?: AgentSettings | undefined
  /** Whether all of them run only as they were approved; else those of which the overrides say so. */
  readonly approval?: "required" | undefined
}

/** A skill that can be listed and nothing else: its file has no settings of ours, and the config has none for it. */
export interface PassiveSkill {
  readonly name: string
  readonly description: string
}

/** Each list sorted: skills by name, problems by place. */
export interface LoadedSkills {
  readonly skills: ReadonlyArray<SkillDefinition>
  readonly passive: ReadonlyArray<PassiveSkill>
  readonly problems: ReadonlyArray<SkillProblem>
  /** Names of the folders whose skill cannot be used; `any` where a skills folder could not be listed, and nobody knows what is in it. */
  readonly unreadable: ReadonlyArray<string> | "any"
}

export type SkillProblem = SkillInvalid | ScheduleInvalid

/** The largest SKILL.md, in bytes. */
export const skillFileBytesMax = 1_048_576

/** The time zone of this machine. */
export const HostZone = Context.Reference<() => string>("holdfast/layers/HostZone", {
  defaultValue: () => () => new Intl.DateTimeFormat().resolvedOptions().timeZone
})

export class Skills extends Context.Service<
  Skills,
  {
    /** Never fails: what cannot be used is in `problems`. Names in two folders are refused in both. */
    readonly load: (folders: ReadonlyArray<string>, overrides?: Overrides, options?: LoadOptions) => Effect.Effect<LoadedSkills>
  }
>()("holdfast/layers/Skills") {
  static readonly layer: Layer.Layer<Skills, never, FileSystem.FileSystem | Path.Path> = Layer.effect(
    Skills,
    Effect.gen(function* () {
      const services = yield* Effect.context<FileSystem.FileSystem | Path.Path>()
      const hostZone = yield* HostZone
      return Skills.of({
        load: (folders, overrides = {}, { zone, gateway = true, report, env = [], agent, approval } = {}) =>
          Effect.provideContext(
            load(folders, { overrides, zone: () => zone ?? hostZone(), gateway, report, env, agent, approval }),
            services
          )
      })
    })
  )
}

interface Asked {
  readonly overrides: Overrides
  readonly zone: () => string
  readonly gateway: boolean
  readonly report: SkillSettings["report"]
  readonly env: ReadonlyArray<string>
  readonly agent: AgentSettings | undefined
  readonly approval: "required" | undefined
}

/** What came of one folder: the name that its file gives, and a skill, a passive skill, or problems. */
interface Found {
  readonly file: string
  readonly name: string | undefined
  readonly read: Result.Result<SkillDefinition | PassiveSkill, ReadonlyArray<SkillProblem>>
}

type Problems = ReadonlyArray<SkillProblem>

const load = Effect.fn("Skills.load")(function* (
  folders: ReadonlyArray<string>,
  asked: Asked
): Effect.fn.Return<LoadedSkills, never, Files> {
  const listed = yield* Effect.forEach(folders, (folder) => Effect.result(candidates(folder)))
  const places = new Set(listed.flatMap((list) => (Result.isSuccess(list) ? list.success : [])))
  const found = (yield* Effect.forEach(places, (place) => readSkill(place, asked), { concurrency: 16 })).filter((one) => one !== undefined)

  const twice = duplicates(found)
  const good = found.flatMap((one) => (Result.isSuccess(one.read) && !twice.has(one) ? [one.read.success] : []))
  const byName = (a: PassiveSkill, b: PassiveSkill) => (a.name < b.name ? -1 : 1)
  return {
    skills: good.filter((one) => "work" in one).sort(byName),
    passive: good.filter((one) => !("work" in one)).sort(byName),
    unreadable: listed.some(Result.isFailure)
      ? "any"
      : found.filter((one) => Result.isFailure(one.read) || twice.has(one)).map(({ file }) => basename(dirname(file))),
    problems: [
      ...listed.flatMap((list) => (Result.isFailure(list) ? [list.failure] : [])),
      ...found.flatMap((one) => (Result.isFailure(one.read) ? one.read.failure : [])),
      ...twice.values(),
      ...unknownOverrides(asked.overrides, found)
    ].sort((a, b) => (a.where < b.where ? -1 : a.where > b.where ? 1 : 0))
  }
})

/** The folders in a skills folder, by their real path: given twice, they are read once. Hidden ones are not ours. */
const candidates = Effect.fnUntraced(function* (folder: string): Effect.fn.Return<ReadonlyArray<string>, SkillInvalid, Files> {
  const fs = yield* FileSystem.FileSystem
  const path = yield* Path.Path
  const missing = (error: PlatformError) =>
    invalid("SKILLS_FOLDER", folder, error.reason._tag, "a folder that can be read", "create it, or correct the option or the config")
  const real = yield* Effect.mapError(fs.realPath(folder), missing)
  const { mode } = yield* Effect.mapError(fs.stat(real), missing)
  if ((mode & 0o1002) === 0o002) {
    // Anybody could take the skills out of it. With the sticky bit, as in /tmp, only their owner can.
    return yield* invalid(
      "SKILL_PERMISSIONS",
      real,
      `mode ${(mode & 0o1777).toString(8)}`,
      "not writable by everybody",
      `chmod o-w ${real}`
    )
  }
  const entries = yield* Effect.mapError(fs.readDirectoryEntries(real), missing)
  return entries
    .filter(({ name, type }) => !name.startsWith(".") && (type === "Directory" || type === "SymbolicLink"))
    .map(({ name }) => path.join(real, name))
})

/** Nothing when there is no SKILL.md in the folder. */
const readSkill = Effect.fnUntraced(function* (folder: string, asked: Asked): Effect.fn.Return<Found | undefined, never, Files> {
  const path = yield* Path.Path
  const file = path.join(folder, "SKILL.md")
  const head = yield* Effect.result(readHead(folder, file))
  if (Result.isFailure(head)) return head.failure === undefined ? undefined : { file, name: undefined, read: Result.fail([head.failure]) }
  const { value } = head.success
  const given = isRecord(value) ? value["name"] : undefined
  const read = yield* Effect.result(define({ folder, file, head: head.success, given, asked }))
  return { file, name: typeof given === "string" ? given : undefined, read }
})

/** Loaded with the first file: where all skills are code, nothing reads YAML. */
const reader = Effect.promise(() => import("../domain/FrontMatter.ts"))

const readHead = Effect.fnUntraced(function* (
  folder: string,
  file: string
): Effect.fn.Return<FrontMatter, SkillInvalid | undefined, Files> {
  const fs = yield* FileSystem.FileSystem
  const absent = () => undefined
  const link = yield* Effect.mapError(fs.lstat(folder), absent)
  const info = yield* Effect.mapError(fs.lstat(file), absent)
  if (link.type === "SymbolicLink")
    return yield* invalid(
      "SKILL_SYMLINK",
      folder,
      "a symbolic link",
      "a folder",
      "copy the folder, or add the one that holds it to the skills folders"
    )
  if (info.type === "SymbolicLink")
    return yield* invalid("SKILL_SYMLINK", file, "a symbolic link", "a file", "put the file itself into the folder")
  if (info.type !== "File") return yield* invalid("FILE_UNREADABLE", file, info.type, "a file", "put a file in its place")
  yield* writableByNobodyElse(folder, link)
  const bytes = yield* readBytes(file, skillFileBytesMax)
  const { readFrontMatter, readText } = yield* reader
  const read = Result.flatMap(readText(bytes), readFrontMatter)
  return Result.isSuccess(read) ? read.success : yield* ofHead(file, read.failure)
})

const define = Effect.fnUntraced(function* ({
  folder,
  file,
  head,
  given,
  asked
}: {
  readonly folder: string
  readonly file: string
  readonly head: FrontMatter
  readonly given: unknown
  readonly asked: Asked
}): Effect.fn.Return<SkillDefinition | PassiveSkill, Problems, Files> {
  const path = yield* Path.Path
  const line = (at: FieldPath) => `${file}:${head.lineOf(at)}`
  const wrongName = nameProblem(given, line(["name"]))
  if (wrongName !== undefined) return yield* Effect.fail([wrongName])
  const name = given as string
  const directory = path.basename(folder)
  if (directory !== name) {
    return yield* Effect.fail([
      invalid(
        "SKILL_NAME_MISMATCH",
        line(["name"]),
        shown(name),
        `the folder's name, ${shown(directory)}`,
        "rename the folder or the skill"
      )
    ])
  }

  const value = head.value as Readonly<Record<string, unknown>>
  const description = typeof value["description"] === "string" ? value["description"] : ""
  const metadata = value["metadata"]
  const ours = isRecord(metadata) && Object.hasOwn(metadata, "holdfast") ? (metadata["holdfast"] ?? {}) : undefined
  const override = Object.hasOwn(asked.overrides, name) ? asked.overrides[name] : undefined
  if (ours === undefined && override === undefined) return { name, description }

  const checked = checkFields(SkillSettings, ours ?? {})
  if (Result.isFailure(checked)) return yield* Effect.fail(checked.failure.map((problem) => ofField(problem, line)))
  const own = withOverride(withOverride(asked.report === undefined ? {} : { report: asked.report }, checked.success), override ?? {})
  const agent = own.prompt === true ? asked.agent : undefined
  const env = [...asked.env, ...(agent?.env ?? []), ...(own.env ?? [])]
  const settings = { ...(agent?.timeout === undefined ? {} : { timeout: agent.timeout }), ...own, env }
  const where = (at: FieldPath) =>
    override !== undefined && at.length > 0 && Object.hasOwn(override, at[0]!)
      ? `config skills.${name}.${fieldName(at)}`
      : line(["metadata", "holdfast", ...at])
  const draft = draftSkill({ name, description, settings, folder, zone: asked.zone, where, prompt: { text: head.body, agent } })
  if (Result.isFailure(draft)) return yield* Effect.fail(draft.failure)
  if (!asked.gateway && draft.success.needs.length > 0) {
    return yield* Effect.fail([
      invalid(
        "NEEDS_GATEWAY",
        where(["needs"]),
        draft.success.needs.join(", "),
        "no needs where no gateway is configured",
        "configure gateway.url, or remove needs"
      )
    ])
  }
  const { pinned, ...definition } = yield* Effect.mapError(complete(draft.success, where), (problem): Problems => [problem])
  return (override?.approval ?? asked.approval) === undefined ? definition : { ...definition, pinned }
})

/** Finds the entry files and takes the digest: over the settings, and over the bytes of the files that the command names. */
const complete = Effect.fnUntraced(function* (
  draft: SkillDraft,
  where: (at: FieldPath) => string
): Effect.fn.Return<SkillDefinition & { readonly pinned: ReadonlyArray<PinnedFile> }, SkillInvalid, Files> {
  const { work } = draft
  if (work._tag === "Function") return yield* Effect.die("a file names no function")
  const settings = { ...draft, description: undefined, importedFrom: undefined, work: { ...work, folder: undefined } } // Moved or described anew, it is the same skill.
  const hash = createHash("sha256").update(JSON.stringify(settings))
  if (work._tag === "Prompt") return { ...draft, digest: hash.digest("hex"), pinned: [] } // Its text and its command are among the settings.
  const path = yield* Path.Path
  const key = work._tag === "Module" ? "module" : "run"
  const words = work._tag === "Module" ? [work.file] : work.argv
  const entryWord = words.find((word) => word.startsWith("./")) // `python3 ./job.py`: the first path is what does the work.
  let file: string | undefined
  const pinned: Array<PinnedFile> = []
  for (const word of new Set(words.filter((one) => one.startsWith("./")))) {
    const entry = yield* Effect.result(entryAt(work.folder, word, where([key]), word === words[0]))
    if (Result.isFailure(entry)) {
      if (word === entryWord || entry.failure.code !== "SKILL_ENTRY_MISSING") return yield* entry.failure
      continue // A later argument may name what is yet to be written.
    }
    if (entry.success === undefined) continue
    const bytes = yield* readBytes(entry.success.file, entryBytesMax)
    hash.update(`\n${word} ${bytes.length}\n`).update(bytes)
    // What is started is the real file; what a program is told of, it opens by the word, wherever a link leads by then.
    const opened = word === words[0] ? entry.success.file : path.join(work.folder, word)
    pinned.push({ file: opened, sha256: createHash("sha256").update(bytes).digest("hex") })
    if (word !== words[0]) continue
    if (work._tag === "Process") yield* executable(entry.success, bytes)
    file = entry.success.file
  }
  const digest = hash.digest("hex")
  if (work._tag === "Module") return { ...draft, work: { ...work, file: file ?? work.file }, digest, pinned }
  const [program, ...rest] = work.argv
  return { ...draft, work: { ...work, argv: [file ?? program, ...rest] }, digest, pinned }
})

/** Names that two files give, in any mixture of cases: some disks cannot tell them apart. */
const duplicates = (found: ReadonlyArray<Found>): ReadonlyMap<Found, SkillInvalid> => {
  const groups = Map.groupBy(
    found.filter(({ name }) => name !== undefined),
    ({ name }) => name!.normalize("NFC").toLowerCase()
  )
  return new Map(
    [...groups.values()]
      .filter((group) => group.length > 1)
      .flatMap((group) =>
        group.map((one) => {
          const others = group
            .filter((other) => other !== one)
            .map(({ file }) => file)
            .join(", ")
          return [
            one,
            invalid("SKILL_DUPLICATE", one.file, shown(one.name), `a name of its own; also in ${others}`, "rename or remove all but one")
          ] as const
        })
      )
  )
}

const unknownOverrides = (overrides: Overrides, found: ReadonlyArray<Found>): Problems => {
  const names = found.flatMap(({ name }) => (name === undefined ? [] : [name]))
  return Object.keys(overrides)
    .filter((name) => !names.includes(name))
    .map((name) => {
      const near = nearest(name, names)
      return invalid(
        "SKILL_UNKNOWN",
        `config skills.${shown(name)}`,
        shown(name),
        "a skill in the skills folders",
        near === undefined ? "add the skill, or remove the entry" : `did you mean ${near}?`
      )
    })
}

const ofHead = (file: string, { place, ...problem }: FrontMatterProblem): SkillInvalid =>
  invalid(problem.code, place === "" ? file : `${file}:${place}`, problem.got, problem.want, problem.fix)

const ofField = ({ code, path, got, want, fix }: FieldProblem, line: (at: FieldPath) => string): SkillInvalid =>
  invalid(
    code === "UNKNOWN_KEY" ? "FRONTMATTER_UNKNOWN_KEY" : code,
    `${line(["metadata", "holdfast", ...path])} ${fieldName(path)}`.trimEnd(),
    got,
    want,
    fix
  )

const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null && !Array.isArray(value)
