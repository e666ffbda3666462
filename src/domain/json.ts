/** JSON that people write by hand: read strictly, and told to the line and column where it goes wrong. */
import * as Result from "effect/Result"
import { shown } from "./Errors.ts"

export interface JsonProblem {
  readonly kind: "syntax" | "forbidden" | "duplicate"
  readonly line: number
  readonly column: number
  readonly got: string
  readonly want: string
}

/** The deepest nesting that is read. */
export const jsonDepthMax = 64

/**
 * The value of a text. Beyond `JSON.parse` it refuses repeated keys, nesting deeper than `jsonDepthMax`, and the keys
 * `__proto__`, `constructor` and `prototype` anywhere. A message shows one character or one key, never a value.
 */
export const readJson = (text: string): Result.Result<unknown, JsonProblem> => {
  const problem = new Scanner(text).problem()
  return problem === undefined ? Result.succeed(JSON.parse(text) as unknown) : Result.fail(problem)
}

const forbidden: ReadonlySet<string> = new Set(["__proto__", "constructor", "prototype"])

const blank = /[ \t\n\r]*/y
const plain = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?|true|false|null/y
const escape = /\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})/y

class Scanner {
  readonly #text: string
  #at = 0
  constructor(text: string) {
    this.#text = text
  }

  problem(): JsonProblem | undefined {
    return this.#value(0) ?? (this.#next() === "" ? undefined : this.#wrong("the end of the file"))
  }

  #value(depth: number): JsonProblem | undefined {
    if (depth > jsonDepthMax) return this.#wrong(`at most ${jsonDepthMax} levels`)
    switch (this.#next()) {
      case "{":
        return this.#members(depth)
      case "[":
        return this.#list("]", () => this.#value(depth + 1))
      case '"':
        return this.#string()
      default:
        return this.#take(plain) ? undefined : this.#wrong("a value")
    }
  }

  #members(depth: number): JsonProblem | undefined {
    const keys = new Set<string>()
    return this.#list("}", () => {
      if (this.#next() !== '"') return this.#wrong("a key in double quotes")
      const start = this.#at
      const broken = this.#string()
      if (broken !== undefined) return broken
      const key = JSON.parse(this.#text.slice(start, this.#at)) as string
      if (forbidden.has(key)) return this.#problem("forbidden", start, shown(key), "another key")
      if (keys.has(key)) return this.#problem("duplicate", start, shown(key), "each key once")
      keys.add(key)
      if (this.#next() !== ":") return this.#wrong("a colon")
      this.#at += 1
      return this.#value(depth + 1)
    })
  }

  #list(end: "]" | "}", item: () => JsonProblem | undefined): JsonProblem | undefined {
    this.#at += 1
    if (this.#next() === end) {
      this.#at += 1
      return undefined
    }
    for (;;) {
      const problem = item()
      if (problem !== undefined) return problem
      const separator = this.#next()
      if (separator !== "," && separator !== end) return this.#wrong(`a comma or ${end}`)
      this.#at += 1
      if (separator === end) return undefined
    }
  }

  #string(): JsonProblem | undefined {
    for (this.#at += 1; this.#at < this.#text.length;) {
      const char = this.#text[this.#at]!
      if (char === '"') {
        this.#at += 1
        return undefined
      }
      if (char < " ") return this.#wrong("a closing quote on the same line")
      if (char !== "\\") this.#at += 1
      else if (!this.#take(escape)) return this.#wrong("a valid escape")
    }
    return this.#wrong("a closing quote")
  }

  /** The next character that is not blank; empty at the end. */
  #next(): string {
    this.#take(blank)
    return this.#text[this.#at] ?? ""
  }

  #take(pattern: RegExp): boolean {
    pattern.lastIndex = this.#at
    const found = pattern.exec(this.#text)
    this.#at += found?.[0].length ?? 0
    return found !== null
  }

  #wrong(want: string): JsonProblem {
    const char = this.#text[this.#at]
    return this.#problem("syntax", this.#at, char === undefined ? "the end of the file" : shown(char), want)
  }

  #problem(kind: JsonProblem["kind"], offset: number, got: string, want: string): JsonProblem {
    const before = this.#text.slice(0, offset).split("\n")
    return { kind, line: before.length, column: before.at(-1)!.length + 1, got, want }
  }
}
