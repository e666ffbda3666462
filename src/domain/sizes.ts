/** Amounts of memory as people write them: `512 MB`, `1 GiB`, `1.5 GB`. */

/** What to write, for messages. */
export const sizeWant = `a size with its unit, such as "512 MB" or "1 GiB"`

/**
 * Reads a size; the result is in bytes, and nothing when the text is not one. Units: bytes (`B`), `kB`, `MB`, `GB` and `TB`
 * by the thousand, `KiB`, `MiB`, `GiB` and `TiB` by 1024, in whatever case. The number may have a fraction, which is
 * rounded to whole bytes.
 */
export const parseSize = (text: string): number | undefined => {
  const [, count, unit] = pattern.exec(text.trim().toLowerCase()) ?? []
  return count === undefined ? undefined : Math.round(Number(count) * units.find(([words]) => words.includes(unit!))![1])
}

/** A size as we print it: `512 MB`, `1 GiB`; what is no round number of any unit has one digit behind the point: `312.5 MB`. */
export const showSize = (bytes: number): string => {
  const round = units.find(([, size]) => bytes >= size && bytes % size === 0 && bytes / size < 1_000)
  if (round !== undefined) return `${bytes / round[1]} ${round[2]}`
  const [, size, word] = units.find(([, size]) => size % 1_000 === 0 && bytes >= size) ?? units.at(-1)!
  return `${Math.round((bytes / size) * 10) / 10} ${word}`
}

const units: ReadonlyArray<readonly [words: ReadonlyArray<string>, size: number, shown: string]> = [
  [["tib"], 1_024 ** 4, "TiB"],
  [["tb"], 1_000 ** 4, "TB"],
  [["gib"], 1_024 ** 3, "GiB"],
  [["gb"], 1_000 ** 3, "GB"],
  [["mib"], 1_024 ** 2, "MiB"],
  [["mb"], 1_000 ** 2, "MB"],
  [["kib"], 1_024, "KiB"],
  [["kb"], 1_000, "kB"],
  [["b", "byte", "bytes"], 1, "bytes"]
]

const pattern = new RegExp(`^(\\d{1,15}(?:\\.\\d{1,9})?)\\s*(${units.flatMap(([words]) => words).join("|")})$`)
