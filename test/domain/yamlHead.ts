/** What stands in the head of a file, said a second time: by the `yaml` package in its strict mode, its tokens, and lines parted by hand. */
import { isUtf8 } from "node:buffer"
import { type CST, Parser, parse } from "yaml"
import { frontMatterBytesMax } from "../../src/domain/FrontMatter.ts"

/** The head as `yaml` alone reads it, strictly, or why there is none: lines are parted, and what is more than data is found in its tokens. */
export const whatYamlSays = (bytes: Buffer): { readonly value: unknown } | { readonly because: string } => {
  if (bytes.includes(0) || !isUtf8(bytes)) return { because: "it is no text" }
  const lines = bytes
    .toString()
    .replace(/^\ufeff/, "")
    .split(/(?<=\n)/)
  const close = lines.findIndex((line, i) => i > 0 && /^---[ \t]*\r?\n?$/.test(line))
  if (!/^---[ \t]*\r?\n$/.test(lines[0] ?? "") || close < 0) return { because: "it has no head" }
  const head = lines.slice(1, close).join("")
  if (Buffer.byteLength(head) > frontMatterBytesMax) return { because: "it is too long" }
  const text = head.replaceAll("\r\n", "\n")
  if (nestedDeeply(text)) return { because: "it is nested deeply" }
  const odd = foreignIn([...new Parser().parse(text)])
  if (odd !== undefined) return { because: `it has ${odd}` }
  try {
    return {
      value: parse(text, {
        version: "1.2",
        strict: true,
        uniqueKeys: true,
        stringKeys: true,
        maxAliasCount: 0,
        logLevel: "error"
      }) as unknown
    }
  } catch (error) {
    return { because: String(error) }
  }
}

/** As deep as the reader goes, by whatever opens a level. */
const nestedDeeply = (text: string): boolean => {
  let depth = 0
  let deepest = 0
  for (const char of text) {
    depth = Math.max(0, depth + ("[{".includes(char) ? 1 : "]}".includes(char) ? -1 : 0))
    deepest = Math.max(deepest, depth)
  }
  return deepest > 64 || text.split("\n").some((line) => /^(?:[-?] *){65}/.test(line))
}

/** The first token that is more than data. */
const foreignIn = (tokens: ReadonlyArray<CST.Token>): string | undefined => {
  const found: Array<string> = []
  const visit = (token: unknown): void => {
    if (Array.isArray(token)) return token.forEach(visit)
    if (typeof token !== "object" || token === null) return
    const { type, source } = token as { readonly type?: string; readonly source?: string }
    if (type === "alias" || type === "anchor" || type === "tag") found.push(type)
    if (type === "scalar" && source === "<<") found.push("<<")
    for (const part of Object.values(token)) if (typeof part === "object") visit(part)
  }
  visit(tokens)
  return found[0]
}
