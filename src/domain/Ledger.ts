/**
 * What the journal adds up to: one fold from events to state.
 *
 * `apply` is the only way this state changes, at work and in recovery alike, and it looks at nothing but the event: the
 * same journal always gives the same ledger. Maps are used throughout, since names come from outside.
 */
import type { Approval } from "./Approval.ts"
import type { JournalEvent, EventOf } from "./JournalEvent.ts"
import type { Outcome, Phase } from "./Outcome.ts"
import { sameDay } from "./policies/budget.ts"
import { stableAfterMs } from "./policies/intensity.ts"
import type { RunId } from "./Run.ts"
import { type After, follows, type Schedule, slotAfter } from "./Schedule.ts"
import { promptsMax } from "./Skill.ts"

/** What is known of one skill. */
export interface SkillRecord {
  readonly name: string
  digest: string
  schedule: Schedule | undefined
  /** No slot before this instant is owed. */
  owedFromMs: number
  /** Every owed slot up to and including this instant has its record. */
  settledThroughMs: number
  removed: boolean
  paused: { readonly by: string; readonly why: string } | undefined
  /** Why it is put aside. */
  quarantined: string | undefined
  /** When a skill that is put aside may show that it works again, and how many such tries have failed. */
  probe: { readonly atMs: number; readonly failed: number } | undefined
  /** When its latest runs failed since a person last said that it may work: oldest first, at most `failuresRemembered`. */
  failedAtMs: ReadonlyArray<number>
  /** Slots that runs of another skill have made and that have no record yet, ascending. */
  owedAtMs: ReadonlyArray<number>
  /** Deaths of the runtime, one after the other, with a run of this skill alone under way. */
  deaths: number
  /** The last settled run, the last success, and how many failures came since. */
  last: RunRecord | undefined
  lastSuccessAtMs: number | undefined
  failures: number
  /** When its prompts of the last day began, seen from the latest one; the newest `promptsMax`. They stay when the skill is removed. */
  promptsAtMs: ReadonlyArray<number>
}

/** What is known of one run. */
export interface RunRecord {
  readonly run: RunId
  readonly skill: string
  readonly slotAtMs: number
  readonly fence: number
  readonly digest: string
  /** How many missed slots this run makes good, itself not counted. */
  readonly missed: number
  readonly claimedAtMs: number
  /** Who asked for it, where it makes good a slot of the past. */
  readonly by: string | undefined
  phase: Phase
  /** Attempts started, failed ones among them. The rest were interrupted by deaths of the runtime, but for the present one. */
  attempts: number
  failedAttempts: number
  retryAtMs: number | undefined
  /** Why it is parked. It stays after a release: what was accepted then is not asked again. */
  parked: string | undefined
  /** The process of the latest attempt, to be found again after a crash. */
  process: EventOf<"attempt.spawned"> | undefined
  startedAtMs: number | undefined
  readonly steps: Map<string, { readonly result: unknown } | "started">
  settled: (EventOf<"run.settled"> & { readonly outcome: Outcome }) | undefined
}

/** A report on its way to the session. Entries are delivered in the order in which their runs settled. */
export interface Entry {
  /** Or the identity of a digest. */
  readonly run: RunId
  readonly session: string
  readonly text: string
  /** When its run settled, or the digest was made. */
  readonly settledAtMs: number
  /** Not of entries of older versions, nor of digests. */
  readonly outcome?: Outcome
  /** The way it is sent, where it is not `inject`. */
  readonly via?: "wake" | "hooks"
  /** Unsent by then it is parked. */
  readonly expiresAtMs?: number
  /** A later report of the skill stands in for it while both wait. */
  readonly collapse?: true
  /** Of a digest: the runs whose reports it is in place of. */
  readonly runs?: ReadonlyArray<RunId>
  /** Where and when the first frame left; from then on the entry may already stand in the transcript. */
  sent: { readonly atMs: number; readonly gatewayBootId: string } | undefined
}

/** An entry that waits for a person: sent again, or dropped. Of those that older versions parked only the reason may be known. */
export interface Parked {
  readonly reason: string
  readonly atMs?: number
  readonly entry?: Entry
}

/** Failures of a skill that are remembered by their instants: as many as a restart intensity may permit. */
export const failuresRemembered = 100

/** Starts in a row that are remembered: more of them say nothing new. */
const startsRemembered = 100

