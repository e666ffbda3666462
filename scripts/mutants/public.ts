/** Failures that others have had in public, brought in here. */
import { type Mutant, one } from "./mutant.ts"

const schedules = "test/failures/public-failures.test.ts"
const processes = "test/failures/public-failures-processes.test.ts"
const adoption = "src/layers/Adoption.ts"
const children = "src/layers/Process.ts"

export const publicMutants: ReadonlyArray<Mutant> = [
  one(
    "slots are owed from a second ago, not from the last one that is settled",
    "src/layers/Skill.ts",
    "    settledThroughMs: record.settledThroughMs,",
    "    settledThroughMs: Math.max(record.settledThroughMs, nowMs - 1_000),",
    schedules
  ),
  one(
    "each start takes each schedule for a new one",
    adoption,
    "const sameSchedule = known !== undefined &&",
    "const sameSchedule = (false as boolean) && known !== undefined &&",
    schedules
  ),
  one(
    "an interrupted run is taken for a success",
    "src/machines/run.ts",
    `ended("interrupted", context`,
    `ended("success", context`,
    schedules
  ),
  one("a deleted skill is kept", adoption, "...gone.flatMap((skill) =>", "...[].flatMap((skill: SkillRecord) =>", schedules),
  one(
    "what a run leaves behind is left to itself",
    children,
    "stop(familyOf(child, directory), running",
    "stop(running ? familyOf(child, directory) : { groups: new Set<number>(), directories: new Set<string>() }, running",
    processes
  ),
  one(
    "what left its group is not looked for",
    children,
    "groups: new Set([pid]), directories: new Set([directory])",
    "groups: new Set([pid]), directories: new Set<string>()",
    processes
  ),
  one("the orphans on record are left to themselves", children, "groups.add(known.pid)", "groups.delete(known.pid)", processes),
  one("a line's end leaves its socket", "src/layers/Dial.ts", "    socket.terminate()\n", "", processes)
]
