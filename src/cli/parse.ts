/** From what was typed to a command's flags and words. Everything that is not understood is refused, with what may have been meant. */
import { parseArgs } from "node:util"
import { nearest, shown } from "../domain/Errors.ts"
import type { AnyCommand, Flag, Flags } from "./command.ts"
import { commands, type Listed } from "./commands.ts"
import { common, UsageInvalid } from "./usage.ts"

/** Which command the first words name, and what is left of them. Fails with COMMAND_UNKNOWN. */
export const findCommand = (argv: ReadonlyArray<string>): { readonly listed: Listed; readonly rest: ReadonlyArray<string> } => {
  for (const length of [2, 1]) {
    const listed = commands.find(({ name }) => name === argv.slice(0, length).join(" ") && argv.length >= length)
    if (listed !== undefined) return { listed, rest: argv.slice(length) }
  }
  const [first = "", second] = argv
  const group = commands.filter(({ name }) => name.startsWith(`${first} `)).map(({ name }) => name)
  const given = group.length > 0 && second !== undefined && !second.startsWith("-") ? `${first} ${second}` : first
  const near =
    group.length > 0
      ? (nearest(given, group) ?? group[0])
      : first.length < 2
        ? undefined
        : nearest(
            first,
            commands.map(({ name }) => name)
          )
  throw new UsageInvalid({
    code: "COMMAND_UNKNOWN",
    where: "holdfast",
    got: shown(given),
    want: `one of ${commands.map(({ name }) => name).join(", ")}`,
    fix: first.startsWith("-")
      ? "the command comes first, then its flags"
      : near === undefined
        ? "holdfast --help lists them"
        : `did you mean holdfast ${near}?`
  })
}

export interface Parsed {
  readonly flags: Readonly<Record<string, boolean | string | number | ReadonlyArray<string> | undefined>>
  readonly words: ReadonlyArray<string>
  readonly rest: ReadonlyArray<string>
  readonly json: boolean
  readonly help: boolean
}

/** Fails with FLAG_UNKNOWN, FLAG_VALUE, FLAG_TWICE or WORDS. */
export const parse = (name: string, command: AnyCommand, typed: ReadonlyArray<string>): Parsed => {
  const { usage, min, max, rest: restUsage } = { rest: undefined, usage: "nothing", min: 0, max: 0, ...command.words }
  const end = restUsage === undefined ? -1 : typed.indexOf("--")
  const [args, rest] = end < 0 ? [typed, []] : [typed.slice(0, end), typed.slice(end + 1)]
  const where = `holdfast ${name}`
  const known: Flags = { ...command.flags, ...common }
  const { tokens } = parseArgs({ args: [...args], strict: false, allowPositionals: true, tokens: true, options: optionsOf(known) })
  const given = new Map<string, Array<string>>()
  const words: Array<string> = []
  for (const token of tokens) {
    if (token.kind === "positional") words.push(token.value)
    if (token.kind !== "option") continue
    const flag = Object.hasOwn(known, token.name) ? known[token.name] : undefined
    if (flag === undefined || (token.rawName === `-${token.name}` && token.name !== "help"))
      throw unknownFlag(where, token.rawName, Object.keys(known))
    const before = given.get(token.name) ?? []
    if (flag.type !== "switch" && flag.type !== "texts" && before.length > 0) {
      throw new UsageInvalid({ code: "FLAG_TWICE", where, got: `${token.rawName} twice`, want: "it once", fix: "keep one of them" })
    }
    given.set(token.name, [...before, valueOf(where, token.rawName, flag, token.value, token.inlineValue === true)])
  }
  const help = given.has("help")
  if (!help && (words.length < min || words.length > max || (restUsage !== undefined && (rest[0] ?? "") === ""))) {
    throw new UsageInvalid({
      code: "WORDS",
      where,
      got: words.length === 0 ? "nothing beside the flags" : shown([...words, ...(end < 0 ? [] : ["--", ...rest])].join(" ")),
      want: restUsage === undefined ? usage : `${usage} -- ${restUsage}`,
      fix: `holdfast ${name} --help shows how`
    })
  }
  const flags = Object.fromEntries(Object.entries<Flag>(command.flags).map(([key, flag]) => [key, read(where, key, flag, given.get(key))]))
  return { flags, words, rest, json: given.has("json"), help }
}

const optionsOf = (flags: Flags) =>
  Object.fromEntries(
    Object.entries(flags).map(([name, { type }]) => [
      name,
      { type: type === "switch" ? ("boolean" as const) : ("string" as const), ...(name === "help" ? { short: "h" } : {}) }
    ])
  )

const valueOf = (where: string, raw: string, flag: Flag, value: string | undefined, inline: boolean): string => {
  if (flag.type === "switch") {
    if (value === undefined) return ""
    throw new UsageInvalid({ code: "FLAG_VALUE", where, got: `${raw}=${shown(value)}`, want: `${raw} alone`, fix: "remove the value" })
  }
  if (value !== undefined && value !== "" && (inline || !value.startsWith("-"))) return value
  throw new UsageInvalid({
    code: "FLAG_VALUE",
    where,
    got: value === undefined ? `${raw} alone` : `${raw} ${shown(value)}`,
    want: `${raw} ${flag.value}`,
    fix: value?.startsWith("-") ? `if it begins with a dash, write ${raw}=${shown(value)}` : `say which ${flag.value}`
  })
}

const read = (where: string, name: string, flag: Flag, given: ReadonlyArray<string> | undefined) => {
  switch (flag.type) {
    case "switch":
      return given !== undefined
    case "texts":
      return given ?? []
    case "text":
      return given?.[0]
    case "number": {
      if (given === undefined) return undefined
      const value = /^\d+$/.test(given[0]!) ? Number(given[0]) : Number.NaN
      if (value >= flag.min && value <= flag.max) return value
      throw new UsageInvalid({
        code: "FLAG_VALUE",
        where,
        got: `--${name} ${shown(given[0])}`,
        want: `a whole number from ${flag.min} to ${flag.max}`,
        fix: "correct the number"
      })
    }
  }
}

const unknownFlag = (where: string, raw: string, known: ReadonlyArray<string>) => {
  const near = raw.startsWith("--") ? nearest(raw.slice(2), known) : undefined // Of one letter everything is near.
  return new UsageInvalid({
    code: "FLAG_UNKNOWN",
    where,
    got: shown(raw),
    want: known.map((name) => `--${name}`).join(" "),
    fix: near === undefined ? `${where} --help says what each does` : `did you mean --${near}?`
  })
}
