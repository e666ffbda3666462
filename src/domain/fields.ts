/** What people write into files, held against the schema of what may stand there: every slip at once, each with its place. */
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import type * as SchemaAST from "effect/SchemaAST"
import * as SchemaIssue from "effect/SchemaIssue"
import * as SchemaParser from "effect/SchemaParser"
import { nearest, shown } from "./Errors.ts"
import { durationWant, parseDuration, showDuration } from "./durations.ts"
import { parseSize, showSize, sizeWant } from "./sizes.ts"

export type Path = ReadonlyArray<PropertyKey>

/** One slip. `UNKNOWN_KEY` is for the reader to prefix with what kind of file it is. */
export interface FieldProblem {
  readonly code: "FIELD_TYPE" | "FIELD_RANGE" | "FIELD_MISSING" | "UNKNOWN_KEY"
  readonly path: Path
  readonly got: string
  readonly want: string
  readonly fix: string
}

/** The value as its schema has it, or all that is wrong with it: at least one problem, at most one a place. */
export const checkFields = <S extends Schema.ConstraintDecoder<unknown>>(
  schema: S,
  value: unknown
): Result.Result<S["Type"], ReadonlyArray<FieldProblem>> => {
  const read = SchemaParser.decodeUnknownResult(schema)(value, { errors: "all", onExcessProperty: "error" })
  if (Result.isSuccess(read)) return Result.succeed(read.success)
  const problems = new Map<string, FieldProblem>()
  for (const problem of problemsOf(read.failure, [], value)) {
    const place = fieldName(problem.path)
    if (!problems.has(place)) problems.set(place, problem)
  }
  return Result.fail([...problems.values()])
}

/** `retry.attempts`, `needs[0]`. */
export const fieldName = (path: Path): string =>
  path.map((key, i) => (typeof key === "number" ? `[${key}]` : `${i === 0 ? "" : "."}${shown(String(key))}`)).join("")

/** A string that is a duration of `leastMs` to `mostMs`; it stays a string, for `parseDuration`. */
export const durationField = (leastMs: number, mostMs: number, description: string) =>
  amountField({ read: parseDuration, show: showDuration, want: durationWant }, leastMs, mostMs, description)

/** A string that is a size of `leastBytes` to `mostBytes`; it stays a string, for `parseSize`. */
export const sizeField = (leastBytes: number, mostBytes: number, description: string) =>
  amountField({ read: parseSize, show: showSize, want: sizeWant }, leastBytes, mostBytes, description)

/** A string that satisfies a rule; `want` says which. */
export const textField = (rule: (text: string) => boolean, want: string, description: string) =>
  Schema.String.check(Schema.makeFilter(rule, { expected: want, toJsonSchema: () => ({}) })).annotate({ description })

interface Amount {
  readonly read: (text: string) => number | undefined
  readonly show: (amount: number) => string
  readonly want: string
}

const amountField = ({ read, show, want }: Amount, least: number, most: number, description: string) =>
  Schema.String.check(
    Schema.makeFilter((text) => read(text) !== undefined, { expected: want, code: "FIELD_TYPE", toJsonSchema: () => ({}) }, true),
    Schema.makeFilter((text) => inRange(read(text), least, most), {
      expected: `${show(least)} to ${show(most)}`,
      toJsonSchema: () => ({})
    })
  ).annotate({ description })

const inRange = (amount: number | undefined, least: number, most: number) => amount !== undefined && amount >= least && amount <= most

const problemsOf = (issue: SchemaIssue.Issue, path: Path, root: unknown): ReadonlyArray<FieldProblem> => {
  const value = at(root, path)
  const got = typeof value === "number" ? String(value) : shown(value) || "an empty text"
  const fix = `correct ${fieldName(path) || "the whole"}`
  switch (issue._tag) {
    case "Pointer":
      return problemsOf(issue.issue, [...path, ...issue.path], root)
    case "Composite":
      return issue.issues.flatMap((inner) => problemsOf(inner, path, root))
    case "Encoding":
      return problemsOf(issue.issue, path, root)
    case "Filter": {
      const { expected, code } = (issue.filter.annotations ?? {}) as { readonly expected?: string; readonly code?: "FIELD_TYPE" }
      return [{ code: code ?? "FIELD_RANGE", path, got, want: expected ?? "another value", fix }]
    }
    case "UnexpectedKey": {
      const known = keysOf(issue.ast)
      const near = nearest(String(path.at(-1)), known)
      return [
        {
          code: "UNKNOWN_KEY",
          path,
          got: shown(String(path.at(-1))),
          want: wantedKey(issue.ast), // Never the value: it may be a secret.
          fix: near === undefined ? "remove it" : `did you mean ${near}?`
        }
      ]
    }
    case "MissingKey":
      return [{ code: "FIELD_MISSING", path, got: "nothing", want: `a value for ${fieldName(path)}`, fix: `add ${fieldName(path)}` }]
    case "AnyOf": {
      // Only choices among words are unions here.
      const want = wanted(issue).replaceAll(" | ", ", ").replaceAll('"', "")
      const near = typeof value === "string" ? nearest(value, want.split(", ")) : undefined
      return [
        {
          code: typeof value === "string" ? "FIELD_RANGE" : "FIELD_TYPE",
          path,
          got,
          want: `one of ${want}`,
          fix: near === undefined ? fix : `did you mean ${near}?`
        }
      ]
    }
    default:
      return [{ code: "FIELD_TYPE", path, got, want: wanted(issue), fix }]
  }
}

const wanted = (issue: SchemaIssue.Issue): string =>
  SchemaIssue.makeFormatterDefault()(issue)
    .split("\n")[0]!
    .replace(/^Expected /, "")

const wantedKey = (ast: SchemaAST.AST): string => {
  const known = keysOf(ast)
  const [rule] = ast._tag === "Objects" ? ast.indexSignatures.flatMap(({ parameter }) => parameter.checks ?? []) : []
  const { expected } = (rule?.annotations ?? {}) as { readonly expected?: string }
  return known.length > 0 ? `one of ${known.join(", ")}` : (expected ?? "another key")
}

const keysOf = (ast: SchemaAST.AST): ReadonlyArray<string> =>
  ast._tag === "Objects" ? ast.propertySignatures.map(({ name }) => String(name)) : []

const at = (root: unknown, path: Path): unknown =>
  path.reduce<unknown>(
    (value, key) =>
      typeof value === "object" && value !== null && Object.hasOwn(value, key) ? (value as Record<PropertyKey, unknown>)[key] : undefined,
    root
  )
