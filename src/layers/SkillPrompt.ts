/** Skills that are prompts: the text of a SKILL.md, handed to the agent's command in a file or on its stdin. */
import * as Effect from "effect/Effect"
import * as fs from "node:fs"
import { filled, namesFile } from "../domain/Agent.ts"
import type { AttemptEnd, AttemptFacts, ProcessIdentity } from "../domain/Attempt.ts"
import type { SkillDefinition } from "../domain/Skill.ts"
import type { Process } from "./Process.ts"
import { failureOf, runProgram } from "./SkillProcess.ts"
import { spawnFailed } from "./spawn.ts"
import type { Steps } from "./Steps.ts"

/**
 * Hands the text of a `prompt` skill over once. `begin` says whether it may, as late as it can; what it gives instead is the
 * attempt's end. Fails only with what `begin` and `onSpawned` fail with.
 */
export const performPrompt = Effect.fn("SkillPrompt.perform")(function* <E, R>(
  definition: SkillDefinition,
  facts: AttemptFacts,
  { asked }: Pick<Steps, "asked">,
  begin: Effect.Effect<AttemptEnd | undefined, E, R>,
  onSpawned: (identity: ProcessIdentity) => Effect.Effect<void, E, R>
): Effect.fn.Return<AttemptEnd, E, R | Process> {
  const { work } = definition
  if (work._tag !== "Prompt") return yield* Effect.die(new Error(`${definition.name} is not a prompt`))
  const { command, folder, text } = work
  const promptFile = `${facts.directory}/prompt.md`
  const argv = filled(command, { promptFile, run: facts.run, skill: facts.skill })
  const refused = yield* Effect.match(writeAnew(promptFile, text), {
    onSuccess: () => undefined,
    onFailure: (cause) => spawnFailed({ argv, cwd: folder }, cause, facts.directory)
  })
  if (refused !== undefined) return yield* failureOf(refused, definition, facts)
  const stdin = namesFile(command) ? {} : { stdin: promptFile }
  return (yield* begin) ?? (yield* runProgram(definition, facts, { argv, folder, asked, onSpawned, ...stdin }))
})

/** For its owner alone, and never through a link that an earlier attempt left. */
const writeAnew = (path: string, text: string): Effect.Effect<void, NodeJS.ErrnoException> =>
  Effect.try({
    try: () => {
      fs.rmSync(path, { force: true, recursive: true })
      fs.writeFileSync(path, text, { flag: "wx", mode: 0o600 })
    },
    catch: (cause) => cause as NodeJS.ErrnoException
  })
