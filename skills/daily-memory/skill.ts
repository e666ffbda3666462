/** Writes the day's memory file from the last history of the session. */
import { createHash } from "node:crypto"
import { mkdir, readFile, rename, stat, writeFile } from "node:fs/promises"
import { existsSync } from "node:fs"
import { homedir } from "node:os"
import { join } from "node:path"
import type { History, SkillContext } from "holdfast"

export default async (ctx: SkillContext) => {
  const history = await ctx.history()
  const folder = memoryFolder()
  const day = dayOf(ctx.slot)
  const file = join(folder, `${day}.md`)
  await mkdir(folder, { recursive: true })
  const before = (await readFile(file, "utf8").catch(absent)) ?? `# ${day}\n`

  const mark = `<!-- holdfast ${history === undefined ? "none" : fingerprint(history)} -->`
  const known = before.includes(mark) || (history === undefined && before.includes("<!-- holdfast "))
  const lines = (history?.messages ?? []).map(lineOf)
  const fresh = known ? [] : newIn(before, lines)
  // Once for each history: the same one again leaves every byte as it is.
  if (!known) await replace(file, `${before.trimEnd()}\n\n${section(ctx, history, fresh, lines.length - fresh.length, mark)}`, ctx.run)

  const source = sourceOf(history)
  return {
    messages: fresh.length,
    history: source,
    ...(history === undefined ? {} : { history_age_s: Math.round(history.ageMs / 1_000) }),
    summary:
      history === undefined
        ? `No session history was at hand for ${day}; ${file} says so.`
        : `Memory of ${day}: ${fresh.length} new of ${lines.length} messages (${source} history), in ${file}.`
  }
}

/** A live session is read again at least every 30 s, so twice that is still its present state. */
const sourceOf = (history: History | undefined): "live" | "cached" | "none" =>
  history === undefined ? "none" : history.ageMs <= 60_000 ? "live" : "cached"

const section = (ctx: SkillContext, history: History | undefined, lines: ReadonlyArray<string>, above: number, mark: string): string => {
  const head = `## ${timeOf(ctx.slot)} daily memory\n${mark}\n`
  if (history === undefined) return `${head}No session history was at hand: none has been read so far.\n`
  const times = history.messages.flatMap(({ at }) => (at === undefined || Number.isNaN(Date.parse(at)) ? [] : [Date.parse(at)]))
  return [
    head,
    `- Session: ${oneLine(history.session)}`,
    `- History: ${sourceOf(history)}, read ${history.readAt}, ${age(history.ageMs)} old when this was written`,
    `- Messages: ${history.messages.length}${above === 0 ? "" : `, of which ${above} stand above`}`,
    `- Participants: ${participants(history)}`,
    ...(times.length === 0 ? [] : [`- From ${timeOf(new Date(Math.min(...times)))} to ${timeOf(new Date(Math.max(...times)))}`]),
    "",
    ...lines,
    ""
  ].join("\n")
}

const participants = ({ messages }: History): string => {
  const counts = new Map<string, number>()
  for (const { role } of messages) counts.set(role, (counts.get(role) ?? 0) + 1)
  return [...counts].map(([role, count]) => `${oneLine(role)} (${count})`).join(", ") || "nobody"
}

const lineOf = ({ at, role, text }: History["messages"][number]): string =>
  `- ${at === undefined || Number.isNaN(Date.parse(at)) ? "--:--" : timeOf(new Date(at))} **${oneLine(role)}** ${oneLine(text)}`

/** The lines that are not in the file yet. One that was said twice is there twice. */
const newIn = (text: string, lines: ReadonlyArray<string>): ReadonlyArray<string> => {
  const there = new Map<string, number>()
  for (const line of text.split("\n")) there.set(line, (there.get(line) ?? 0) + 1)
  return lines.filter((line) => {
    const left = there.get(line) ?? 0
    there.set(line, left - 1)
    return left <= 0
  })
}

/** What was said, in one line of at most 400 characters that can open no comment of its own. */
const oneLine = (text: string): string => {
  const line = text
    .replace(/[\s\p{Cc}]+/gu, " ")
    .replaceAll("<!--", "&lt;!--")
    .trim()
  return line.length > 400 ? `${line.slice(0, 397)}...` : line
}

const fingerprint = ({ session, messages }: History): string =>
  createHash("sha256")
    .update(JSON.stringify([session, messages.map(({ at, role, text }) => [at, role, text])]))
    .digest("hex")
    .slice(0, 16)

const age = (ms: number): string =>
  ms < 60_000 ? `${Math.round(ms / 1_000)} s` : ms < 3_600_000 ? `${Math.round(ms / 60_000)} min` : `${Math.round(ms / 3_600_000)} h`

/** Readers see the file of before or the new one, never a part. */
const replace = async (file: string, text: string, run: string): Promise<void> => {
  const draft = `${file}.${run}.tmp`
  const mode = await stat(file).then(
    (before) => before.mode & 0o777,
    () => 0o600
  )
  await writeFile(draft, text, { mode, flush: true })
  await rename(draft, file)
}

const memoryFolder = (): string => {
  const workspace = join(homedir(), ".openclaw", "workspace")
  return process.env["HOLDFAST_MEMORY_DIR"] ?? join(existsSync(workspace) ? workspace : join(homedir(), ".holdfast"), "memory")
}

const two = (n: number): string => String(n).padStart(2, "0")
const dayOf = (at: Date): string => `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())}`
const timeOf = (at: Date): string => `${two(at.getHours())}:${two(at.getMinutes())}`

const absent = (error: NodeJS.ErrnoException): undefined => {
  if (error.code !== "ENOENT") throw error
}
