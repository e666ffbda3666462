import fc from "fast-check"
import { assert, describe, it } from "vitest"
import { bytesOf, printed, readStepOutput, stepOutputMax } from "../../src/domain/StepOutput.ts"
import { stepResultMax } from "../../src/domain/StepResult.ts"

describe("what a command printed", () => {
  it("comes back byte for byte, through JSON, whatever it was", () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.uint8Array({ maxLength: 300 }),
          fc.string({ unit: "binary" }).map((text) => Buffer.from(text))
        ),
        (given) => {
          const kept = { exit: 3, stdout: printed(Buffer.from(given), 0), stderr: printed(Buffer.alloc(0), 7) }
          const read = readStepOutput(JSON.parse(JSON.stringify(kept)))
          assert.deepStrictEqual(read, kept)
          assert.isTrue(bytesOf(read!.stdout).equals(Buffer.from(given)))
        }
      ),
      { numRuns: 500 }
    )
  })

  it("is kept as text where people could read it", () => {
    assert.deepStrictEqual(printed(Buffer.from("Grüße\n"), 0), { text: "Grüße\n" })
    assert.deepStrictEqual(printed(Buffer.from([0xff, 0x00]), 2), { base64: "/wA=", cut: 2 })
  })

  it.each<[string, Buffer]>([
    ["text", Buffer.alloc(stepOutputMax, "a")],
    ["quotes and line feeds", Buffer.alloc(stepOutputMax, `"\n`)],
    ["NUL bytes", Buffer.alloc(stepOutputMax, 0)],
    ["escapes", Buffer.alloc(stepOutputMax, 27)],
    ["no UTF-8", Buffer.alloc(stepOutputMax, 255)]
  ])("fits into a step's result, though both streams are full of %s", (_, bytes) => {
    const full = printed(bytes, Number.MAX_SAFE_INTEGER)
    assert.isBelow(Buffer.byteLength(JSON.stringify({ exit: 255, stdout: full, stderr: full })), (stepResultMax * 3) / 4)
  })

  it("is not what any other step gave", () => {
    for (const other of [null, 4, "text", {}, { exit: 0 }, { exit: "0", stdout: { text: "" }, stderr: { text: "" } }])
      assert.isUndefined(readStepOutput(other))
  })
})
