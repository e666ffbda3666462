/**
 * What a process prints: straight to a file, so that it outlives us and nobody waits on a pipe, and yet bounded.
 *
 * While the process runs a file holds at most `outputBytesMax` and what is written between two looks (a quarter of a second). What
 * is too much is cut from the middle: the first half stays, as does the latest quarter, with a line between that says how
 * many bytes are gone. After the run no file is longer than `outputBytesMax`. A line written while a cut is being made
 * may be lost with the rest.
 *
 * What is printed passes nobody on its way to the file, so known secrets are taken out of it once the process has ended.
 */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import * as fs from "node:fs"
import type { Redaction } from "../domain/Redaction.ts"

/** The longest file of output, in bytes. */
export const outputBytesMax = 1_048_576

/** A file open for a process to print to. */
export interface Output {
  readonly fd: number
}

/** Makes the file anew (0600, never through a link) and keeps it bounded until the scope closes; then takes the secrets out of it. */
export const openOutput = (path: string, secrets: Redaction) =>
  keepBounded(() => {
    fs.rmSync(path, { force: true }) // What an earlier attempt left open writes to the old file, not to this one.
    return fs.openSync(path, flags, 0o600)
  }, secrets)

/** The same for a file that a process of another runtime prints to. What is no file, or away, is left alone. */
export const takeOverOutput = (path: string, secrets: Redaction): Effect.Effect<void, never, Scope.Scope> =>
  Effect.ignore(
    keepBounded(() => {
      const fd = fs.openSync(path, fs.constants.O_RDWR | fs.constants.O_APPEND | fs.constants.O_NOFOLLOW | fs.constants.O_NONBLOCK)
      if (fs.fstatSync(fd).isFile()) return fd
      fs.closeSync(fd)
      throw new Error(`${path} is no file`)
    }, secrets)
  )

const keepBounded = Effect.fnUntraced(function* (
  open: () => number,
  secrets: Redaction
): Effect.fn.Return<Output, NodeJS.ErrnoException, Scope.Scope> {
  const output = yield* Effect.acquireRelease(
    Effect.try({ try: () => ({ fd: open(), gone: 0 }), catch: (cause) => cause as NodeJS.ErrnoException }),
    (open) =>
      Effect.sync(() => {
        bound(open)
        redact(open.fd, secrets)
        bound(open) // A mark may be longer than what it stands for.
        fs.closeSync(open.fd)
      })
  )
  yield* Effect.sync(() => bound(output)).pipe(Effect.andThen(Effect.sleep("250 millis")), Effect.forever, Effect.forkScoped)
  return output
})

/** Takes the secrets out of files that a run has left in its folder, and bounds them. What is no file, or away, is left alone. */
export const redactFiles = (directory: string, names: ReadonlyArray<string>, secrets: Redaction): Effect.Effect<void> =>
  Effect.forEach(
    secrets.active ? names : [],
    (name) =>
      Effect.ignore(
        Effect.try(() => {
          const fd = fs.openSync(`${directory}/${name}`, fs.constants.O_RDWR | fs.constants.O_NOFOLLOW | fs.constants.O_NONBLOCK)
          try {
            const stat = fs.fstatSync(fd)
            if (!stat.isFile()) return
            if (stat.size > outputBytesMax) fs.ftruncateSync(fd, outputBytesMax)
            redact(fd, secrets)
          } finally {
            fs.closeSync(fd)
          }
        })
      ),
    { discard: true }
  )
/** A text that is another one once more was printed. */
export const stateOf = ({ fd }: Output): string => {
  const { size, mtimeMs } = fs.fstatSync(fd)
  return `${size}@${mtimeMs}`
}

/** The last line of a file that holds more than white space, from its last 4 KiB; empty when there is none. */
export const lastLine = (path: string): Effect.Effect<string> =>
  Effect.sync(() => {
    const fd = fs.openSync(path, fs.constants.O_RDONLY | fs.constants.O_NOFOLLOW | fs.constants.O_NONBLOCK)
    try {
      const size = fs.fstatSync(fd).size
      return bytesAt(fd, Math.max(0, size - 4_096), size)
        .toString("utf8")
        .trimEnd()
        .split(/[\r\n]/)
        .at(-1)!
        .trim()
    } finally {
      fs.closeSync(fd)
    }
  }).pipe(Effect.catchDefect(() => Effect.succeed(""))) // The skill may have removed its folder.

// Appending, since the process and we share one offset, and a cut must not leave a hole.
const flags = fs.constants.O_RDWR | fs.constants.O_APPEND | fs.constants.O_CREAT | fs.constants.O_EXCL

const bound = (output: Output & { gone: number }): void => {
  const size = fs.fstatSync(output.fd).size
  if (size <= outputBytesMax) return
  const tail = bytesAt(output.fd, size - outputBytesMax / 4, size)
  output.gone += fs.fstatSync(output.fd).size - (outputBytesMax * 3) / 4 // Asked anew: what was printed meanwhile goes as well.
  fs.ftruncateSync(output.fd, outputBytesMax / 2)
  fs.writeSync(output.fd, `\n[holdfast: about ${output.gone} bytes cut here]\n`)
  fs.writeSync(output.fd, tail)
}

const redact = (fd: number, secrets: Redaction): void => {
  if (!secrets.active) return
  const printed = bytesAt(fd, 0, fs.fstatSync(fd).size)
  const kept = secrets.bytes(printed)
  if (kept === printed) return
  fs.ftruncateSync(fd, 0)
  fs.writeSync(fd, kept, 0, kept.length, 0)
}

const bytesAt = (fd: number, from: number, to: number): Buffer => {
  const bytes = Buffer.alloc(to - from)
  return bytes.subarray(0, fs.readSync(fd, bytes, 0, bytes.length, from))
}
