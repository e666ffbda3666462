/** What a command says: lines for people, values for programs, colours only where a person looks. */

export interface Out {
  /** Whether a program reads: then only values are written, one JSON text each. */
  readonly json: boolean
  /** One line, or several, to stdout. */
  readonly line: (text: string) => void
  /** One value as one line of JSON to stdout. */
  readonly value: (value: unknown) => void
  /** Columns set below each other, two spaces apart. */
  readonly table: (rows: ReadonlyArray<ReadonlyArray<string>>) => void
  /** One line to stderr: what is neither an answer nor an event. */
  readonly note: (text: string) => void
  /** What stdout's reader has not taken yet, in bytes. */
  readonly backlog: () => number
  readonly paint: Readonly<Record<Colour, (text: string) => string>>
}

export type Colour = "bold" | "dim" | "red" | "green" | "yellow"

const codes: Readonly<Record<Colour, readonly [number, number]>> = {
  bold: [1, 22],
  dim: [2, 22],
  red: [31, 39],
  green: [32, 39],
  yellow: [33, 39]
}

/** Over this process's stdout and stderr. */
export const makeOut = (json: boolean): Out => {
  const line = (text: string): void => {
    process.stdout.write(`${text}\n`)
  }
  return {
    json,
    line,
    value: (value) => line(JSON.stringify(value)),
    table: (rows) => line(columns(rows)),
    note: (text) => {
      process.stderr.write(`${text}\n`)
    },
    backlog: () => process.stdout.writableLength,
    paint: paints(!json && process.stdout.isTTY && (process.env["NO_COLOR"] ?? "") === "" && process.env["TERM"] !== "dumb")
  }
}

/**
 * A reader that goes away (`holdfast up | head -1`) is no reason to stop: what is written from then on goes nowhere. Without
 * this, the error of the closed pipe would end the process.
 */
export const surviveClosedPipes = (): void => {
  for (const stream of [process.stdout, process.stderr]) stream.on("error", () => {})
}

const paints = (coloured: boolean): Out["paint"] =>
  Object.fromEntries(
    Object.entries(codes).map(([name, [on, off]]) => [name, (text: string) => (coloured ? `\u001b[${on}m${text}\u001b[${off}m` : text)])
  ) as Out["paint"]

const columns = (rows: ReadonlyArray<ReadonlyArray<string>>): string => {
  const widths: Array<number> = []
  for (const row of rows) for (const [i, cell] of row.entries()) widths[i] = Math.max(widths[i] ?? 0, visible(cell))
  return rows
    .map((row) =>
      row
        .map((cell, i) => (i === row.length - 1 ? cell : cell + " ".repeat(widths[i]! - visible(cell))))
        .join("  ")
        .trimEnd()
    )
    .join("\n")
}

// oxlint-disable-next-line no-control-regex -- colours take no room.
const visible = (text: string): number => text.replace(/\u001b\[\d+m/g, "").length
