/** `holdfast skills approve`: puts on record that somebody has looked at a skill's files. */
import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import * as NodePath from "@effect/platform-node/NodePath"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { basename, dirname, resolve } from "node:path"
import { explain, nearest, Refused, shown } from "../domain/Errors.ts"
import type { SkillDefinition } from "../domain/Skill.ts"
import { ask } from "../layers/ControlClient.ts"
import { Disk } from "../layers/Disk.ts"
import { type LoadedSkills, Skills } from "../layers/Skills.ts"
import { StateStore } from "../layers/StateStore.ts"
import { defineCommand, exit, shared } from "./command.ts"
import { loadConfig } from "./config.ts"
import { configFile, stateDirectory, user } from "./place.ts"
import { UsageInvalid } from "./usage.ts"

export const command = defineCommand({
  about:
    "Where the config says approval: required, a skill file runs only as it was when somebody approved it. " +
    "This approves one as it is now, or all, and prints what that is: the digest, and the files it is taken over beside the settings. " +
    "It works with a runtime and without one; a runtime goes by it from its next start, or holdfast reload.",
  words: { usage: "[SKILL]", min: 0, max: 1 },
  flags: {
    ...shared,
    skills: { type: "texts", value: "DIR", about: "a folder of skills, one folder each; in place of the config's" },
    all: { type: "switch", about: "every skill that can be loaded" }
  },
  examples: [
    ["holdfast skills approve post-pipeline", "once you have read its files"],
    ["holdfast skills approve --all --json", "one skill a line, for programs"]
  ],
  run: ({ flags, words: [name], out }) =>
    Effect.gen(function* () {
      if ((name === undefined) !== flags.all) return yield* Effect.fail(oneOrAll)
      if (process.env["HOLDFAST_RUN_ID"] !== undefined) return yield* byASkill(process.env["HOLDFAST_RUN_ID"])
      const config = yield* loadConfig(configFile(flags.config))
      const folders = flags.skills.length > 0 ? flags.skills.map((folder) => resolve(folder)) : config.skillsFolders
      const { zone, report, env } = config
      const loaded = yield* Skills.use((skills) =>
        skills.load(folders, config.overrides, { zone, report, env, approval: "required" })
      ).pipe(Effect.provide(Skills.layer.pipe(Layer.provide([NodeFileSystem.layer, NodePath.layer]))))
      const chosen = name === undefined ? loaded.skills : [yield* theOne(name, loaded)]
      if (name === undefined) for (const problem of loaded.problems) out.note(out.json ? JSON.stringify(problem) : explain(problem))
      yield* record(yield* stateDirectory(flags), chosen, user())
      for (const { name: skill, digest, pinned = [] } of chosen) {
        if (out.json) out.value({ skill, digest, files: pinned, by: user() })
        else
          out.line([`${out.paint.bold(skill)} is approved by ${user()} as ${digest}`, ...pinned.map(({ file }) => `  ${file}`)].join("\n"))
      }
      if (!out.json)
        out.line(
          chosen.length === 0 ? "no skill is there to be approved" : "a runtime at work goes by it from its next start, or holdfast reload"
        )
      return exit.ok
    })
})

/** By the runtime at work, or, where none is, by this process in its place. */
const record = Effect.fnUntraced(function* (directory: string, chosen: ReadonlyArray<SkillDefinition>, by: string) {
  const skills = chosen.map(({ name, digest }) => ({ skill: name, digest }))
  yield* Effect.catchIf(
    Effect.asVoid(ask(directory, { id: 1, do: "skill.approve", skills, by })),
    ({ code }) => code === "RUNTIME_DOWN",
    () =>
      StateStore.use((store) => store.append(...skills.map((one) => ({ type: "skill.approved", ...one, by }) as const))).pipe(
        Effect.provide(StateStore.layer(directory, { statusFiles: false }).pipe(Layer.provide(Disk.layerNode)))
      )
  )
})

const theOne = Effect.fnUntraced(function* (name: string, { skills, passive, problems }: LoadedSkills) {
  const found = skills.find((skill) => skill.name === name)
  if (found !== undefined) return found
  const problem = problems.find(({ where }) => basename(dirname(where)) === name)
  if (problem !== undefined) return yield* problem
  const near = nearest(
    name,
    [...skills, ...passive].map((skill) => skill.name)
  )
  return yield* new Refused({
    code: "SKILL_UNKNOWN",
    where: "skill",
    got: shown(name),
    want: "a skill in the skills folders that can run",
    fix: near === undefined || near === name ? "holdfast skills check lists them" : `did you mean ${near}?`
  })
})

/** No wall: a skill runs as this user. It keeps an agent from approving what it has just written without anybody noticing. */
const byASkill = (run: string) =>
  new Refused({
    code: "APPROVED_BY_SKILL",
    where: "holdfast skills approve",
    got: shown(`a call from ${run}`),
    want: "a person at a terminal",
    fix: "approve it by hand, outside of any run"
  })

const oneOrAll = new UsageInvalid({
  code: "WORDS",
  where: "holdfast skills approve",
  got: "neither a skill nor --all, or both",
  want: "SKILL, or --all",
  fix: "name the skill that you have looked at"
})
