import { Effect, Logger } from "effect"
import { spawnSync } from "node:child_process"
import * as fs from "node:fs"
import { join } from "node:path"
import { assert, describe, it } from "vitest"
import { CommandFile, placeShim } from "../../src/layers/Shim.ts"
import { folder, program } from "./children.ts"

const place = (bin: string, file: string | undefined) => {
  const warnings: Array<string> = []
  const logger = Logger.make(({ message }) => void warnings.push(String(message)))
  Effect.runSync(placeShim(bin).pipe(Effect.provideService(CommandFile, file), Effect.provide(Logger.layer([logger]))))
  return warnings
}
const run = (bin: string, ...args: ReadonlyArray<string>) => spawnSync(join(bin, "holdfast"), args, { encoding: "utf8" })
const says = `console.log(JSON.stringify(process.argv.slice(2)))`

describe("the command in the state directory", () => {
  it("starts this very command, wherever that is, and hands its words on as they are", () => {
    const bin = join(folder(), `it's a "state" $HOME`, "bin")
    const file = program(folder(), `it's $(here).mjs`, says)
    assert.deepStrictEqual(place(bin, file), [])
    assert.strictEqual(run(bin, "step", "a b", "", `"$x"`, "--", "*").stdout, `["step","a b","","\\"$x\\"","--","*"]\n`)
    assert.strictEqual(fs.statSync(bin).mode & 0o777, 0o700)
    assert.strictEqual(fs.statSync(join(bin, "holdfast")).mode & 0o777, 0o700)
    assert.deepStrictEqual(fs.readdirSync(bin), ["holdfast"])
  })

  it("is put back when it is gone, another version's, or not to be executed; and else left alone", () => {
    const bin = join(folder(), "bin")
    const file = program(folder(), "bin.mjs", says)
    const spoil: ReadonlyArray<() => void> = [
      () => fs.rmSync(bin, { recursive: true }),
      () => fs.writeFileSync(join(bin, "holdfast"), "#!/bin/sh\necho old\n"),
      () => fs.chmodSync(join(bin, "holdfast"), 0o600)
    ]
    place(bin, file)
    for (const how of spoil) {
      how()
      assert.deepStrictEqual(place(bin, file), [])
      assert.strictEqual(run(bin, "x").stdout, `["x"]\n`)
    }
    const { ino } = fs.statSync(join(bin, "holdfast"))
    place(bin, file)
    assert.strictEqual(fs.statSync(join(bin, "holdfast")).ino, ino)
  })

  it("runs from the sources as well", () => {
    const bin = join(folder(), "bin")
    assert.deepStrictEqual(place(bin, Effect.runSync(CommandFile)), [])
    assert.match(run(bin, "--version").stdout, /^\d+\.\d+\.\d+\n$/)
  })

  it("is a warning, and no more, where it cannot be had", () => {
    const bin = join(folder(), "file")
    fs.writeFileSync(bin, "")
    assert.match(place(bin, "/x.js").join(), /^SHIM_MISSING: .* (EEXIST|ENOTDIR) at /)
    assert.match(place(join(folder(), "bin"), undefined).join(), /^SHIM_MISSING: .* its file is not there$/)
  })
})
