/**
 * What the embedded gateway remembers: one file a session, one JSON row a line, durable before anybody is told.
 *
 * `<directory>/<key>.jsonl`; bytes of the key other than `a-z 0-9 . _ -` are written as `%xx`, so that no key leaves the
 * folder and two keys stay two files on a disk that ignores case.
 */
import { createHash } from "node:crypto"
import * as fs from "node:fs/promises"
import * as path from "node:path"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import * as Semaphore from "effect/Semaphore"
import { shown, StateUnusable } from "../domain/Errors.ts"

/** One row. `ts` is when it was written, in milliseconds since the Unix epoch. */
export const Row = Schema.Struct({
  id: Schema.String,
  role: Schema.Literals(["user", "assistant"]),
  text: Schema.String,
  label: Schema.optionalKey(Schema.String),
  ts: Schema.Finite
})
export type Row = typeof Row.Type

export interface Transcript {
  readonly key: string
  /** Follows from the key: creating a session again finds the same one. */
  readonly sessionId: string
  /** Oldest first. */
  readonly rows: ReadonlyArray<Row>
}

export interface Transcripts {
  readonly all: () => ReadonlyArray<Transcript>
  readonly find: (key: string) => Transcript | undefined
  /** The session of this key, made if it is new. Durable when it returns. */
  readonly create: (key: string) => Effect.Effect<Transcript, StateUnusable>
  /** Adds a row to a session, made if it is new. Durable when it returns; an interruption waits for that. */
  readonly append: (key: string, row: Row) => Effect.Effect<void, StateUnusable>
}

/** The longest file name that every disk takes, in bytes. */
const fileNameMax = 255

/** Why a key cannot name a session, or nothing when it can. */
export const keyProblem = (key: string): string | undefined =>
  key === "" ? "empty" : !key.isWellFormed() ? "not text" : fileOf(key).length > fileNameMax ? "too long" : undefined

/**
 * Reads every transcript of a folder, which is made if it is missing. A last line that a crash cut short is removed: it
 * was never acknowledged. Fails with `GATEWAY_DIRECTORY` or `GATEWAY_TRANSCRIPT` when the folder cannot be used.
 */
export const openTranscripts = Effect.fn("Transcripts.open")(function* (directory: string): Effect.fn.Return<Transcripts, StateUnusable> {
  const held = new Map<string, { readonly key: string; readonly sessionId: string; readonly rows: Array<Row> }>()
  const oneAtATime = Semaphore.makeUnsafe(1)
  yield* onDisk(directory, () => fs.mkdir(directory, { recursive: true, mode: 0o700 }))
  for (const name of yield* onDisk(directory, () => fs.readdir(directory))) {
    const key = keyOf(name)
    if (fileOf(key) !== name) continue // Not a transcript of ours.
    held.set(key, { key, sessionId: sessionIdOf(key), rows: yield* load(path.join(directory, name)) })
  }

  const create = Effect.fnUntraced(function* (key: string) {
    const known = held.get(key)
    if (known !== undefined) return known
    const made = { key, sessionId: sessionIdOf(key), rows: [] }
    yield* onDisk(directory, () => appendDurably(path.join(directory, fileOf(key)), ""))
    yield* onDisk(directory, () => syncFolder(directory))
    held.set(key, made)
    return made
  })

  return {
    all: () => [...held.values()],
    find: (key) => held.get(key),
    create: (key) => Effect.uninterruptible(oneAtATime.withPermit(create(key))),
    append: (key, row) =>
      Effect.uninterruptible(
        oneAtATime.withPermit(
          Effect.gen(function* () {
            const transcript = yield* create(key)
            yield* onDisk(directory, () => appendDurably(path.join(directory, fileOf(key)), `${JSON.stringify(row)}\n`))
            transcript.rows.push(row)
          })
        )
      )
  }
})

const load = Effect.fnUntraced(function* (file: string): Effect.fn.Return<Array<Row>, StateUnusable> {
  const content = yield* onDisk(file, () => fs.readFile(file))
  const whole = content.lastIndexOf(0x0a) + 1
  if (whole < content.length) yield* onDisk(file, () => fs.truncate(file, whole))
  const rows: Array<Row> = []
  for (const line of content.toString("utf8", 0, whole).split("\n").slice(0, -1)) {
    const row = decodeRow(line)
    if (Result.isFailure(row)) {
      return yield* new StateUnusable({
        code: "GATEWAY_TRANSCRIPT",
        where: `${file}:${rows.length + 1}`,
        got: shown(line),
        want: "a row { id, role, text, ts } as JSON",
        fix: "Repair or remove this line, or give the gateway another folder."
      })
    }
    rows.push(row.success)
  }
  return rows
})
const decodeRow = Schema.decodeUnknownResult(Schema.fromJsonString(Row))

const onDisk = <A>(where: string, operation: () => Promise<A>): Effect.Effect<A, StateUnusable> =>
  Effect.tryPromise({
    try: operation,
    catch: (cause) =>
      new StateUnusable({
        code: "GATEWAY_DIRECTORY",
        where,
        got: shown((cause as NodeJS.ErrnoException).code ?? cause),
        want: "a folder that can be read and written",
        fix: "Check that it exists, that it is yours, and that the disk has room; or give the gateway another folder."
      })
  })

const appendDurably = async (file: string, text: string): Promise<void> => {
  await using handle = await fs.open(file, "a", 0o600)
  await handle.appendFile(text)
  await handle.datasync()
}

const syncFolder = async (folder: string): Promise<void> => {
  await using handle = await fs.open(folder, "r")
  await handle.sync()
}

const fileOf = (key: string): string => {
  let name = ""
  for (const byte of Buffer.from(key)) {
    const character = String.fromCharCode(byte)
    name += /[a-z0-9._-]/.test(character) ? character : `%${byte.toString(16).padStart(2, "0")}`
  }
  return `${name}.jsonl`
}

const keyOf = (name: string): string => {
  const bytes = name.replace(/\.jsonl$/, "").replace(/%([0-9a-f]{2})/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)))
  return Buffer.from(bytes, "latin1").toString()
}

const sessionIdOf = (key: string): string =>
  createHash("sha256")
    .update(key)
    .digest("hex")
    .replace(/^(.{8})(.{4})(.{4})(.{4})(.{12}).*$/, "$1-$2-$3-$4-$5")
