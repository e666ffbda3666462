/** Skill files that a command has made: judged by the loader before they are anywhere, and put in place whole, never over another. */
import * as Effect from "effect/Effect"
import { mkdtempSync } from "node:fs"
import { tmpdir } from "node:os"
import { basename, join } from "node:path"
import { type DiskError, Refused, shown } from "../domain/Errors.ts"
import type { SkillDefinition } from "../domain/Skill.ts"
import { Disk } from "./Disk.ts"
import { type LoadOptions, type Overrides, type SkillProblem, Skills } from "./Skills.ts"

export interface NewSkill {
  readonly name: string
  /** Of its SKILL.md. */
  readonly text: string
}

export interface Rules {
  readonly overrides: Overrides
  readonly options: LoadOptions
}

/** What the loader makes of each, by name: the skill, or what is wrong with it. Nothing of it stays on the disk. */
export const judged = Effect.fn("NewSkills.judged")(function* (
  made: ReadonlyArray<NewSkill>,
  rules: Rules
): Effect.fn.Return<ReadonlyMap<string, SkillDefinition | SkillProblem>, DiskError, Disk | Skills> {
  const disk = yield* Disk
  const folder = mkdtempSync(join(tmpdir(), "holdfast-import-"))
  return yield* Effect.gen(function* () {
    for (const { name, text } of made) yield* written(join(folder, name), text)
    return yield* verdicts(folder, made, rules)
  }).pipe(Effect.ensuring(Effect.ignore(disk.removeTree(folder))))
})

/** Puts one into a skills folder by a rename. Fails with SKILL_EXISTS, or with what the loader says of the very file. */
export const put = Effect.fn("NewSkills.put")(function* (
  folder: string,
  made: NewSkill,
  rules: Rules
): Effect.fn.Return<void, DiskError | Refused | SkillProblem, Disk | Skills> {
  const disk = yield* Disk
  yield* disk.makeDir(folder)
  const place = join(folder, made.name)
  if ((yield* disk.stat(place)) !== undefined) return yield* exists(place)
  const draft = join(folder, `.import-${process.pid}-${made.name}`)
  yield* Effect.gen(function* () {
    yield* written(join(draft, made.name), made.text)
    const verdict = (yield* verdicts(draft, [made], rules)).get(made.name)
    if (verdict === undefined || "code" in verdict) return yield* verdict ?? exists(place)
    // A folder takes the place of none, or of an empty one: what came there meanwhile stays.
    yield* Effect.mapError(disk.rename(join(draft, made.name), place), () => exists(place))
    yield* disk.syncDir(folder)
  }).pipe(Effect.ensuring(Effect.ignore(disk.removeTree(draft))))
})

/** Gives one that was put another text, in one step for every reader, if it has still the text it was put with. */
export const rewrite = Effect.fn("NewSkills.rewrite")(function* (
  folder: string,
  before: NewSkill,
  text: string
): Effect.fn.Return<void, DiskError | Refused, Disk> {
  const disk = yield* Disk
  const file = join(folder, before.name, "SKILL.md")
  if (Buffer.from(yield* disk.read(file)).toString() !== before.text) return yield* exists(file)
  yield* durable(`${file}.new`, text)
  yield* disk.rename(`${file}.new`, file)
  yield* disk.syncDir(join(folder, before.name))
})

const written = Effect.fnUntraced(function* (folder: string, text: string) {
  const disk = yield* Disk
  yield* disk.makeDir(folder)
  yield* durable(join(folder, "SKILL.md"), text)
  yield* disk.syncDir(folder)
})

const durable = (file: string, text: string) =>
  Effect.scoped(
    Effect.gen(function* () {
      const open = yield* Disk.use((disk) => disk.open(file, { create: true }))
      yield* open.append(Buffer.from(text))
      yield* open.datasync
    })
  )

const verdicts = Effect.fnUntraced(function* (folder: string, made: ReadonlyArray<NewSkill>, { overrides, options }: Rules) {
  const own = Object.fromEntries(Object.entries(overrides).filter(([name]) => made.some((one) => one.name === name)))
  const loaded = yield* Skills.use((skills) => skills.load([folder], own, options))
  const verdicts = new Map<string, SkillDefinition | SkillProblem>(loaded.skills.map((skill) => [skill.name, skill]))
  for (const { name } of made) {
    const problem = loaded.problems.find(({ where }) => where.includes(`/${name}/SKILL.md`) || where.includes(`skills.${name}.`))
    if (problem !== undefined) verdicts.set(name, problem)
  }
  return verdicts
})

const exists = (place: string) =>
  new Refused({
    code: "SKILL_EXISTS",
    where: shown(place),
    got: "something is there already, or was changed",
    want: `no ${basename(place)}`,
    fix: "move it away, or write into another folder with --to"
  })