/** Settled runs remembered for `runs` and for a skill's status; older ones are in the journal. */
export const runsRemembered = 1_000

export class Ledger {
  epoch = 0
  /** Whether the latest runtime said goodbye. */
  stopped = true
  fence = 0
  mode = "stopped"
  /** The latest starts, oldest first, none of which was followed by a minute of work, but perhaps the last one. */
  startsAtMs: ReadonlyArray<number> = []
  /** The machine's boot in which the latest runtime started. */
  bootId: string | undefined
  readonly skills = new Map<string, SkillRecord>()
  /** Unsettled runs in the order of their claims, and the latest settled ones in the order in which they settled. */
  readonly runs = new Map<RunId, RunRecord>()
  /** The outbox: settled, to be reported, not acknowledged. */
  readonly outbox = new Map<RunId, Entry>()
  readonly parked = new Map<RunId, Parked>()
  /** The latest approval of each skill, also of skills that are not adopted. */
  readonly approvals = new Map<string, Approval>()
  readonly slots = { run: 0, coalesced: 0, skipped: 0, missed: 0, superseded: 0 }
  acknowledged = 0
  /** Runs that ever settled. */
  settled = 0

  #followers: Map<string, ReadonlyArray<readonly [string, After]>> | undefined

  /** Takes one event in. Events that name unknown runs change nothing: what they spoke of is past the retention. */
  apply(event: JournalEvent): void {
    if (this.startsAtMs.length > 1 && event.atMs - this.startsAtMs.at(-1)! >= stableAfterMs && event.type !== "runtime.started")
      this.startsAtMs = this.startsAtMs.slice(-1)
    switch (event.type) {
      case "runtime.started":
        if (!this.stopped && event.bootId === this.bootId) this.#died()
        this.epoch = event.epoch
        this.bootId = event.bootId
        this.startsAtMs = [...this.startsAtMs, event.atMs].slice(-startsRemembered)
        this.stopped = false
        return
      case "runtime.stopped":
        this.stopped = true
        this.mode = "stopped"
        return
      case "skill.adopted":
        return this.#adopt(event)
      case "skill.removed":
        return this.#onSkill(event.skill, (skill) => {
          skill.removed = true
        })
      case "skill.paused":
        return this.#onSkill(event.skill, (skill) => {
          skill.paused = { by: event.by, why: event.why }
        })
      case "skill.resumed":
        return this.#onSkill(event.skill, (skill) => {
          skill.paused = undefined
          skill.failedAtMs = []
        })
      case "skill.quarantined":
        return this.#onSkill(event.skill, (skill) => {
          skill.quarantined = event.why
          skill.probe = event.probeAtMs === undefined ? undefined : { atMs: event.probeAtMs, failed: event.probes ?? 0 }
        })
      case "skill.released":
        return this.#onSkill(event.skill, (skill) => {
          skill.quarantined = undefined
          skill.probe = undefined
          skill.failedAtMs = []
          skill.deaths = 0
        })
      case "skill.approved":
        this.approvals.set(event.skill, { digest: event.digest, by: event.by, atMs: event.atMs })
        return
      case "slot.settled":
        this.slots[event.verdict] += event.count
        return this.#onSkill(event.skill, (skill) => {
          settleThrough(skill, event.through)
        })
      case "run.claimed":
        return this.#claim(event)
      case "attempt.started":
        return this.#onRun(event.run, (run) => {
          run.phase = "executing"
          run.attempts = event.attempt
          run.retryAtMs = undefined
          run.process = undefined
          run.startedAtMs ??= event.atMs
        })
      case "attempt.spawned":
        return this.#onRun(event.run, (run) => {
          run.process = event
        })
      case "prompt.started":
        return this.#onSkill(event.skill, (skill) => {
          const { atMs } = event
          skill.promptsAtMs = [...skill.promptsAtMs.filter((other) => sameDay(other, atMs)), atMs].slice(-promptsMax)
        })
      case "step.started":
        return this.#onRun(event.run, (run) => {
          run.steps.set(event.step, "started")
        })
      case "step.finished":
        return this.#onRun(event.run, (run) => {
          run.steps.set(event.step, { result: event.result })
        })
      case "attempt.failed":
        return this.#onRun(event.run, (run) => {
          run.phase = "retryable"
          run.failedAttempts += 1
          run.retryAtMs = event.retryAtMs ?? undefined
          run.process = undefined
        })
      case "run.parked":
        return this.#onRun(event.run, (run) => {
          run.phase = "parked"
          run.parked = event.reason
          run.failedAttempts += 1
          run.process = undefined
        })
      case "run.released":
        return this.#onRun(event.run, (run) => {
          run.phase = "retryable"
          run.retryAtMs = event.atMs
        })
      case "run.settled":
        return this.#settle(event)
      case "entry.sent":
        return this.#onEntry(event.run, (entry) => {
          entry.sent = { atMs: event.atMs, gatewayBootId: event.gatewayBootId }
        })
      case "entry.acknowledged":
        if (this.outbox.delete(event.run)) this.acknowledged += 1
        return
      case "entry.parked":
        return this.#onEntry(event.run, (entry) => {
          this.outbox.delete(event.run)
          this.parked.set(event.run, { reason: event.reason, atMs: event.atMs, entry })
        })
      case "entry.collapsed":
        this.outbox.delete(event.run)
        return
      case "entries.digested":
        return this.#digest(event)
      case "entry.redriven":
        return this.#redrive(event.run)
      case "entry.dropped":
        this.parked.delete(event.run)
        return
      case "mode.changed":
        this.mode = event.to
        return
      case "attempt.adopted": // It is the same attempt, and stays what it was.
      case "runtime.stalled":
      case "clock.jumped":
        return
    }
  }

  /** What can be sent again of a parked entry; of those that older versions parked, while the run is remembered. */
  parkedEntry(run: RunId): Entry | undefined {
    const parked = this.parked.get(run)
    const settled = this.runs.get(run)?.settled
    if (parked === undefined || parked.entry !== undefined) return parked?.entry
    // Whether it had been sent is not known: it is looked up as if it had.
    return settled?.report ? { ...entryOf(settled, settled.report), sent: { atMs: settled.atMs, gatewayBootId: "" } } : undefined
  }

  /** Runs that have no outcome yet, in the order of their claims. */
  unsettled(skill?: string): Array<RunRecord> {
    return [...this.runs.values()].filter((run) => run.phase !== "settled" && (skill === undefined || run.skill === skill))
  }

  #adopt(event: EventOf<"skill.adopted">): void {
    this.#followers = undefined
    const known = this.skills.get(event.skill)
    this.skills.set(event.skill, {
      name: event.skill,
      paused: undefined,
      quarantined: undefined,
      probe: undefined,
      failedAtMs: [],
      deaths: 0,
      last: undefined,
      lastSuccessAtMs: undefined,
      failures: 0,
      promptsAtMs: [],
      ...known,
      removed: false,
      owedAtMs: (known?.owedAtMs ?? []).filter((atMs) => atMs > event.from),
      digest: event.digest,
      schedule: event.schedule ?? undefined,
      owedFromMs: event.from,
      settledThroughMs: Math.max(event.from, known?.settledThroughMs ?? 0)
    })
  }

  #claim(event: EventOf<"run.claimed">): void {
    const { run, skill, slot: slotAtMs, fence, digest, missed, by, atMs: claimedAtMs } = event
    this.fence = Math.max(this.fence, fence)
    if (this.runs.has(run)) return
    this.runs.set(run, {
      run,
      skill,
      slotAtMs,
      fence,
      digest,
      missed,
      claimedAtMs,
      by,
      phase: "claimed",
      attempts: 0,
      failedAttempts: 0,
      retryAtMs: undefined,
      parked: undefined,
      process: undefined,
      startedAtMs: undefined,
      steps: new Map(),
      settled: undefined
    })
    if (run.includes("+manual-")) return // Not a slot of the schedule: nothing owed is settled by it.
    if (by !== undefined) return // Its slot has its verdict already, or was owed by nobody.
    this.slots.run += 1
    this.#onSkill(skill, (record) => {
      settleThrough(record, slotAtMs)
    })
  }

  #settle(event: EventOf<"run.settled">): void {
    const run = this.runs.get(event.run)
    if (run === undefined || run.phase === "settled") return
    run.phase = "settled"
    run.settled = event
    run.process = undefined
    run.steps.clear()
    if (event.report !== null) {
      this.outbox.set(event.run, entryOf(event, event.report))
    }
    this.#onSkill(run.skill, (skill) => {
      skill.last = run
      skill.failures = event.outcome === "success" ? 0 : skill.failures + 1
      skill.deaths = 0
      if (event.outcome === "success") skill.lastSuccessAtMs = event.atMs
      if (event.outcome === "failed" && event.failure?.class !== "link")
        skill.failedAtMs = [...skill.failedAtMs, event.atMs].slice(-failuresRemembered)
    })
    for (const [name, after] of this.#followersOf(run.skill)) this.#onSkill(name, (skill) => owe(skill, after, event))
    this.runs.delete(event.run) // To the end: settled runs stand in the order of their ends.
    this.runs.set(event.run, run)
    this.settled += 1
    if (this.settled % runsRemembered === 0) this.#forget()
  }

  #digest({ digest, session, text, runs, via, atMs }: EventOf<"entries.digested">): void {
    for (const run of runs) this.outbox.delete(run)
    this.outbox.set(digest, { run: digest, session, text, settledAtMs: atMs, ...(via && { via }), runs, sent: undefined })
  }

  /** To the end of the queue, and no longer bound to what it was: somebody wants it sent. Whether it was sent once stays known. */
  #redrive(run: RunId): void {
    const entry = this.parkedEntry(run)
    if (entry === undefined) return
    const { expiresAtMs: _, collapse: __, ...rest } = entry
    this.parked.delete(run)
    this.outbox.set(run, rest)
  }

  /** The runtime before this one died, and not the machine under it: a skill that was alone at work may be why. */
  #died(): void {
    const atWork = new Set<string>()
    for (const { phase, skill } of this.runs.values()) if (phase === "executing") atWork.add(skill)
    for (const skill of this.skills.values()) {
      if (!atWork.has(skill.name)) continue
      skill.deaths = atWork.size === 1 ? skill.deaths + 1 : 0
    }
  }

  /** The skills that are due when runs of this one end. */
  #followersOf(skill: string): ReadonlyArray<readonly [string, After]> {
    this.#followers ??= Map.groupBy(
      [...this.skills.values()].flatMap(({ name, schedule }) => (schedule?._tag === "After" ? [[name, schedule] as const] : [])),
      ([, schedule]) => schedule.skill
    )
    return this.#followers.get(skill) ?? []
  }

  /** Leaves the latest settled runs and all others. */
  #forget(): void {
    const settled = [...this.runs.values()].filter((run) => run.phase === "settled")
    for (const { run } of settled.slice(0, -runsRemembered)) this.runs.delete(run)
  }

  #onSkill(name: string, change: (skill: SkillRecord) => void): void {
    const skill = this.skills.get(name)
    if (skill !== undefined) change(skill)
  }

  #onRun(id: RunId, change: (run: RunRecord) => void): void {
    const run = this.runs.get(id)
    if (run !== undefined && run.phase !== "settled") change(run)
  }

  #onEntry(id: RunId, change: (entry: Entry) => void): void {
    const entry = this.outbox.get(id)
    if (entry !== undefined) change(entry)
  }
}

