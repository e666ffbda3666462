import { assert, it } from "@effect/vitest"
import { Effect, Exit } from "effect"
import * as fs from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll } from "vitest"
import { Disk } from "../../src/layers/Disk.ts"
import { fold } from "../../src/domain/Ledger.ts"
import { readState } from "../../src/layers/StateStore.ts"
import { picture, suite, threeStarts } from "../contracts/state.ts"

const base = fs.mkdtempSync(join(tmpdir(), "holdfast-state-"))
afterAll(() => fs.rmSync(base, { recursive: true, force: true }))

suite(
  "the disk of this machine",
  Disk.layerNode,
  Effect.sync(() => fs.mkdtempSync(join(base, "t-"))),
  60
)
suite("a disk in memory", Disk.layerMemory, Effect.succeed("/t"), 400)

it.live(
  "no byte of a journal can be flipped, in any of three ways, without a refusal or a tail that is cut",
  () =>
    Effect.gen(function* () {
      const memory = Disk.memory()
      const { appends, files } = yield* threeStarts("/state").pipe(Effect.provide(memory.layer))
      const states = [appends.length - 1, appends.length].map((n) => picture(fold(appends.slice(0, n).flat())))
      const came = { refused: 0, cut: 0, void: 0 }
      for (const [name, whole] of files) {
        for (let at = 0; at < whole.length; at++) {
          for (const mask of [1, 1 << (at % 8), 0x0a ^ whole[at]!]) {
            if (mask === 0) continue
            const flipped = Buffer.from(whole)
            flipped[at]! ^= mask
            memory.put(`/state/${name}`, flipped)
            const read = yield* Effect.exit(readState("/state").pipe(Effect.provide(memory.layer)))
            if (Exit.isFailure(read)) came.refused += 1
            else {
              const state = states.indexOf(picture(read.value.ledger))
              assert.isAtLeast(state, 0, `${name} at ${at}, mask ${mask}`)
              assert.isTrue(state === 1 || read.value.damage !== undefined)
              came[state === 0 ? "cut" : "void"] += 1
            }
          }
        }
        memory.put(`/state/${name}`, whole)
      }
      assert.isAbove(came.refused, 10 * came.cut)
      assert.isAbove(came.cut, 0)
    }),
  60_000
)
