/** Bad state directories, each with the code that a start is refused by, or what a start makes of it. What is refused is left as it was. */
import { Effect, Logger, Result } from "effect"
import { assert, describe, it } from "vitest"
import { hashOf } from "../../src/domain/canonical.ts"
import { LockHeld, StateUnusable, StorageFailed } from "../../src/domain/Errors.ts"
import { encodeLine } from "../../src/domain/JournalLine.ts"
import { Disk } from "../../src/layers/Disk.ts"
import { readState, type StateOptions } from "../../src/layers/StateStore.ts"
import { adopted, paused, session } from "../contracts/state.ts"

type Files = ReadonlyMap<string, Buffer>
const small: StateOptions = { reserveBytes: 64, segmentBytes: 600 }

/** Three starts of eight appends each: `s0` to `s23`; with `compacted` a checkpoint at the end of each. */
const grown = async (name = "s", compacted = false): Promise<Files> => {
  const memory = Disk.memory()
  for (const from of [0, 8, 16]) {
    await Effect.runPromise(
      session(
        "/state",
        (store) =>
          Effect.gen(function* () {
            for (let n = from; n < from + 8; n++) yield* store.append(adopted(`${name}${n}`), paused(`${name}${n}`))
            if (compacted) yield* store.compact
          }),
        small
      ).pipe(Effect.provide(memory.layer), Effect.provide(Logger.layer([])))
    )
  }
  return new Map([...memory.files()].filter(([path]) => /^\/state\/(journal|skills)\//.test(path)))
}
const whole = await grown()
const others = await grown("other-")
const compacted = await grown("s", true)
const path = (segment: number) => `/state/journal/${String(segment).padStart(10, "0")}.log`
const last = Math.max(...[...whole.keys()].map((name) => Number(/(\d{10})\.log$/.exec(name)?.[1] ?? 0)))

const put = (files: Files, ...changes: ReadonlyArray<readonly [string, Buffer | string | undefined]>): Files => {
  const changed = new Map(files)
  for (const [at, content] of changes) {
    if (content === undefined) changed.delete(at)
    else changed.set(at, Buffer.from(content))
  }
  return changed
}
const replaced = (files: Files, at: string, find: string | RegExp, by: string): Files => {
  const before = files.get(at)!.toString("latin1")
  const after = before.replace(find, by)
  assert.notStrictEqual(after, before, "the sample is not what it was")
  return put(files, [at, Buffer.from(after, "latin1")])
}
const of = (files: Files, segment: number): Buffer => files.get(path(segment))!

const through = (bytes: Buffer, lines: number): Buffer => Buffer.from(bytes.toString().split("\n").slice(0, lines).join("\n") + "\n")

/** A journal of one segment with these records, whole in form whatever they say; proven by one more after them. */
const written = (...records: ReadonlyArray<string>): Files => {
  const header = JSON.stringify({ product: "holdfast", format: 2, segment: 1, epoch: 1, after: 0, chain: "00000000", sealed: null })
  let text = ""
  let chain = 0
  for (const [seq, json] of [header, ...records, event(adopted("after"))].entries()) {
    const line = encodeLine({ seq, epoch: 1, proven: Buffer.byteLength(text), more: 0 }, json, chain)
    text += line.text
    chain = line.crc
  }
  return new Map([[path(1), Buffer.from(text)]])
}
const event = (given: object) => JSON.stringify({ v: 1, atMs: 1, ...given })

/** What a start comes to on these files, and the files after it. */
const started = async (files: Files) => {
  const memory = Disk.memory()
  for (const [at, content] of files) memory.put(at, content)
  const before = memory.files()
  const beganAt = performance.now()
  const came = await Effect.runPromise(
    Effect.result(
      session(
        "/state",
        (store) => Effect.succeed({ hash: hashOf(store.ledger), skills: [...store.ledger.skills.keys()], damage: store.damage }),
        small
      )
    ).pipe(Effect.provide(memory.layer), Effect.provide(Logger.layer([])))
  )
  assert.isBelow(performance.now() - beganAt, 2_000)
  return { came, before, after: memory.files(), memory }
}

describe("a start is refused, by name, and nothing is changed", () => {
  const refusals: ReadonlyArray<readonly [name: string, files: Files, code: string, where?: RegExp | string]> = [
    ["a header that is cut, with records after it", put(whole, [path(2), of(whole, 2).subarray(0, 63)]), "JOURNAL_HEADER", /2\.log:0$/],
    ["a segment that is empty, with records after it", put(whole, [path(2), ""]), "JOURNAL_ROLLBACK", /1\.log$/],
    ["noise for a header", put(whole, [path(2), Buffer.alloc(600, 7)]), "JOURNAL_HEADER", /2\.log:0$/],
    ["a flipped letter in a record", replaced(whole, path(1), '"skill":"s0"', '"skill":"t0"'), "JOURNAL_CORRUPT", /1\.log:\d+$/],
    ["a record that is cut out", replaced(whole, path(1), /\n[^\n]*"s1"[^\n]*(?=\n)/, ""), "JOURNAL_CORRUPT", /1\.log:\d+$/],
    ["two records in each other's place", replaced(whole, path(1), /(\n[^\n]*)(\n[^\n]*)(?=\n)/, "$2$1"), "JOURNAL_CORRUPT", /1\.log:\d+$/],
    ["a zeroed sector", put(whole, [path(2), Buffer.concat([of(whole, 2).subarray(0, 250), Buffer.alloc(512)])]), "JOURNAL_CORRUPT"],
    ["a length of 4 GiB", replaced(whole, path(1), /\n90 /, "\n4294967295 "), "JOURNAL_LENGTH", /1\.log:\d+$/],
    ["a length of 0", replaced(whole, path(1), /\n90 /, "\n0 "), "JOURNAL_LENGTH", /1\.log:\d+$/],
    ["a length below 0", replaced(whole, path(1), /\n90 /, "\n-1 "), "JOURNAL_LENGTH", /1\.log:\d+$/],
    ["a length of 20 digits", replaced(whole, path(1), /\n90 /, "\n99999999999999999999 "), "JOURNAL_LENGTH", /1\.log:\d+$/],
    ["a length as a fraction", replaced(whole, path(1), /\n90 /, "\n9e1 "), "JOURNAL_LENGTH", /1\.log:\d+$/],
    ["a missing segment", put(whole, [path(2), undefined]), "JOURNAL_GAP", path(2).slice("/state/".length)],
    ["a missing first segment", put(whole, [path(1), undefined]), "JOURNAL_GAP", path(1).slice("/state/".length)],
    ["a segment twice", put(whole, [path(last + 1), of(whole, last)]), "JOURNAL_FOREIGN", new RegExp(`${last + 1}\\.log$`)],
    ["two segments in each other's place", put(whole, [path(2), of(whole, 3)], [path(3), of(whole, 2)]), "JOURNAL_FOREIGN", /2\.log$/],
    ["a segment of another directory", put(whole, [path(2), of(others, 2)]), "JOURNAL_FOREIGN", /2\.log$/],
    ["an older copy of a segment", put(whole, [path(2), through(of(whole, 2), 3)]), "JOURNAL_ROLLBACK", /2\.log$|3\.log$/],
    ["a record that is no JSON", written('{"type":"skill.adopted",}'), "JOURNAL_RECORD", "journal/0000000001.log record 1"],
    ["a record that is a list", written("{}"), "JOURNAL_RECORD"],
    ["a record without a field", written(event({ type: "skill.adopted", skill: "x" })), "JOURNAL_RECORD"],
    ["a record with a field of another type", written(event({ ...adopted("x"), from: "soon" })), "JOURNAL_RECORD"],
    ["a record of a later version of its event", written(event({ ...adopted("x"), v: 2 })), "JOURNAL_RECORD"],
    ["a report without text", written(event({ type: "run.settled", run: "r", report: { session: "main" } })), "JOURNAL_RECORD"],
    ["a verdict that is none", written(event({ type: "slot.settled", verdict: "forgotten" })), "JOURNAL_RECORD"],
    ["format 999", replaced(whole, path(last), '"format":2', '"format":999'), "STATE_TOO_NEW", path(last).slice("/state/".length)],
    ["format 3 in an older segment", replaced(whole, path(2), '"format":2', '"format":3'), "STATE_TOO_NEW"],
    ["a checkpoint whose segments are gone", new Map([...compacted].filter(([at]) => !at.endsWith(".log"))), "JOURNAL_GAP"],
    ["a folder of somebody else's", new Map([["/state/thesis.tex", Buffer.from("x")]]), "STATE_DIR_FOREIGN"],
    ["a file for a directory", new Map([["/state", Buffer.from("x")]]), "STATE_DIR_NOT_DIR"],
    ["a file for the journal's folder", new Map([["/state/journal", Buffer.from("x")]]), "STATE_DIR_NOT_DIR"]
  ]
  it.each(refusals.map(([name, files, code, where]) => ({ name, files, code, where })))("$name: $code", async ({ files, code, where }) => {
    const { came, before, after, memory } = await started(files)
    if (Result.isSuccess(came)) assert.fail("it started")
    const error = came.failure
    assert.isTrue(error instanceof StateUnusable || error instanceof StorageFailed || error instanceof LockHeld)
    for (const answer of [error.where, error.got, error.want, error.fix]) assert.isString(answer)
    assert.strictEqual(error.code, code, JSON.stringify({ ...error }))
    assert.isAtMost(error.got.length, 120)
    if (typeof where === "string") assert.strictEqual(error.where, where)
    if (where instanceof RegExp) assert.match(error.where, where)
    assert.deepStrictEqual(mentionable(after), mentionable(before))
    const read = await Effect.runPromise(Effect.result(readState("/state")).pipe(Effect.provide(memory.layer)))
    assert.strictEqual(Result.isFailure(read) && read.failure.code, code, "a reader is refused by the same name")
  })
})

describe("a start goes on", () => {
  const checkpoint = [...compacted.keys()].filter((at) => at.endsWith(".checkpoint")).at(-1)!
  /** The newest checkpoint with a line changed, and every length, CRC and hash made right again. */
  const remade = (change: (lines: Array<string>) => void): Files => {
    const lines = compacted
      .get(checkpoint)!
      .toString()
      .trimEnd()
      .split("\n")
      .map((line) => line.replace(/^(\S+ ){6}/, ""))
    change(lines)
    let text = ""
    let chain = 0
    for (const [seq, json] of lines.entries()) {
      const line = encodeLine({ seq, epoch: 1, proven: 0, more: lines.length - 1 - seq }, json, chain)
      text += line.text
      chain = line.crc
    }
    return put(compacted, [checkpoint, text])
  }
  const all = Array.from({ length: 24 }, (_, n) => `s${n}`)
  const seen: ReadonlyArray<readonly [name: string, files: Files, skills: ReadonlyArray<string>, kept?: RegExp]> = [
    ["on nothing", new Map(), []],
    ["on a journal of length 0", new Map([[path(1), Buffer.alloc(0)]]), []],
    ...[1, 2, 17, 40, 63].map(
      (n) =>
        [
          `on the first ${n} bytes of a header`,
          new Map([[path(1), of(whole, 1).subarray(0, n)]]),
          [],
          /damaged\/0000000001-0-2\.bin$/
        ] as const
    ),
    ["on a header alone", new Map([[path(1), of(whole, 1).subarray(0, of(whole, 1).indexOf(10) + 1)]]), []],
    ["after a last append that is half there", put(whole, [path(last), of(whole, last).subarray(0, -9)]), all.slice(0, -1), /\.bin$/],
    [
      "after noise behind the last record",
      put(whole, [path(last), Buffer.concat([of(whole, last), Buffer.alloc(99, 255)])]),
      all,
      /\.bin$/
    ],
    ["on a type of record that it does not know", written(event({ type: "moon.rose", at: "once" })), ["after"]],
    [
      "on an acknowledgement of a result that nobody knows",
      written(event({ type: "entry.acknowledged", run: "x", how: "reply" })),
      ["after"]
    ],
    ["on the end of a run that nobody began", written(event(end("ghost"))), ["after"]],
    ["on names that are traps", written(event(adopted("__proto__")), event(adopted("constructor"))), ["__proto__", "constructor", "after"]],
    ["past a draft that a dead writer left", put(whole, ["/state/journal/draft", "half"], ["/state/.draft-0123456789abcdef", "half"]), all],
    ["past files in the journal that are none of ours", put(whole, ["/state/journal/notes.txt", "x"], ["/state/journal/1.log", "x"]), all],
    [
      "past a checkpoint with a field more",
      remade((lines) => void (lines[1] = lines[1]!.replace(/^\{/, '{"more":1,'))),
      all,
      /checkpoint-/
    ],
    [
      "past a checkpoint with a field less",
      remade((lines) => void (lines[1] = lines[1]!.replace('"epoch":', '"era":'))),
      all,
      /checkpoint-/
    ],
    ["past a checkpoint with a skill less", remade((lines) => void lines.splice(2, 1)), all, /checkpoint-/],
    [
      "past a checkpoint with a prototype in it",
      remade((lines) => void (lines[2] = lines[2]!.replace(/^\{/, '{"__proto__":{},'))),
      all,
      /checkpoint-/
    ],
    [
      "past a checkpoint of another format",
      remade((lines) => void (lines[0] = lines[0]!.replace('"format":2', '"format":1'))),
      all,
      /checkpoint-/
    ],
    [
      "past a checkpoint of another place",
      remade((lines) => void (lines[0] = lines[0]!.replace(/"checkpoint":\d+/, '"checkpoint":1'))),
      all,
      /checkpoint-/
    ],
    ["past a checkpoint of a megabyte of nothing", put(compacted, [checkpoint, Buffer.alloc(1_048_576, 32)]), all, /checkpoint-/],
    ["past an empty checkpoint", put(compacted, [checkpoint, ""]), all, /checkpoint-/]
  ]
  it.each(seen.map(([name, files, skills, kept]) => ({ name, files, skills, kept })))("$name", async ({ files, skills, kept }) => {
    const { came, after, memory } = await started(files)
    if (Result.isFailure(came)) assert.fail(JSON.stringify({ ...came.failure }))
    assert.deepStrictEqual(came.success.skills, skills)
    assert.isFalse(
      [...after.keys()].some((at) => /draft/.test(at) && !files.has(at)),
      "a draft of ours is left"
    )
    assert.isFalse(after.has("/state/.draft-0123456789abcdef"))
    assert.strictEqual(
      [...after.keys()].some((at) => at.startsWith("/state/damaged/") && (kept?.test(at) ?? true)),
      kept !== undefined
    )
    const again = await Effect.runPromise(
      session("/state", (store) => Effect.succeed(hashOf(store.ledger)), small).pipe(
        Effect.provide(memory.layer),
        Effect.provide(Logger.layer([]))
      )
    )
    assert.strictEqual(again, came.success.hash)
  })

  it("and writes anew a status file that a hand has changed or emptied", async () => {
    const memory = Disk.memory()
    const life = session(
      "/state",
      (store) =>
        Effect.gen(function* () {
          if (!store.ledger.skills.has("a")) {
            yield* store.append(adopted("a"))
            yield* store.append(
              { type: "run.claimed", atMs: 5, run: "a@1", skill: "a", slot: 1, fence: 1, digest: "d", missed: 0 },
              end("a@1")
            )
          }
          yield* store.flushed
        }),
      small
    ).pipe(Effect.provide(memory.layer), Effect.provide(Logger.layer([])))
    await Effect.runPromise(life)
    const at = "/state/skills/status/a.txt"
    const line = memory.files().get(at)!.toString()
    assert.match(line, /^status=success,/)
    for (const changed of ["", "status=failed\n", "\0"]) {
      memory.put(at, changed)
      await Effect.runPromise(life)
      assert.strictEqual(memory.files().get(at)!.toString(), line)
    }
  })
})

/** Everything but the lock's own files and the empty folders' marks. */
function mentionable(files: Files): ReadonlyArray<readonly [string, string]> {
  return [...files].map(([at, content]) => [at, content.toString("latin1")] as const).sort(([a], [b]) => (a < b ? -1 : 1))
}

function end(run: string) {
  const came = { outcome: "success", reason: "", startedAtMs: 1, durationMs: 1, fields: {}, report: null } as const
  return { type: "run.settled" as const, atMs: 9, run, ...came }
}
