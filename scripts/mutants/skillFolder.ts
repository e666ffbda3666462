/** Broken promises of how skill files are reached. That of their owner is tested as root alone, and has none here. */
import { type Mutant, one } from "./mutant.ts"

const files = "test/failures/bad-input-files.test.ts"
const file = "src/layers/skillFolder.ts"

export const skillFolderMutants: ReadonlyArray<Mutant> = [
  one("an open file is not looked at", file, "      yield* writableByNobodyElse(file, info)\n", "", files),
  one("a link is followed when it is opened", file, "noFollow: true", "noFollow: false", files),
  one("a folder on the way to a program is everybody's", file, "above !== folder; above", "false; above", files),
  one("the folder of all skills is everybody's", "src/layers/Skills.ts", "(mode & 0o1002) === 0o002", "false", files),
  one(
    "a skill whose file is wrong is removed",
    "src/layers/Holdfast.ts",
    "[...unreadable, ...unapproved]",
    "unapproved",
    "test/failures/bad-input-runtime.test.ts"
  ),
  one(
    "skills of a folder that is away are removed",
    "src/layers/Holdfast.ts",
    `unreadable === "any" ? skills.keys()`,
    `unreadable === "any" ? unapproved`,
    "test/failures/bad-input-runtime.test.ts"
  ),
  one("the sticky bit says nothing", "src/layers/Skills.ts", "(mode & 0o1002) === 0o002", "(mode & 0o002) !== 0", files)
]
