/** How to call this command again from where it was called, for lines that a person can copy. */
import { relative, sep } from "node:path"

/** `holdfast`, `npx holdfast`, or from a checkout `npm run -s holdfast --` where npm started this, else the whole of it. */
export const invocation = (): string => {
  const script = process.argv[1] ?? ""
  if (script.endsWith(".ts") && process.env["npm_lifecycle_event"] !== undefined) return "npm run -s holdfast --" // Finds our own Node.
  if (script.endsWith(".ts")) return `node --conditions=holdfast-source ${relative(process.cwd(), script)}`
  return script.includes(`${sep}_npx${sep}`) || process.env["npm_command"] === "exec" ? "npx holdfast" : "holdfast"
}
