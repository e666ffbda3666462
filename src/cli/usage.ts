/** What is said of the command itself: its list, each command's usage, and what is wrong with a line that was typed. */
import type { Problem } from "../domain/Errors.ts"
import type { AnyCommand, Flag, Flags } from "./command.ts"
import { commands, type Listed } from "./commands.ts"

/** Flags that every command has. */
export const common: Flags = {
  json: { type: "switch", about: "for programs: JSON, one value a line" },
  help: { type: "switch", about: "this text" }
}

/** The line cannot be understood; nothing was done. The command leaves with 64. */
export class UsageInvalid extends Error implements Problem {
  readonly _tag = "UsageInvalid"
  readonly code: string
  readonly where: string
  readonly got: string
  readonly want: string
  readonly fix: string

  constructor({ code, where, got, want, fix }: Problem) {
    super(code)
    this.code = code
    this.where = where
    this.got = got
    this.want = want
    this.fix = fix
  }
}

/** `holdfast --help`. */
export const overview = (): string =>
  [
    "Keeps an AI agent's scheduled skills running while its Gateway is down.",
    "",
    "usage: holdfast COMMAND [flags]",
    "",
    ...aligned(commands.map(({ name, summary }) => [name, summary])),
    "",
    "  holdfast COMMAND --help  says more; --json and --help go with every command",
    "",
    "Try it:",
    ...aligned([
      ["holdfast up --demo", "two skills and a gateway, in a folder of their own"],
      ["holdfast status", "from another terminal"]
    ]),
    ""
  ].join("\n")

/** `holdfast status --help`. */
export const usage = ({ name }: Listed, { about, words, flags, examples }: AnyCommand): string =>
  [
    `usage: holdfast ${[name, words?.usage, "[flags]", words?.rest && `-- ${words.rest}`].filter((part) => part !== undefined).join(" ")}`,
    "",
    ...wrapped(about),
    "",
    ...aligned(Object.entries<Flag>({ ...flags, ...common }).map(([flag, value]) => [spelled(flag, value), value.about])),
    "",
    "Examples:",
    ...aligned(examples),
    ""
  ].join("\n")

const spelled = (name: string, flag: Flag): string =>
  flag.type === "switch" ? `--${name}` : `--${name} ${flag.value}${flag.type === "texts" ? " ..." : ""}`

const wrapped = (text: string): ReadonlyArray<string> => {
  const lines = [""]
  for (const word of text.split(" ")) {
    const last = lines.at(-1)!
    if (last.length + word.length < widthMax) lines[lines.length - 1] = last === "" ? word : `${last} ${word}`
    else lines.push(word)
  }
  return lines
}
const widthMax = 96

const aligned = (rows: ReadonlyArray<readonly [string, string]>): ReadonlyArray<string> => {
  const width = Math.max(...rows.map(([left]) => left.length))
  return rows.map(([left, right]) => `  ${left.padEnd(width)}  ${right}`)
}
