import { assert, describe, it } from "vitest"
import { stepResultMax, stepResultProblem } from "../../src/domain/StepResult.ts"

const circle: Record<string, unknown> = { inner: {} }
;(circle["inner"] as Record<string, unknown>)["outer"] = circle
const deep = (levels: number): unknown => Array.from({ length: levels }).reduce<unknown>((inside) => [inside], 1)

describe("the result of a step", () => {
  it.each<[string, unknown]>([
    ["nothing", undefined],
    ["null", null],
    ["plain data", { posts: [1, 2.5, "three", true, null], at: { deep: {} } }],
    ["a key without a value", { posts: 1, none: undefined }],
    ["an object without a prototype", Object.assign(Object.create(null), { a: 1 })],
    ["the same part twice", ((part) => [part, part])({ a: 1 })],
    ["256 levels", deep(256)],
    ["as much as may be", "x".repeat(stepResultMax - 2)]
  ])("may be %s", (_, result) => {
    assert.isUndefined(stepResultProblem(result))
  })

  it.each<[string, unknown, string]>([
    ["a date", { when: new Date(0) }, "result.when: a Date"],
    ["a function", { list: [() => 1] }, "result.list[0]: a function"],
    ["a symbol", Symbol("x"), "result: a symbol"],
    ["a bigint", { n: 1n }, "result.n: a bigint"],
    ["not a number", [1, Number.NaN], "result[1]: NaN"],
    ["infinite", { a: { b: Infinity } }, "result.a.b: Infinity"],
    ["a map", new Map([[1, 2]]), "result: a Map"],
    ["an instance", new URL("https://example.org"), "result: a URL"],
    ["an error", { e: new TypeError("x") }, "result.e: a TypeError"],
    ["nothing in a list", [undefined], "result[0]: undefined"],
    // oxlint-disable-next-line no-sparse-arrays -- the hole is the case.
    ["a hole in a list", [1, , 2], "result[1]: undefined"],
    ["a circle", circle, "result.inner.outer: a circle"],
    ["too deep", deep(257), `result${"[0]".repeat(256)}: more than 256 levels`]
  ])("that is %s is refused with its path", (_, result, got) => {
    assert.deepInclude({ ...stepResultProblem(result) }, { code: "STEP_RESULT", got })
  })

  it.each<[string, unknown, number]>([
    ["a byte too many", "x".repeat(stepResultMax - 1), stepResultMax + 1],
    ["too many bytes in fewer characters", "é".repeat(stepResultMax / 2), stepResultMax + 2],
    ["10 MB", "x".repeat(10_000_000), 10_000_002]
  ])("of %s is refused with its size", (_, result, bytes) => {
    assert.deepInclude({ ...stepResultProblem(result) }, { code: "STEP_RESULT_TOO_LARGE", got: `${bytes} bytes` })
  })
})
