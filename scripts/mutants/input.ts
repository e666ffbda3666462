/** Broken promises of what is refused. */
import { type Mutant, one } from "./mutant.ts"

const folder = "src/layers/skillFolder.ts"
const files = "test/failures/bad-input-files.test.ts"

export const inputMutants: ReadonlyArray<Mutant> = [
  one("a file of somebody else is run", folder, "owner !== undefined && owner !== 0 && owner !== us", "false as boolean", files),
  one("a file is read through a link", folder, `noFollow: true`, `noFollow: false`, files)
]
