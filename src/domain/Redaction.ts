/**
 * Takes known secrets out of what is written down or shown.
 *
 * A secret is found as it is, in base64 (also inside of something longer, as in a header of basic authentication),
 * URL-encoded and JSON-escaped; of one with several lines each line as well. What a cut has left of one is found where cuts
 * are: in front of a line's end or of `...`, and at a line's beginning.
 */

/** A value that must not be shown, and the name that is shown in its place. */
export interface Secret {
  readonly name: string
  readonly value: string
}

export interface Redaction {
  /** Whether there is anything to look for. */
  readonly active: boolean
  readonly text: (text: string) => string
  /** The same for bytes of any kind; the very same ones where there was nothing. */
  readonly bytes: (bytes: Buffer) => Buffer
  /** Data: its texts, keys among them, and numbers that would show one. */
  readonly value: <A>(value: A) => A
  /** An event of the journal. What it is about stays, so that the journal adds up to the same: names of skills, runs, steps and sessions. */
  readonly event: <E extends object>(event: E) => E
}

/** Shorter values are not looked for: they would be found everywhere. */
export const secretLengthMin = 8

/** Whether the value of a variable is to be kept secret: by its name, or since it is an address with a password in it. */
export const looksSecret = ({ name, value }: Secret): boolean => secretName.test(name) || passwordInUrl.test(value)

/** With nothing to look for. */
export const noRedaction: Redaction = { active: false, text: same, bytes: same, value: same, event: same }

/** For these secrets. */
export const redactionOf = (secrets: Iterable<Secret>): Redaction => {
  const known = new Map<string, string>()
  for (const { name, value } of secrets) for (const form of formsOf(value)) if (!known.has(form)) known.set(form, `[redacted ${name}]`)
  if (known.size === 0) return noRedaction
  // The longest first: a secret may be the beginning of another one.
  const forms = [...known].sort(([a], [b]) => b.length - a.length)

  const text = (given: string): string => {
    let found = given
    for (const [form, mark] of forms) if (found.includes(form)) found = found.replaceAll(form, () => mark)
    for (const [form, mark] of forms) found = withoutCut(found, form, mark)
    return found
  }
  const value = (given: unknown): unknown => {
    if (typeof given === "string") return text(given)
    if (typeof given === "number") return text(String(given)) === String(given) ? given : text(String(given))
    if (Array.isArray(given)) return given.map(value)
    if (typeof given !== "object" || given === null) return given
    return Object.fromEntries(Object.entries(given).map(([key, item]) => [text(key), value(item)]))
  }
  const event = (given: object): object =>
    Object.fromEntries(
      Object.entries(given).map(([key, item]) => [
        key,
        names.has(key) || typeof item === "number" ? item : key === "report" && item !== null ? event(item as object) : value(item)
      ])
    )
  const bytes = (given: Buffer): Buffer => {
    const before = given.toString("latin1") // One character a byte, whatever they are.
    const after = text(before)
    return after === before ? given : Buffer.from(after, "latin1")
  }
  return { active: true, text, bytes, value: value as Redaction["value"], event: event as Redaction["event"] }
}

/** What an event is about, or one of few words of ours. */
const names: ReadonlySet<string> = new Set(
  "type skill run step session digest schedule verdict outcome how startTime bootId gatewayBootId version from to".split(" ")
)

const secretName =
  /TOKEN|SECRET|PASSW|PASSPHRASE|CREDENTIAL|COOKIE|WEBHOOK|(?:^|_|API|ACCESS|PRIVATE)KEYS?(?:_|$)|_PWD(?:_|$)|(?:^|_)(?:PASS|PAT|AUTH|DSN|JWT|BEARER)(?:_|$)/i
const passwordInUrl = /^[a-z][a-z0-9+.-]*:\/\/[^/?#\s]*:[^/?#\s]+@/i

/** Every form of a value that is long enough. */
const formsOf = (value: string): ReadonlySet<string> => {
  const parts = [value.trim(), ...value.split(/[\r\n]+/).map((line) => line.trim())]
  const forms = parts
    .filter((part) => part.length >= secretLengthMin)
    .flatMap((part) => {
      const url = encodeURIComponent(part.toWellFormed())
      const lower = url.replace(/%../g, (code) => code.toLowerCase())
      const query = new URLSearchParams([["", part]]).toString().slice(1)
      const plain = [part, JSON.stringify(part).slice(1, -1), url, lower, query]
      return [...plain, ...plain.map((form) => Buffer.from(form).toString("latin1")), ...base64Of(Buffer.from(part))]
    })
  return new Set(forms.filter((form) => form.length >= secretLengthMin))
}

/** What is the same in base64 whatever stands before and behind: once for each place in a group of three bytes. */
const base64Of = (bytes: Buffer): ReadonlyArray<string> =>
  [0, 1, 2].flatMap((before) => {
    const encoded = Buffer.concat([Buffer.alloc(before), bytes])
      .toString("base64")
      .replace(/=+$/, "")
    const end = (before + bytes.length) % 3 === 0 ? encoded.length : encoded.length - 1
    const own = encoded.slice(Math.ceil((before * 8) / 6), end)
    return [own, own.replaceAll("+", "-").replaceAll("/", "_")]
  })

/** Without the beginnings of a form that end where a text was cut, and its ends that begin there. */
const withoutCut = (text: string, form: string, mark: string): string => {
  const head = form.slice(0, secretLengthMin)
  const tail = form.slice(-secretLengthMin)
  const begun = replaced(text, head, mark, (at) => {
    let end = at + head.length
    while (end - at < form.length && text[end] === form[end - at]) end += 1
    return /^(?:\.\.\.|[\r\n]|$)/.test(text.slice(end, end + 3)) ? [at, end] : undefined
  })
  return replaced(begun, tail, mark, (at) => {
    const end = at + tail.length
    let start = at
    while (end - start < form.length && start > 0 && begun[start - 1] === form[form.length - (end - start) - 1]) start -= 1
    return start === 0 || /[\r\n]/.test(begun[start - 1]!) ? [start, end] : undefined
  })
}

/** Puts the mark in place of each stretch that `stretch` gives for a place of `probe`. */
const replaced = (text: string, probe: string, mark: string, stretch: (at: number) => readonly [number, number] | undefined): string => {
  const pieces: Array<string> = []
  let kept = 0
  for (let at = text.indexOf(probe); at >= 0; at = text.indexOf(probe, Math.max(at + 1, kept))) {
    const found = stretch(at)
    if (found === undefined || found[0] < kept) continue
    pieces.push(text.slice(kept, found[0]), mark)
    kept = found[1]
  }
  return kept === 0 ? text : pieces.join("") + text.slice(kept)
}

function same<A>(given: A): A {
  return given
}
