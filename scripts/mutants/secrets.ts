/** Broken promises of secrets. */
import { type Mutant, one } from "./mutant.ts"

const forms = "test/domain/Redaction.test.ts"
const canaries = "test/failures/canaries.test.ts"
const file = "src/domain/Redaction.ts"

export const secretMutants: ReadonlyArray<Mutant> = [
  one("the journal keeps secrets", "src/layers/StateStore.ts", "secrets.event(stamp(event, now))", "stamp(event, now)", canaries),
  one("views show secrets", "src/layers/StateStore.ts", "secrets.text(text)", "text", canaries),
  one("what was printed keeps secrets", "src/layers/Output.ts", "        redact(open.fd, secrets)\n", "", canaries),
  one("an answer keeps secrets", "src/layers/SkillProcess.ts", `["result.json"]`, `[]`, canaries),
  one(
    "an excerpt of an answer shows a part of one",
    "src/layers/SkillProcess.ts",
    "shown(withoutExcerpt(cause.message))",
    "shown(cause.message)",
    canaries
  ),
  one("the log tells secrets", "src/layers/Holdfast.ts", "        Layer.provide(layerLoggers),\n", "", canaries),
  one(
    "secrets in what the dead have printed stay",
    "src/layers/Process.ts",
    `[...outputs, "result.json"]`,
    `[]`,
    "test/layers/Process.test.ts"
  ),
  one(
    "a link is followed to a secret",
    "src/layers/Output.ts",
    "fs.constants.O_RDWR | fs.constants.O_NOFOLLOW",
    "fs.constants.O_RDWR",
    "test/layers/Process.test.ts"
  ),
  one("a name that is listed is no secret", "src/layers/Secrets.ts", "...valued(redact),", "", canaries),
  one("the token is no secret", "src/layers/Secrets.ts", "token === undefined ? [] :", "token !== undefined ? [] :", canaries),
  one("what a cut leaves stays", file, "found = withoutCut(found, form, mark)", "found", forms, canaries),
  one("only the beginning of base64 is known", file, "[0, 1, 2].flatMap", "[0].flatMap", forms, canaries),
  one("a shorter secret hides in a longer one", file, "b.length - a.length", "a.length - b.length", forms),
  one("a secret in another's name breaks the journal", file, "names.has(key) || ", "", forms),
  one("a key may be a secret", file, "[text(key), value(item)]", "[key, value(item)]", forms)
]
