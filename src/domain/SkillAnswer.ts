/** What a skill answers with, whether as a file, over a channel or as a returned value: checked in one place. */
import { shown } from "./Errors.ts"
import type { Fields } from "./SkillContext.ts"

/** A skill's own words on its success. */
export interface SkillAnswer {
  readonly fields: Fields
  readonly summary: string | undefined
}

/** The longest answer, in bytes of JSON. */
export const answerBytesMax = 65_536

/** Reads an answer: a flat object of strings, numbers and booleans, or nothing at all. A text that comes back says what is wrong with it. */
export const readAnswer = (answer: unknown): SkillAnswer | string => {
  if (answer === undefined || answer === null) return { fields: {}, summary: undefined }
  if (typeof answer !== "object" || Array.isArray(answer)) return `got ${shown(answer)}, want an object`
  const { summary, ...rest } = answer as Readonly<Record<string, unknown>>
  if (summary !== undefined && typeof summary !== "string") return `summary: got ${shown(summary)}, want a text`
  const fields = Object.entries(rest)
  if (fields.length > fieldsMax) return `got ${fields.length} fields, want at most ${fieldsMax}`
  for (const [name, value] of fields) {
    if (!nameRule.test(name)) return `got the field name ${shown(name)}, want letters, digits, ".", "_" or "-", a letter first, at most 64`
    if (!isPlain(value)) return `${name}: got ${shown(value)}, want a text, a finite number or a boolean`
  }
  return { fields: rest as Fields, summary }
}

const fieldsMax = 64
const nameRule = /^[A-Za-z][A-Za-z0-9._-]{0,63}$/ // A letter first also keeps out `__proto__`.
const isPlain = (value: unknown): boolean =>
  typeof value === "string" || typeof value === "boolean" || (typeof value === "number" && Number.isFinite(value))
