/**
 * The head of a SKILL.md: YAML between two lines of `---`, read strictly.
 *
 * Aliases, anchors, tags, merge keys, repeated keys and second documents are refused; nothing is ever evaluated. What
 * follows the head is text, given as it stands.
 */
import * as Result from "effect/Result"
import { type Document, isAlias, isMap, isScalar, LineCounter, parseDocument, visit } from "yaml"
import type { Path } from "./fields.ts"
import { shown } from "./Errors.ts"

/** What the head says, and on which line (from 1) of the file the value at a path stands, or the nearest above it. */
export interface FrontMatter {
  readonly value: unknown
  readonly lineOf: (path: Path) => number
  /** What follows the line that closes the head. */
  readonly body: string
}

/** What is wrong with a file's bytes or head. `place` is its line, or line and column; empty for the whole file. */
export interface FrontMatterProblem {
  readonly code: string
  readonly place: string
  readonly got: string
  readonly want: string
  readonly fix: string
}

/** The longest head, in bytes. */
export const frontMatterBytesMax = 16_384

/** The text of a file: UTF-8, with or without a byte order mark, without NUL. */
export const readText = (bytes: Uint8Array): Result.Result<string, FrontMatterProblem> => {
  const refuse = (code: string, got: string, want: string, fix: string) => Result.fail({ code, place: "", got, want, fix })
  if ((bytes[0] === 0xff && bytes[1] === 0xfe) || (bytes[0] === 0xfe && bytes[1] === 0xff)) {
    return refuse("FILE_ENCODING", "UTF-16", "UTF-8", "save the file as UTF-8")
  }
  const nul = bytes.indexOf(0)
  if (nul !== -1) return refuse("FILE_NUL", `a NUL byte at offset ${nul}`, "text", "remove it, or save the file as text")
  const text = decoded(bytes, false)
  return text === undefined
    ? refuse("FILE_ENCODING", `an invalid byte at offset ${firstInvalid(bytes)}`, "UTF-8", "save the file as UTF-8")
    : Result.succeed(text)
}

/** Reads the head of a file's text. Lines may end in CRLF. */
export const readFrontMatter = (text: string): Result.Result<FrontMatter, FrontMatterProblem> => {
  const opening = /^---([^\r\n]*)(?:\r?\n|$)/.exec(text)
  if (opening === null) {
    return Result.fail({
      code: "SKILL_EMPTY",
      place: "1",
      got: text === "" ? "an empty file" : "no front matter",
      want: "a first line of ---",
      fix: "start with --- and give the name"
    })
  }
  const language = opening[1]!
  if (!/^[ \t]*$/.test(language)) {
    return Result.fail({
      code: "FRONTMATTER_LANGUAGE",
      place: "1",
      got: shown(`---${language}`),
      want: "---",
      fix: "write the front matter as YAML"
    })
  }
  // Lines end at a line feed, as for every other reader: with the flag `m` a line separator inside of a text would end one too.
  const closing = /(?<=^|\n)---[ \t]*\r?(?=\n|$)/.exec(text.slice(opening[0].length))
  if (closing === null) {
    return Result.fail({
      code: "FRONTMATTER_UNCLOSED",
      place: "1",
      got: "no second line of ---",
      want: "--- after the front matter",
      fix: "add the closing ---"
    })
  }
  const end = opening[0].length + closing.index
  const head = text.slice(opening[0].length, end)
  const size = new TextEncoder().encode(head).length
  if (size > frontMatterBytesMax) {
    return Result.fail({
      code: "FRONTMATTER_TOO_LARGE",
      place: "1",
      got: `${size} bytes`,
      want: `at most ${frontMatterBytesMax}`,
      fix: "move text below the closing ---"
    })
  }
  const body = text.slice(end + closing[0].length).replace(/^\n/, "")
  return Result.map(readYaml(head.replaceAll("\r\n", "\n")), (read) => ({ ...read, body }))
}

