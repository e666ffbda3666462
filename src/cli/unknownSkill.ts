/** A skill that the journal does not know. */
import { nearest, Refused, shown } from "../domain/Errors.ts"

export const unknownSkill = (skill: string, known: Iterable<string>): Refused => {
  const near = nearest(skill, known)
  return new Refused({
    code: "SKILL_UNKNOWN",
    where: "skill",
    got: shown(skill),
    want: "a skill that the journal knows",
    fix: near === undefined ? "holdfast status lists them" : `did you mean ${near}?`
  })
}
