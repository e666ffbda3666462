/** Files with a head, most of them nearly right, and the one rule for all: refused by a code for a reason, or read as the `yaml` package reads it. */
import { Result } from "effect"
import { isDeepStrictEqual } from "node:util"
import { checkFields } from "../../src/domain/fields.ts"
import { readFrontMatter, readText } from "../../src/domain/FrontMatter.ts"
import { SkillSettings } from "../../src/domain/SkillFile.ts"
import { Fuzz, type FuzzReport, picks } from "./fuzz.ts"
import { skillFile } from "./skillFiles.ts"
import { whatYamlSays } from "./yamlHead.ts"

/** `sound`: how many of those that were accepted are also settings of a skill. */
export const fuzzFrontMatter = (times: number, seed: number): FuzzReport & { readonly sound: number } => {
  const fuzz = Object.assign(new Fuzz(), { sound: 0 })
  const pick = picks(seed)
  read(Buffer.from("---\nname: a\n---\n"))
  for (let n = 0; n < times && fuzz.wrong === undefined; n++) {
    const bytes = skillFile(pick)
    const [verdict, sound] = judge(fuzz, bytes)
    if (n % 10 === 0 && !isDeepStrictEqual(plain(read(bytes)), plain(read(bytes)))) fuzz.wrong = `number ${n}: read twice, it is another`
    if (sound) fuzz.sound += 1
    if (verdict !== undefined) fuzz.wrong = `number ${n}, ${JSON.stringify(bytes.toString())}: ${verdict}`
  }
  return fuzz
}

const read = (bytes: Uint8Array) => Result.flatMap(readText(bytes), readFrontMatter)

const judge = (fuzz: Fuzz, bytes: Buffer): readonly [wrong: string | undefined, sound: boolean] => {
  const got = fuzz.timed(() => read(bytes))
  const expected = whatYamlSays(bytes)
  if (Result.isFailure(got)) {
    const { code, place } = got.failure
    fuzz.refuse(code)
    if (!/^(FILE|SKILL|FRONTMATTER)_[A-Z_]+$/.test(code) || !/^(\d+(:\d+)?)?$/.test(place))
      return [`refused with ${code} at ${place}`, false]
    return ["value" in expected ? `refused with ${code}, and is sound` : undefined, false]
  }
  fuzz.accepted += 1
  if (!("value" in expected)) return [`accepted, though ${expected.because}`, false]
  if (!isDeepStrictEqual(got.success.value ?? null, expected.value ?? null)) return [`read as ${JSON.stringify(got.success.value)}`, false]
  const settings = below(below(got.success.value, "metadata"), "holdfast")
  if (typeof settings !== "object" || settings === null) return [undefined, false]
  const checked = fuzz.timed(() => checkFields(SkillSettings, settings))
  const stranger = strangerIn(settings)
  if (Result.isSuccess(checked)) {
    if (stranger !== undefined) return [`${stranger} is taken for a setting`, false]
    return [isDeepStrictEqual(checked.success, settings) ? undefined : "settings are not as they were written", true]
  }
  const told = checked.failure.some(({ code, path }) => code === "UNKNOWN_KEY" && path.at(-1) === stranger)
  return [stranger === undefined || told ? undefined : `${stranger} is not named as unknown`, false]
}

const plain = (got: ReturnType<typeof read>) => (Result.isSuccess(got) ? got.success.value : got.failure)

const below = (value: unknown, key: string): unknown =>
  typeof value === "object" && value !== null && !Array.isArray(value) && Object.hasOwn(value, key)
    ? (value as Record<string, unknown>)[key]
    : undefined

/** A key that is no setting, by a list of our own. */
const strangerIn = (settings: object): string | undefined => {
  if (Array.isArray(settings)) return undefined
  const outer = Object.keys(settings).find((key) => !Object.hasOwn(known, key))
  if (outer !== undefined) return outer
  for (const [key, inner] of Object.entries(known)) {
    const value = below(settings, key)
    if (inner.length === 0 || typeof value !== "object" || value === null || Array.isArray(value)) continue
    const stranger = Object.keys(value).find((one) => !inner.includes(one))
    if (stranger !== undefined) return stranger
  }
  return undefined
}
const known: Readonly<Record<string, ReadonlyArray<string>>> = {
  schedule: ["cron", "timezone", "every", "anchor", "at"],
  run: [],
  module: [],
  prompt: [],
  timeout: [],
  grace: [],
  catchUp: [],
  overlap: [],
  retry: ["attempts", "first", "cap"],
  onInterruption: [],
  needs: [],
  report: ["when", "session"],
  evidence: ["files", "fields", "atLeast", "atMost"],
  env: []
}
