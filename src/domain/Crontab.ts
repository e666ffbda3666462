/** What the lines of a user's crontab become as skills. Each goes through the shell that cron would start, in the home folder, as it does there. */
import * as Result from "effect/Result"
import { createHash } from "node:crypto"
import { shown } from "./Errors.ts"
import type { ForeignJob, SkillMade } from "./ForeignJob.ts"
import { looksSecret } from "./Redaction.ts"

/** Each job line; comments are left out, and settings hold for the lines after them. `zone` is that of the machine. */
export const readCrontab = (text: string, zone: string): ReadonlyArray<ForeignJob> => {
  const settings = new Map<string, string>()
  return text.split(/\r?\n/).flatMap((given) => {
    const line = given.trim()
    if (line === "" || line.startsWith("#")) return []
    const [, name, value] = /^([A-Za-z_][A-Za-z0-9_]*|"[^"]+"|'[^']+')\s*=\s*(.*)$/.exec(line) ?? []
    if (name !== undefined) {
      settings.set(unquoted(name), unquoted(value!))
      return []
    }
    const [, when, command] = /^(@\w+|(?:\S+\s+){4}\S+)\s+(.+)$/.exec(line) ?? []
    const job = { from: "crontab", id: idOf(line), name: nameOf(command ?? line), enabled: true } as const
    const made =
      command === undefined ? Result.fail("neither a setting nor five fields and a command") : madeOf(when!, command, settings, zone)
    return [{ ...job, made }]
  })
}

const madeOf = (when: string, command: string, settings: ReadonlyMap<string, string>, zone: string): Result.Result<SkillMade, string> => {
  if (when === "@reboot") return Result.fail("@reboot is no instant: it has to do with the machine's start")
  if (/^root\s/.test(command)) return Result.fail("it has a user column, as a system's crontab: read a user's own")
  const secret = [...settings].find(([name, value]) => looksSecret({ name, value }))
  if (secret !== undefined) return Result.fail(`its ${secret[0]} looks like a secret, which no skill file may hold: hand it on by env`)
  const { MAILTO, CRON_TZ, SHELL = "/bin/sh", ...variables } = Object.fromEntries(settings)
  const { line, input } = withInput(command)
  const home = `cd "$HOME" || exit; ${line}`
  const shell = input === undefined ? [SHELL, "-c", home] : ["/bin/sh", "-c", `printf '%s\\n' "$1" | "$2" -c "$0"`, home, input, SHELL]
  const set = Object.entries(variables).map(([name, value]) => `${name}=${value}`)
  return Result.succeed({
    settings: {
      schedule: { cron: when, timezone: CRON_TZ ?? zone },
      run: set.length === 0 ? shell : ["/usr/bin/env", ...set, ...shell],
      timeout: "1 day",
      retry: { attempts: 1 },
      onInterruption: "record"
    },
    differs: [
      ...(CRON_TZ === undefined
        ? [`${zone} is this machine's zone`]
        : ["CRON_TZ is its zone, as for cronie; Debian's cron takes no notice of it"]),
      ...(MAILTO === ""
        ? []
        : [`what it prints is kept with its run; there it is mailed${MAILTO === undefined ? "" : ` to ${shown(MAILTO)}`}`]),
      ...(variables["PATH"] === undefined ? ["its PATH is the runtime's; there it is /usr/bin:/bin"] : []),
      "ends after a day, and a slot is skipped while it is at work; there neither"
    ]
  })
}

/** An unescaped % ends the command: what follows is what the command reads, with each further % as a new line. */
const withInput = (command: string): { readonly line: string; readonly input: string | undefined } => {
  const [line = "", ...rest] = command.split(/(?<!\\)%/).map((part) => part.replaceAll("\\%", "%"))
  return { line, input: rest.length === 0 ? undefined : rest.join("\n") }
}

/** The same line has the same id wherever it stands. */
const idOf = (line: string): string => createHash("sha256").update(line.replace(/\s+/g, " ")).digest("hex").slice(0, 12)

/** The program's file name, without what only sets it up. */
const nameOf = (command: string): string => {
  const word =
    command
      .replace(/^cd\s+\S+\s*(?:&&|;)\s*/, "")
      .split(/\s+/)
      .find((one) => !/^(?:\w+=|sudo$|nice$|-)/.test(one)) ?? command
  return word
    .split("/")
    .at(-1)!
    .replace(/\.\w+$/, "")
}

const unquoted = (text: string): string => /^(["'])(.*)\1$/.exec(text)?.[2] ?? text
