/** Checkers: what must hold of any history, whatever failed in it, judged only from what can be seen from outside. */
export { type JournalText, readJournal } from "./journal.ts"
export { checkRuns, unfinishedRuns } from "./runs.ts"
export { checkSlots, owedSlots } from "./slots.ts"
export { checkSteps, readEffects, type SkillEffect } from "./steps.ts"
export { checkTranscript, type TranscriptRow } from "./transcript.ts"
export { type Rule, rules, type Violation } from "./Violation.ts"
