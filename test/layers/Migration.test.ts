/** State directories of earlier formats, as their own version wrote them, open in this one. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Logger } from "effect"
import { readdirSync, readFileSync } from "node:fs"
import { join } from "node:path"
import type { Ledger } from "../../src/domain/Ledger.ts"
import { hashOf } from "../../src/domain/canonical.ts"
import { Disk } from "../../src/layers/Disk.ts"
import { readState } from "../../src/layers/StateStore.ts"
import { adopted, filesOf, plant, session } from "../contracts/state.ts"

const fixtures = join(import.meta.dirname, "../fixtures/state")
/** The state that each fixture adds up to. Never changed: another hash means that an old directory is read as another state. */
const hashes: Readonly<Record<string, string>> = {
  "format-1/demo": "0b6b85e858837f8b2c10ae6986bc84d27ff1175fdc01f9582fc1c931d542f596",
  "format-1/events": "20b2ff709570e0b11df451d2ed67b3a323dc98844501e8e0e1b93d83e9b8c641"
}

const fixture = (name: string) => {
  const folder = join(fixtures, name, "journal")
  return new Map(readdirSync(folder).map((file) => [`journal/${file}`, readFileSync(join(folder, file))]))
}
const quiet = Effect.provide(Logger.layer([]))

/** Without what later versions draw from the same events. */
const asKnownThen = (ledger: Ledger): Ledger => {
  ledger.startsAtMs = []
  for (const [run, { reason }] of ledger.parked) ledger.parked.set(run, { reason })
  for (const [run, { outcome: _, ...entry }] of ledger.outbox) ledger.outbox.set(run, entry)
  for (const skill of ledger.skills.values()) skill.failedAtMs = []
  return ledger
}

describe("a state directory of an earlier format", () => {
  it("has a fixture of each", () => {
    const found = readdirSync(fixtures).flatMap((format) => readdirSync(join(fixtures, format)).map((name) => `${format}/${name}`))
    assert.deepStrictEqual(found.sort(), Object.keys(hashes))
  })

  for (const [name, hash] of Object.entries(hashes)) {
    it.effect(`${name} is read as it was, kept beside the journal, and gone on with`, () =>
      Effect.gen(function* () {
        const files = fixture(name)
        yield* plant("/state", files)
        const before = (yield* readState("/state")).ledger
        assert.strictEqual(hashOf(asKnownThen(before)), hash)
        assert.deepStrictEqual(yield* filesOf("/state"), files, "reading changes nothing")
        const after = yield* session("/state", (store) =>
          Effect.gen(function* () {
            assert.strictEqual(hashOf(asKnownThen(store.ledger)), hash)
            yield* store.append(adopted("new"))
            return hashOf(store.ledger)
          })
        )
        assert.strictEqual(hashOf(asKnownThen((yield* readState("/state")).ledger)), after)
        assert.deepStrictEqual(
          yield* filesOf("/state", ["backup/format-1"]),
          new Map([...files].map(([path, bytes]) => [path.replace("journal/", "backup/format-1/"), bytes]))
        )
      }).pipe(Effect.provide(Disk.memory().layer), quiet)
    )
  }

  it.effect("is backed up anew where the start before died in the middle of it, and not once it is of this format", () =>
    Effect.gen(function* () {
      const memory = Disk.memory()
      const files = fixture("format-1/events")
      yield* Effect.gen(function* () {
        yield* plant("/state", files)
        memory.put("/state/backup/format-1/0000000001.log", "a par")
        yield* session("/state", () => Effect.void)
        assert.isTrue(memory.files().get("/state/backup/format-1/0000000001.log")!.equals(files.get("journal/0000000001.log")!))
        memory.put("/state/backup/format-1/0000000001.log", "kept")
        yield* session("/state", () => Effect.void)
        assert.strictEqual(memory.files().get("/state/backup/format-1/0000000001.log")!.toString(), "kept")
      }).pipe(Effect.provide(memory.layer), quiet)
    })
  )
})
