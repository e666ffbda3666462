import { assert, describe, it } from "@effect/vitest"
import * as fc from "fast-check"
import { claimIn, declaredFormat, decodeLine, encodeLine, parseHeader } from "../../src/domain/JournalLine.ts"

const head = { seq: 18, epoch: 2, proven: 16, more: 0 }
const json = JSON.stringify({
  type: "skill.paused",
  v: 1,
  atMs: 5,
  skill: "daily-memory",
  by: "operator",
  why: "holidays, née Ünïcode \u2028 \ud83d\ude00"
})
const bytesOf = (text: string) => Buffer.from(text)
const decode = (bytes: Buffer, previous: number, seq?: number) => decodeLine(bytes, 0, bytes.length - 1, previous, seq)

describe("a line of the journal", () => {
  it("reads as length, CRC, sequence, epoch, proven, more and the JSON from the seventh word on", () => {
    const { text } = encodeLine(head, json, 7)
    const words = text.trimEnd().split(" ")
    assert.strictEqual(words[0], String(Buffer.byteLength(json)))
    assert.match(words[1]!, /^[0-9a-f]{8}$/)
    assert.deepStrictEqual(words.slice(2, 6), ["18", "2", "16", "0"])
    assert.strictEqual(words.slice(6).join(" "), json)
    assert.isTrue(text.endsWith("\n") && text.indexOf("\n") === text.length - 1)
  })

  it("comes back as it was written, for any text and any numbers", () => {
    const number = fc.nat({ max: Number.MAX_SAFE_INTEGER })
    fc.assert(
      fc.property(
        number,
        number,
        number,
        fc.nat(),
        fc.string({ unit: "binary" }),
        fc.nat(0xffff_ffff),
        (seq, epoch, proven, more, text, previous) => {
          const written = encodeLine({ seq, epoch, proven, more }, JSON.stringify({ text }), previous)
          const read = decode(bytesOf(written.text), previous, seq)
          assert.deepStrictEqual(read, { _tag: "Line", seq, epoch, proven, more, crc: written.crc, json: JSON.stringify({ text }) })
        }
      )
    )
  })

  it("is damaged by any other byte at any place", () => {
    const whole = bytesOf(encodeLine(head, json, 7).text)
    for (let at = 0; at < whole.length - 1; at++) {
      for (let bit = 1; bit < 256; bit <<= 1) {
        const flipped = Buffer.from(whole)
        flipped[at]! ^= bit
        assert.strictEqual(decode(flipped, 7, 18)._tag, "Damaged", `byte ${at}, bit ${bit}`)
      }
    }
  })

  it("is damaged when it is shorter or longer than it says, before any other check", () => {
    const whole = bytesOf(encodeLine(head, json, 7).text)
    const shorter = decodeLine(whole, 0, whole.length - 2, 7)
    assert.deepInclude(shorter, { _tag: "Damaged", check: "length" })
    const huge = decode(bytesOf(encodeLine(head, json, 7).text.replace(/^\d+/, "4294967295")), 7)
    assert.deepInclude(huge, { _tag: "Damaged", check: "length", expected: "4294967295" })
  })

  it("is damaged behind another line than the one it was chained to, or with another number", () => {
    const whole = bytesOf(encodeLine(head, json, 7).text)
    assert.deepInclude(decode(whole, 8), { check: "crc" })
    assert.deepInclude(decode(whole, 7, 17), { check: "seq", expected: "17", got: "18" })
    assert.deepInclude(decode(bytesOf("nonsense\n"), 0), { check: "shape" })
    assert.deepInclude(decode(bytesOf("\n"), 0), { check: "shape" })
  })

  it("tells what it holds for proven even where the chain is lost, but only while its length is right", () => {
    const whole = bytesOf(encodeLine(head, json, 7).text)
    assert.strictEqual(claimIn(whole, 0, whole.length - 1, true), 16)
    assert.strictEqual(claimIn(whole, 0, whole.length - 1, false), -1)
    assert.strictEqual(claimIn(whole, 0, whole.length - 2, true), -1)
  })

  it("tells it behind a line feed that became any other byte, a digit among them", () => {
    const joined = Buffer.concat([
      bytesOf(encodeLine(head, json, 7).text),
      bytesOf(encodeLine({ ...head, seq: 19, proven: 18 }, json, 8).text)
    ])
    for (let byte = 0; byte < 256; byte++) {
      joined[joined.indexOf("}\n") + 1] = byte
      assert.strictEqual(claimIn(joined, 0, joined.length - 1, false), 18, String(byte))
      joined[joined.indexOf(Buffer.from([0x7d, byte, 0x31])) + 1] = 10
    }
  })
})

describe("the header of a segment", () => {
  const sealed = { segment: 2, bytes: 4_096, sha256: "0".repeat(64) }
  const older = { product: "holdfast", format: 1, segment: 3, epoch: 3, after: 17, chain: "9f3a0c12" } as const
  const header = { ...older, format: 2, sealed } as const

  it("comes back as it was written, and nothing else is taken for one", () => {
    assert.deepStrictEqual(parseHeader(JSON.stringify(header)), header)
    assert.deepStrictEqual(parseHeader(JSON.stringify({ ...header, sealed: null })), { ...header, sealed: null })
    assert.isUndefined(parseHeader(json))
    assert.isUndefined(parseHeader(JSON.stringify({ ...header, more: 1 })))
    assert.isUndefined(parseHeader(JSON.stringify({ ...older, format: 2 })), "format 2 has a seal")
  })

  it("of format 1 is one without a seal", () => {
    assert.deepStrictEqual(parseHeader(JSON.stringify(older)), { ...older, sealed: null })
  })

  it("declares its format to versions that cannot read the rest", () => {
    assert.strictEqual(declaredFormat(bytesOf(encodeLine({ seq: 0, epoch: 1, proven: 0, more: 0 }, JSON.stringify(header), 0).text)), 2)
    assert.strictEqual(declaredFormat(bytesOf(`v2 whatever {"product":"holdfast","format":999,"new":[]}\nrest`)), 999)
    assert.isUndefined(declaredFormat(bytesOf(`first line\n{"product":"holdfast","format":999}\n`)))
  })
})
