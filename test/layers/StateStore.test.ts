import { Effect } from "effect"
import * as fs from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll } from "vitest"
import { Disk } from "../../src/layers/Disk.ts"
import { suite } from "../contracts/state.ts"

const base = fs.mkdtempSync(join(tmpdir(), "holdfast-state-"))
afterAll(() => fs.rmSync(base, { recursive: true, force: true }))

suite(
  "the disk of this machine",
  Disk.layerNode,
  Effect.sync(() => fs.mkdtempSync(join(base, "t-"))),
  60
)
suite("a disk in memory", Disk.layerMemory, Effect.succeed("/t"), 400)
