/** The environment of a skill's process: a short list, what the skill declares, and what it is told of its run. Nothing else. */
import type { AttemptFacts } from "./Attempt.ts"
import { iso } from "./Run.ts"

/** A complete environment. */
export type Environment = Readonly<Record<string, string>>

/** Handed on from our own environment to every skill, where set. */
export const handedOn = ["PATH", "HOME", "LANG", "LC_ALL", "TZ"] as const

/**
 * Whether a skill may declare this name. Refused are names that change what code a program loads or whom it trusts
 * (`NODE_OPTIONS`, `LD_*`, `DYLD_*`, `NODE_EXTRA_CA_CERTS`, `GIT_*`) and the gateway's token.
 */
export const mayDeclare = (name: string): boolean => /^[A-Za-z_][A-Za-z0-9_]*$/.test(name) && !refused.test(name)

/**
 * What the process of an attempt is given, the command `holdfast` first on its PATH. `ours` is our own environment; names in
 * `declared` that are refused or unset are left out. At `timeoutAtMs` the attempt is stopped.
 */
export const environmentOf = (
  ours: Readonly<Record<string, string | undefined>>,
  declared: ReadonlyArray<string>,
  facts: AttemptFacts,
  timeoutAtMs: number
): Environment => ({
  ...chosen(ours, handedOn),
  ...chosen(ours, declared.filter(mayDeclare)),
  ...told(facts, timeoutAtMs), // Last: no declared name can stand in for these.
  PATH: `${facts.bin}:${ours["PATH"] ?? "/usr/local/bin:/usr/bin:/bin"}`
})

const chosen = (ours: Readonly<Record<string, string | undefined>>, names: ReadonlyArray<string>): Environment =>
  Object.fromEntries(
    names.flatMap((name) => {
      const value = ours[name]
      return value === undefined ? [] : [[name, value]]
    })
  )

const told = (facts: AttemptFacts, timeoutAtMs: number): Environment => ({
  TMPDIR: `${facts.directory}/tmp`,
  HOLDFAST_RUN_ID: facts.run,
  HOLDFAST_SKILL: facts.skill,
  HOLDFAST_SLOT: iso(facts.slotAtMs),
  HOLDFAST_ATTEMPT: String(facts.attempt),
  HOLDFAST_TIMEOUT_AT: new Date(timeoutAtMs).toISOString(),
  HOLDFAST_MISSED: String(facts.missed),
  HOLDFAST_IDEMPOTENCY_KEY: facts.run,
  HOLDFAST_FENCE: String(facts.fence),
  HOLDFAST_RESULT: `${facts.directory}/result.json`,
  HOLDFAST_HISTORY: facts.historyFile,
  HOLDFAST_RUN_DIRECTORY: facts.directory
})

const refused = /^(?:NODE_OPTIONS|NODE_EXTRA_CA_CERTS|LD_.*|DYLD_.*|GIT_.*|HOLDFAST_(?:GATEWAY|HOOK)_TOKEN)$/i