const readYaml = (head: string): Result.Result<Omit<FrontMatter, "body">, FrontMatterProblem> => {
  const lines = new LineCounter()
  const place = (offset: number) => {
    const { line, col } = lines.linePos(offset)
    return `${line + 1}:${col}` // The line of the opening --- comes before the head.
  }
  if (nestedDeeply(head)) {
    return Result.fail({
      code: "FRONTMATTER_SYNTAX",
      place: "1",
      got: "brackets nested more than 64 deep",
      want: "plain settings",
      fix: "correct the front matter"
    })
  }
  const document = parseDocument(head, {
    version: "1.2",
    schema: "core",
    strict: true,
    uniqueKeys: true,
    merge: false,
    stringKeys: true,
    prettyErrors: false,
    logLevel: "error", // Nothing is written anywhere; "silent" would leave out that there is a second document.
    lineCounter: lines
  })
  const strange = foreign(document)
  if (strange !== undefined) {
    return Result.fail({
      code: strange.code,
      place: place(strange.offset),
      got: strange.got,
      want: "plain YAML: mappings, lists, strings, numbers",
      fix: "write the value out"
    })
  }
  const [error] = document.errors
  if (error?.code === "MULTIPLE_DOCS") {
    return Result.fail({
      code: "FRONTMATTER_DOCUMENTS",
      place: place(error.pos[0]),
      got: "a second document",
      want: "one",
      fix: "remove the line of ..."
    })
  }
  if (error !== undefined) {
    const duplicate = error.code === "DUPLICATE_KEY"
    const got = duplicate ? `a key given twice${firstOf(document, head, error.pos[0], place)}` : shown(error.message)
    return Result.fail({
      code: duplicate ? "FRONTMATTER_DUPLICATE" : "FRONTMATTER_SYNTAX",
      place: place(error.pos[0]),
      got,
      want: duplicate ? "each key once" : "YAML",
      fix: error.code === "TAB_AS_INDENT" ? "indent with spaces" : duplicate ? "keep one of them" : "correct the front matter"
    })
  }
  return Result.succeed({ value: document.toJS({ maxAliasCount: 0 }) as unknown, lineOf: (path) => lineAt(document, lines, path) })
}

type Parsed = Document.Parsed

/** The first thing in a document that is more than plain data. */
const foreign = (document: Parsed): { readonly code: string; readonly offset: number; readonly got: string } | undefined => {
  let found: { readonly code: string; readonly offset: number; readonly got: string } | undefined
  const report = (code: string, node: { readonly range?: readonly [number, number, number] | null | undefined }, got: string) => {
    found = { code, offset: node.range?.[0] ?? 0, got }
    return visit.BREAK
  }
  visit(document, {
    Pair: (_, { key }) =>
      isScalar(key) && key.value === "<<" && key.type === "PLAIN" ? report("FRONTMATTER_MERGE", key, "a merge key <<") : undefined,
    Node: (_, node) => {
      if (isAlias(node)) return report("FRONTMATTER_ALIAS", node, shown(`*${node.source}`))
      if (node.anchor !== undefined) return report("FRONTMATTER_ALIAS", node, shown(`&${node.anchor}`))
      return node.tag === undefined ? undefined : report("FRONTMATTER_TAG", node, shown(node.tag))
    }
  })
  return found
}

/** Where a repeated key stood first, for the message. */
const firstOf = (document: Parsed, head: string, offset: number, place: (offset: number) => string): string => {
  const repeated = /^["']?([^\s:"']+)/.exec(head.slice(offset))?.[1]
  let first: number | undefined
  visit(document, {
    Map: (_, map) => {
      const starts = map.items.flatMap(({ key }) => (isScalar(key) && key.range ? [{ name: String(key.value), at: key.range[0] }] : []))
      if (!starts.some(({ at }) => at === offset)) return
      first = starts.find(({ name, at }) => name === repeated && at < offset)?.at
    }
  })
  return first === undefined ? "" : `, first at ${place(first)}`
}

const lineAt = (document: Parsed, lines: LineCounter, path: Path): number => {
  let node: unknown = document.contents
  let offset = document.contents?.range?.[0] ?? 0
  for (const key of path) {
    const pair = isMap(node) ? node.items.find((item) => isScalar(item.key) && item.key.value === key) : undefined
    if (pair === undefined) break
    if (isScalar(pair.key) && pair.key.range) offset = pair.key.range[0]
    node = pair.value
  }
  return lines.linePos(offset).line + 1
}

/** Whether brackets open more than 64 deep, quoted ones counted too: a parser that recurses must not be led that far. */
const nestedDeeply = (head: string): boolean => {
  let depth = 0
  for (const char of head) {
    if (char === "[" || char === "{") depth += 1
    else if (char === "]" || char === "}") depth = Math.max(0, depth - 1)
    if (depth > 64) return true
  }
  return /^(?:[-?] *){65}/m.test(head)
}

const decoded = (bytes: Uint8Array, partial: boolean): string | undefined =>
  Result.getOrUndefined(Result.try(() => new TextDecoder("utf-8", { fatal: true }).decode(bytes, { stream: partial })))

/** The longest prefix that is valid ends here. */
const firstInvalid = (bytes: Uint8Array): number => {
  let [valid, invalid] = [0, bytes.length]
  while (invalid - valid > 1) {
    const middle = (valid + invalid) >> 1
    if (decoded(bytes.subarray(0, middle), true) === undefined) invalid = middle
    else valid = middle
  }
  return valid
}
