import { cpSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { expect, it } from "vitest"
import { Effect } from "effect"
import { Disk } from "../../src/layers/Disk.ts"
import { hold } from "../../src/layers/Lock.ts"
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

it("state repair says what it would cost and does it only when told to, and not beside a runtime", async () => {
  const world = makeWorld()
  const journal = join(world.state, "journal")
  cpSync(fixture, journal, { recursive: true })
  const whole = await world.run("state", "repair", "--state", world.state)
  expect([whole.code, whole.stdout]).toEqual([0, "whole: there is nothing to repair\n"])

  const bytes = readFileSync(join(journal, "0000000001.log"))
  bytes[bytes.indexOf('"attempt.started"') + 2]! ^= 1
  writeFileSync(join(journal, "0000000001.log"), bytes)
  const looked = await world.run("state", "repair", "--state", world.state)
  expect(looked.code).toBe(74)
  expect(looked.stdout).toMatch(/JOURNAL_CORRUPT at journal\/0000000001\.log:\d+\n {2}got .*, want /)
  expect(looked.stdout).toMatch(/lost: \d+ bytes of 3 segments, with \d+ records that can still be read, from 20\S+ to 20\S+\n/)
  expect(looked.stdout).toMatch(/runs that had ended and may run again: \S+@20\S+/)
  expect(looked.stdout).toContain("nothing was changed")
  expect(readFileSync(join(journal, "0000000001.log"))).toEqual(bytes)

  symlinkSync(world.state, join(world.home, "link"))
  const astray = await world.run("state", "repair", "--accept-loss", "--state", join(world.home, "link"))
  expect([astray.code, astray.stderr]).toEqual([74, expect.stringContaining("STATE_DIR_SYMLINK")])
  expect(readFileSync(join(journal, "0000000001.log"))).toEqual(bytes)

  const beside = await Effect.runPromise(
    hold(world.state).pipe(
      Effect.andThen(Effect.promise(() => world.run("state", "repair", "--accept-loss", "--state", world.state))),
      Effect.scoped,
      Effect.provide(Disk.layerNode)
    )
  )
  expect([beside.code, beside.stderr]).toEqual([69, expect.stringContaining("LOCK_HELD")])

  const done = await world.run("state", "repair", "--accept-loss", "--state", world.state, "--json")
  expect(done.code).toBe(0)
  const { kept, report } = JSON.parse(done.stdout) as { readonly kept: { readonly hash: string }; readonly report: string }
  expect(JSON.parse(readFileSync(join(world.state, report), "utf8"))).toMatchObject({
    format: 1,
    damage: { code: "JOURNAL_CORRUPT" },
    kept
  })
  const verified = await world.run("state", "verify", "--state", world.state, "--json")
  expect([verified.code, JSON.parse(verified.stdout)]).toEqual([0, expect.objectContaining({ hash: kept.hash })])
})
