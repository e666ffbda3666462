import { cpSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { expect, it } from "vitest"
import { makeWorld } from "./holdfast.ts"

const fixture = join(import.meta.dirname, "../fixtures/state/format-1/events/journal")

it("state verify, backup and export read a directory without changing it", async () => {
  const world = makeWorld()
  cpSync(fixture, join(world.state, "journal"), { recursive: true })
  const before = readdirSync(world.state, { recursive: true })
    .map(String)
    .toSorted((a, b) => a.localeCompare(b))

  const verified = await world.run("state", "verify", "--state", world.state, "--json")
  expect(verified.code).toBe(0)
  const { hash, segments, records, torn, lastDurable } = JSON.parse(verified.stdout) as Record<string, unknown>
  expect({ segments, torn: (torn as ReadonlyArray<unknown>).length }).toEqual({ segments: 3, torn: 1 })
  expect(lastDurable).toMatch(/^20\d\d-\d\d-\d\dT.*Z$/)

  const copy = join(world.state, "..", "copy")
  const copied = await world.run("state", "backup", copy, "--state", world.state)
  expect([copied.code, copied.stdout]).toEqual([0, expect.stringContaining(`state ${String(hash)}`)])
  expect((await world.run("state", "backup", copy, "--state", world.state)).stderr).toContain("BACKUP_EXISTS")

  const exported = await world.run("state", "export", "--state", world.state)
  const lines = exported.stdout
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line) as { readonly seq: number; readonly type: string })
  expect(lines.map(({ seq }) => seq)).toEqual(Array.from({ length: Number(records) }, (_, i) => i + 1))
  expect(lines[0]!.type).toBe("runtime.started")
  expect(
    readdirSync(world.state, { recursive: true })
      .map(String)
      .toSorted((a, b) => a.localeCompare(b))
  ).toEqual(before)
})

it("state verify leaves with 74 where what was acknowledged is damaged, and says where", async () => {
  const world = makeWorld()
  const journal = join(world.state, "journal")
  mkdirSync(world.state, { recursive: true })
  cpSync(fixture, journal, { recursive: true })
  const bytes = readFileSync(join(journal, "0000000001.log"))
  bytes[400]! ^= 1
  writeFileSync(join(journal, "0000000001.log"), bytes)
  const verified = await world.run("state", "verify", "--state", world.state)
  expect(verified.code).toBe(74)
  expect(verified.stderr).toMatch(/JOURNAL_CORRUPT at journal\/0000000001\.log:\d+/)
})
