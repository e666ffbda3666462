/** The queue: posts are files, the oldest first. */
import { lstat, readdir } from "node:fs/promises"
import { join } from "node:path"

/** Names of the oldest posts, at most `max`. Links, folders, hidden files and what is longer (256 KiB, its name 120 characters) are passed over. */
export const oldest = async (queue: string, max: number): Promise<ReadonlyArray<string>> => {
  const names = (await readdir(queue)).filter((name) => /^[^.].{0,114}\.(?:md|json)$/.test(name))
  const files = await Promise.all(names.map(async (name) => ({ name, stat: await lstat(join(queue, name)) })))
  return files
    .filter(({ stat }) => stat.isFile() && stat.size <= postBytesMax)
    .toSorted((a, b) => a.stat.mtimeMs - b.stat.mtimeMs || (a.name < b.name ? -1 : 1))
    .slice(0, max)
    .map(({ name }) => name)
}

const postBytesMax = 262_144
