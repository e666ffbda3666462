/** What is taken out of texts, data and bytes, in which forms, and what stays. */
import { describe, expect, it } from "vitest"
import { looksSecret, noRedaction, redactionOf, secretLengthMin } from "../../src/domain/Redaction.ts"

const value = 'canary/7f"3a+9c\\d=1\u00e9'
const secrets = redactionOf([{ name: "CANARY", value }])
const mark = "[redacted CANARY]"

describe("a secret", () => {
  it.each([
    ["as it is", value],
    ["JSON-escaped", JSON.stringify(value).slice(1, -1)],
    ["URL-encoded", encodeURIComponent(value)],
    ["URL-encoded in lower case", encodeURIComponent(value).replace(/%../g, (code) => code.toLowerCase())],
    ["as a part of a query", new URLSearchParams([["", value]]).toString().slice(1)]
  ])("is found %s, as often as it comes", (_, form) => {
    expect(secrets.text(`a ${form} b ${form} c`)).toBe(`a ${mark} b ${mark} c`)
  })
  it.each(["", "u", "us", "user:"])("is found in base64 of itself behind %j, in both alphabets", (before) => {
    for (const encoding of ["base64", "base64url"] as const) {
      const encoded = Buffer.from(`${before}${value}, and more`).toString(encoding)
      const [left] = secrets.text(encoded).split(mark)
      expect(secrets.text(encoded)).toContain(mark)
      expect(Buffer.from(left!, encoding).toString().startsWith(`${before}c`)).toBe(false)
    }
  })
  it("of several lines is found line by line", () => {
    const pem = redactionOf([{ name: "PEM", value: "-----BEGIN KEY-----\nMIIBVgIBADANBg\nkqhkiG9w0BAQEF\n-----END KEY-----\n" }])
    expect(pem.text("kqhkiG9w0BAQEF")).toBe("[redacted PEM]")
    expect(pem.text(JSON.stringify({ body: "x\nMIIBVgIBADANBg\ny" }))).toBe('{"body":"x\\n[redacted PEM]\\ny"}')
  })
  it("that was cut is found where a cut is: before an ellipsis, at the ends of lines, and nowhere else", () => {
    const long = redactionOf([{ name: "HOOK", value: "https://hooks.example/T00/B11" }])
    expect(long.text("got https://hooks.exa..., want more")).toBe("got [redacted HOOK]..., want more")
    expect(long.text("one https://hooks.e\ntwo https://hooks")).toBe("one [redacted HOOK]\ntwo [redacted HOOK]")
    expect(long.text("ple/T00/B11 one\nmple/T00/B11 two")).toBe("[redacted HOOK] one\n[redacted HOOK] two")
    expect(long.text("https://hooks.other/T00/B11, of https://example.org")).toBe("https://hooks.other/T00/B11, of https://example.org")
    expect(long.text("https:/")).toBe("https:/") // Less than eight characters.
  })
  it("that begins like another one leaves nothing of it", () => {
    const both = redactionOf([
      { name: "SHORT", value: "abcdefgh" },
      { name: "LONG", value: "abcdefghijkl" }
    ])
    expect(both.text("abcdefghijkl abcdefgh")).toBe("[redacted LONG] [redacted SHORT]")
  })
  it("that is short is not looked for", () => {
    expect(redactionOf([{ name: "PIN", value: "1234567" }])).toBe(noRedaction)
    expect("12345678").toHaveLength(secretLengthMin)
    expect(redactionOf([{ name: "PIN", value: "12345678" }]).text("12345678")).toBe("[redacted PIN]")
  })
})

describe("data", () => {
  it("loses it in texts, keys and numbers, however deep, and nothing else", () => {
    const pin = redactionOf([{ name: "PIN", value: "12345678" }])
    const given = { a: [1, true, null, { "12345678": "x12345678" }], pin: 12_345_678, b: 1_234 }
    expect(pin.value(given)).toEqual({ a: [1, true, null, { "[redacted PIN]": "x[redacted PIN]" }], pin: "[redacted PIN]", b: 1_234 })
  })
  it("of an event stays what it is about, also where a secret is called the same", () => {
    const pipeline = redactionOf([{ name: "ACCOUNT_PASSWORD", value: "post-pipeline" }])
    const event = {
      type: "run.settled",
      atMs: 1,
      run: "post-pipeline@x",
      reason: "no post-pipeline",
      fields: { run: "post-pipeline" },
      report: { session: "post-pipeline", text: "post-pipeline: failed" }
    }
    expect(pipeline.event(event)).toEqual({
      ...event,
      reason: "no [redacted ACCOUNT_PASSWORD]",
      fields: { run: "[redacted ACCOUNT_PASSWORD]" },
      report: { session: "post-pipeline", text: "[redacted ACCOUNT_PASSWORD]: failed" }
    })
  })
  it("of bytes keeps every other byte, whatever they are", () => {
    const all = Buffer.from(Array.from({ length: 256 }, (_, byte) => byte))
    expect(secrets.bytes(all)).toBe(all)
    expect(secrets.bytes(Buffer.concat([all, Buffer.from(value), all]))).toEqual(Buffer.concat([all, Buffer.from(mark), all]))
  })
  it("is found in a megabyte of text with fifty secrets in little time, also where every line is cut in it", () => {
    const many = redactionOf(
      Array.from({ length: 50 }, (_, i) => ({ name: `KEY_${i}`, value: `https://example.org/${i}/${"ab".repeat(i)}` }))
    )
    const before = performance.now()
    many.text("https://e\n".repeat(100_000))
    expect(performance.now() - before).toBeLessThan(3_000)
  })
})

describe("a variable", () => {
  it.each(["OPENAI_API_KEY", "GITHUB_TOKEN", "DB_PASSWORD", "SMTP_PASS", "SLACK_WEBHOOK_URL", "APIKEY", "SSH_PRIVATE_KEY", "DB_PWD"])(
    "%s is a secret by its name",
    (name) => expect(looksSecret({ name, value: "" })).toBe(true)
  )
  it.each(["POSTS_DIR", "PWD", "KEYBOARD", "AUTHOR", "MONKEY", "COMPASS", "PATH"])("%s is none", (name) =>
    expect(looksSecret({ name, value: "https://example.org/a:b@c" })).toBe(false)
  )
  it("with a password in its address is one", () => {
    expect(looksSecret({ name: "DATABASE_URL", value: "postgres://user:pass@db/name" })).toBe(true)
    expect(looksSecret({ name: "PROXY", value: "http://proxy:8080/" })).toBe(false)
  })
})