/** The schedule of a skill, with the slots that only the journal knows. */
export const withHistory = (schedule: Schedule, { owedAtMs }: Pick<SkillRecord, "owedAtMs">): Schedule =>
  schedule._tag === "After" ? { ...schedule, knownMs: owedAtMs } : schedule

const entryOf = ({ run, outcome, atMs }: EventOf<"run.settled">, report: NonNullable<EventOf<"run.settled">["report"]>): Entry => ({
  run,
  ...report,
  settledAtMs: atMs,
  outcome,
  sent: undefined
})

const settleThrough = (skill: SkillRecord, throughMs: number): void => {
  skill.settledThroughMs = Math.max(skill.settledThroughMs, throughMs)
  if (skill.owedAtMs.length > 0) skill.owedAtMs = skill.owedAtMs.filter((atMs) => atMs > throughMs)
}

/** One more slot of a skill that follows the one whose run was settled. */
const owe = (skill: SkillRecord, schedule: After, { outcome, atMs }: EventOf<"run.settled">): void => {
  if (skill.removed || !follows(schedule, outcome)) return
  skill.owedAtMs = [...skill.owedAtMs, slotAfter(skill.owedAtMs.at(-1) ?? skill.settledThroughMs, atMs)]
}

/** The fold: what a whole journal adds up to. */
export const fold = (events: Iterable<JournalEvent>): Ledger => {
  const ledger = new Ledger()
  for (const event of events) ledger.apply(event)
  return ledger
}
