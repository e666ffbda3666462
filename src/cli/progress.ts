/** What is said while something takes longer than a second: a line to stderr for each further second, for people only. */
import type { Out } from "./output.ts"

export const progress = (out: Out, did: string): ((bytes: number) => void) => {
  let total = 0
  let saidAt = performance.now()
  return (bytes) => {
    total += bytes
    if (out.json || performance.now() - saidAt < 1_000) return
    saidAt = performance.now()
    out.note(`${did} ${Math.round(total / 1_048_576)} MiB`)
  }
}
