/**
 * What a command is: its words and flags as data, from which the parser, the usage and the suggestions are made, and a body.
 *
 * A file of `src/cli` exports one as `command`; `commands.ts` names it and loads the file only when it is asked for. `--json`,
 * `--help` and their handling belong to every command and are not listed by any.
 *
 * @example
 * export const command = defineCommand({
 *   about: "Says hello.",
 *   words: { usage: "NAME", min: 1, max: 1 },
 *   flags: { loud: { type: "switch", about: "in capitals" } },
 *   examples: [["holdfast hello world", "greets the world"]],
 *   run: ({ flags, words: [name], out }) => Effect.sync(() => {
 *     if (out.json) out.value({ hello: name })
 *     else out.line(flags.loud ? `HELLO ${name}` : `hello ${name}`)
 *     return exit.ok
 *   })
 * })
 */
import type * as Effect from "effect/Effect"
import type { Problem } from "../domain/Errors.ts"
import type { Out } from "./output.ts"

/** What the process leaves with. Those from 64 on are those of `sysexits.h`. */
export const exit = {
  ok: 0,
  /** It was done, and what it came to is not well: a run that failed, a request that was refused. */
  failed: 1,
  usage: 64,
  /** What is needed is taken or absent: the state directory's lock, a port, a runtime to talk to. */
  unavailable: 69,
  defect: 70,
  storage: 74,
  config: 78
} as const

/** `value` is how the usage calls what follows the flag: `DIR`. */
export type Flag =
  | { readonly type: "switch"; readonly about: string }
  | { readonly type: "text"; readonly value: string; readonly about: string }
  /** May be given several times. */
  | { readonly type: "texts"; readonly value: string; readonly about: string }
  | { readonly type: "number"; readonly value: string; readonly about: string; readonly min: number; readonly max: number }

export type Flags = Readonly<Record<string, Flag>>

/** The flags as they were given. */
export type Given<F extends Flags> = {
  readonly [K in keyof F]: F[K]["type"] extends "switch"
    ? boolean
    : F[K]["type"] extends "texts"
      ? ReadonlyArray<string>
      : F[K]["type"] extends "number"
        ? number | undefined
        : string | undefined
}

export interface Asked<F extends Flags> {
  readonly flags: Given<F>
  readonly words: ReadonlyArray<string>
  /** What stands behind `--`; empty for commands that take nothing there. */
  readonly rest: ReadonlyArray<string>
  readonly out: Out
}

export interface Command<F extends Flags> {
  /** What it does, for `--help`: a sentence, or a paragraph. */
  readonly about: string
  /** What stands beside the flags; none when absent. `rest` is how the usage calls what must stand behind `--`, untouched. */
  readonly words?: { readonly usage: string; readonly min: number; readonly max: number; readonly rest?: string }
  readonly flags: F
  /** A line to type, and what it does. */
  readonly examples: ReadonlyArray<readonly [line: string, what: string]>
  /** Gives the exit code. An error with the five answers is printed, and its exit code is that of its kind (`execute.ts`). */
  readonly run: (asked: Asked<F>) => Effect.Effect<number, Problem>
}

/** The table holds commands of every set of flags; the parser gives each its own. */
export type AnyCommand = Command<any>

export const defineCommand = <const F extends Flags>(command: Command<F>): AnyCommand => command

/** Flags that several commands share. */
export const shared = {
  state: { type: "text", value: "DIR", about: "the state directory (default: holdfast in the user's state folder)" },
  config: { type: "text", value: "FILE", about: "the config file (default: holdfast.config.json here, if there is one)" }
} as const satisfies Flags
