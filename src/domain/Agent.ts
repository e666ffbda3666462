/** The agent's command, which prompt skills hand their text to: a template of words, checked where it is read. */
import * as Schema from "effect/Schema"
import { textField } from "./fields.ts"
import { isProgram, SkillSettings } from "./SkillFile.ts"

/**
 * What a word of the template may name in braces. The text itself is none of them: every user of the machine can read the
 * words that a process was started with.
 */
const placeholders = ["promptFile", "run", "skill"] as const

/** What stands in for the placeholders: the file that holds the text (absolute), the run's id, the skill's name. */
export type Filling = Readonly<Record<(typeof placeholders)[number], string>>

const named = /\{([A-Za-z]\w*)\}/g
const known: ReadonlySet<string> = new Set(placeholders)

/** The agent's command as an operator sets it, in the config under `agent` or in `createRuntime`. */
export const AgentSettings = Schema.Struct({
  command: Schema.Array(
    textField(
      (word) => word.length <= 4_096 && !word.includes("\0") && [...word.matchAll(named)].every(([, name]) => known.has(name!)),
      "at most 4096 characters without NUL, in braces only {promptFile}, {run} or {skill}",
      "a word of the command"
    )
  )
    .check(
      Schema.isMinLength(1),
      Schema.isMaxLength(64),
      Schema.makeFilter(([program = ""]: ReadonlyArray<string>) => isProgram(program) && !/[{}]/.test(program), {
        expected: "first a path that begins with ./ or /, or a program's name, without braces",
        toJsonSchema: () => ({})
      })
    )
    .annotate({ description: "word by word, never a shell; without {promptFile} the text comes on stdin" }),
  timeout: Schema.optionalKey(SkillSettings.fields.timeout.schema.annotate({ description: "for prompt skills that do not say" })),
  perDay: Schema.optionalKey(SkillSettings.fields.perDay.schema.annotate({ description: "attempts of all prompt skills within 24 hours" })),
  env: Schema.optionalKey(SkillSettings.fields.env.schema.annotate({ description: "names of variables handed on to every prompt skill" }))
})
export type AgentSettings = typeof AgentSettings.Type

/** The same, with a path of the program as `absolute` makes it of one that begins with `./`. */
export const placed = (agent: AgentSettings, absolute: (path: string) => string): AgentSettings => {
  const [program, ...rest] = agent.command
  return program?.startsWith("./") === true ? { ...agent, command: [absolute(program), ...rest] } : agent
}

/** Whether the text is read from a file that the command names; it comes on stdin otherwise. */
export const namesFile = (command: ReadonlyArray<string>): boolean => command.some((word) => word.includes("{promptFile}"))

/** The template with its placeholders filled. */
export const filled = (command: Command, filling: Filling): Command => {
  const fill = (word: string) => word.replace(named, (_, name: keyof Filling) => filling[name])
  return [command[0], ...command.slice(1).map(fill)]
}

type Command = readonly [string, ...ReadonlyArray<string>]
