import fc from "fast-check"
import { expect, it } from "vitest"
import { parseSize, showSize } from "../../src/domain/sizes.ts"

it.each([
  ["512 MB", 512_000_000],
  ["512mb", 512_000_000],
  ["1 GiB", 1_073_741_824],
  ["1.5 GB", 1_500_000_000],
  ["64 KiB", 65_536],
  [" 2 TiB ", 2_199_023_255_552],
  ["1 TB", 1_000_000_000_000],
  ["100 bytes", 100],
  ["1 B", 1],
  ["0 MB", 0]
])("reads %j", (text, bytes) => expect(parseSize(text)).toBe(bytes))

it.each(["", "512", "MB", "512 M", "-1 MB", "1 MB 2 KB", "1e3 MB", "1,5 GB", "1 PB", "five MB", "1 MBs", "∞ MB", "５ MB", "512 MB\n1"])(
  "does not read %j",
  (text) => expect(parseSize(text)).toBeUndefined()
)

it.each([
  [512_000_000, "512 MB"],
  [1_073_741_824, "1 GiB"],
  [312_512_512, "312.5 MB"],
  [999, "999 bytes"],
  [0, "0 bytes"]
])("shows %j as people write it", (bytes, text) => expect(showSize(bytes)).toBe(text))

it("reads back what it shows, to within a tenth of its unit", () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 2 ** 50 }), (bytes) => {
      const read = parseSize(showSize(bytes))!
      expect(Math.abs(read - bytes)).toBeLessThanOrEqual(bytes * 0.051)
    })
  )
})
