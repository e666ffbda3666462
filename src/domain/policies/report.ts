/** Whether the session is to be told of a settled run. */
import type { Outcome } from "../Outcome.ts"
import type { ReportWhen } from "../Skill.ts"

/** `previousOutcome` is that of the skill's settled run before this one; nothing when this is its first. */
export const decideReport = (
  when: ReportWhen,
  { outcome, previousOutcome }: { readonly outcome: Outcome; readonly previousOutcome: Outcome | undefined }
): boolean => {
  switch (when) {
    case "always":
      return true
    case "never":
      return false
    case "failure":
      return outcome !== "success"
    case "change": // A failure is told each time: a reader who saw none after the first would take the skill for well again.
      return outcome !== "success" || previousOutcome !== "success"
  }
}
