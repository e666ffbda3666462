/** Broken promises of what is refused, and of what a schedule and a head say. */
import { type Mutant, one } from "./mutant.ts"

const cron = "src/domain/Cron.ts"
const head = "src/domain/FrontMatter.ts"
const folder = "src/layers/skillFolder.ts"
const cronFuzz = "test/domain/cron-fuzz.test.ts"
const headFuzz = "test/domain/front-matter-fuzz.test.ts"
const files = "test/failures/bad-input-files.test.ts"

export const inputMutants: ReadonlyArray<Mutant> = [
  one("Sunday to Sunday is a week", cron, "ends[1].toLowerCase() === ends[0]!.toLowerCase() ? from : ", "", "test/domain/Schedule.test.ts"),
  one("day 7 is no Sunday", cron, "weekdays.map((day) => day % 7)", "weekdays", cronFuzz),
  one("a step begins at zero", cron, "value = range.from; value <= range.to", "value = 0; value <= range.to", cronFuzz),
  one("a number with a step stands alone", cron, "to: step === undefined ? from : field.max", "to: from", cronFuzz),
  one("both days must match", cron, "eitherDay: !starred(3) && !starred(5)", "eitherDay: false", cronFuzz),
  one("a second slash is read over", cron, "more.length > 0 || ", "", cronFuzz),
  one(
    "the day of the instant itself is not looked at",
    "src/domain/Calendar.ts",
    "const start = this.#dayOf(afterMs) - dayMs",
    "const start = this.#dayOf(afterMs) + dayMs",
    cronFuzz
  ),
  one(
    "an instant is counted twice",
    "src/domain/Calendar.ts",
    "if (times[middle]! + shift <= atMs) low",
    "if (times[middle]! + shift < atMs) low",
    cronFuzz
  ),
  one("a head is read as YAML 1.1", head, `schema: "core"`, `schema: "yaml-1.1"`, headFuzz),
  one("a key may stand twice", head, "uniqueKeys: true", "uniqueKeys: false", headFuzz),
  one("tags are read over", head, "node.tag === undefined ? undefined :", "node.tag !== undefined ? undefined :", headFuzz),
  one("anchors are read over", head, "if (node.anchor !== undefined)", "if (false as boolean)", files),
  one("a line separator ends a head", head, "(?<=^|\\n)---[ \\t]*\\r?(?=\\n|$)/.exec", "^---[ \\t]*\\r?$/m.exec", files),
  one("a second document is read over", head, `logLevel: "error"`, `logLevel: "silent"`, files),
  one("bytes that are no text are mended", head, `{ fatal: true }`, `{ fatal: false }`, headFuzz, files),
  one("an unknown setting is read over", "src/domain/fields.ts", `onExcessProperty: "error"`, `onExcessProperty: "ignore"`, headFuzz),
  one("a file is read through a link", folder, `noFollow: true`, `noFollow: false`, files)
]
