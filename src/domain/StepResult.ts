/** What a step may give back: plain JSON of bounded size, so that a replay gives what the work gave. The host uses this too: it imports nothing at run time. */

/** The longest result of a step, in bytes of JSON. */
export const stepResultMax = 1_048_576
/** The deepest nesting of one: deeper ones are for a file. */
const depthMax = 256

export interface StepResultProblem {
  readonly code: "STEP_RESULT" | "STEP_RESULT_TOO_LARGE"
  readonly got: string
  readonly want: string
  readonly fix: string
}

/** Why this cannot be the result of a step; nothing when it can. `undefined` is kept as `null`. */
export const stepResultProblem = (result: unknown): StepResultProblem | undefined => {
  const strange = notJson(result, "result", [])
  if (strange !== undefined) {
    return { code: "STEP_RESULT", got: strange, want: "a JSON value", fix: "return plain data from the step" }
  }
  const bytes = Buffer.byteLength(JSON.stringify(result ?? null))
  return bytes <= stepResultMax
    ? undefined
    : {
        code: "STEP_RESULT_TOO_LARGE",
        got: `${bytes} bytes`,
        want: `at most ${stepResultMax} bytes`,
        fix: "write a file and return its path"
      }
}

/** The path and kind of the first part that JSON would drop or change. A key whose value is `undefined` reads the same without it. */
const notJson = (value: unknown, path: string, above: ReadonlyArray<object>): string | undefined => {
  if (value === null || value === undefined || typeof value === "string" || typeof value === "boolean") return undefined
  if (typeof value === "number") return Number.isFinite(value) ? undefined : `${path}: ${value}`
  if (typeof value !== "object") return `${path}: a ${typeof value}`
  if (above.includes(value)) return `${path}: a circle`
  if (above.length === depthMax) return `${path}: more than ${depthMax} levels`
  const inside = [...above, value]
  if (Array.isArray(value)) {
    for (let i = 0; i < value.length; i++) {
      const found = value[i] === undefined ? `${path}[${i}]: undefined` : notJson(value[i], `${path}[${i}]`, inside)
      if (found !== undefined) return found
    }
    return undefined
  }
  const prototype: unknown = Object.getPrototypeOf(value)
  if (prototype !== Object.prototype && prototype !== null) return `${path}: a ${value.constructor?.name ?? "class instance"}`
  for (const [key, item] of Object.entries(value)) {
    const found = notJson(item, `${path}.${key}`, inside)
    if (found !== undefined) return found
  }
  return undefined
}
