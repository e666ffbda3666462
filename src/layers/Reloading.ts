/**
 * Another set of skills while the runtime works: what each of them does until all is on record, in one batch, and after it.
 *
 * A skill that is changed decides over no slot meanwhile, and its runs go on. One that is gone has its runs cancelled first,
 * so that nothing of it is alive when its record says that it is removed.
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import type { SnapshotFrom } from "xstate"
import type { StorageFailed } from "../domain/Errors.ts"
import type { skillMachine } from "../machines/skill.ts"
import { adoptions } from "./Adoption.ts"
import type { Askable } from "./ByHand.ts"
import type { SkillEntry } from "./SkillFunction.ts"
import { asideOf } from "./Standing.ts"
import { StateStore } from "./StateStore.ts"

/** The skills of now; a known one that is unreadable stays as it is. */
export interface NextSkills {
  readonly entries: ReadonlyArray<SkillEntry>
  readonly unreadable: ReadonlySet<string>
}

/** Names of skills, by what became of them. */
export interface Reloaded {
  readonly added: ReadonlyArray<string>
  readonly changed: ReadonlyArray<string>
  readonly removed: ReadonlyArray<string>
}

/** A skill that can be exchanged. */
export interface Changeable extends Askable {
  /** Its next slot, attempt and wish are of this entry. Also tells its actor that the change is over. */
  readonly become: (entry: SkillEntry) => void
  /** Stops its actor, which is no crash. */
  readonly end: Effect.Effect<void>
}

export interface Household {
  readonly known: Map<string, SkillEntry>
  readonly children: ReadonlyMap<string, Changeable>
  /** Gives a known skill its actor. */
  readonly start: (skill: string) => Effect.Effect<void>
  /** Hears that `known` has another content. */
  readonly replaced: () => void
}

/** One call at a time, while no skill is being started. */
export const reloadSkills = Effect.fnUntraced(function* (
  { entries, unreadable }: NextSkills,
  { known, children, start, replaced }: Household
): Effect.fn.Return<Reloaded, StorageFailed, StateStore> {
  const store = yield* StateStore
  const stay = [...known].filter(([name]) => unreadable.has(name))
  const next = new Map([...stay, ...entries.map((entry) => [entry.definition.name, entry] as const)])
  const added = [...next.keys()].filter((name) => !known.has(name))
  const changed = [...next].flatMap(([name, entry]) => (same(entry, known.get(name) ?? entry) ? [] : [name]))
  const removed = [...known.keys()].filter((name) => !next.has(name))
  const childrenOf = (names: ReadonlyArray<string>) => names.flatMap((name) => children.get(name) ?? [])
  const [changing, leaving] = [childrenOf(changed), childrenOf(removed)]

  const record = Effect.gen(function* () {
    yield* Effect.forEach(leaving, (child) => Effect.andThen(hold(child), cancelRuns(child)), { concurrency: "unbounded", discard: true })
    yield* Effect.forEach(changing, hold, { concurrency: "unbounded", discard: true })
    const skills = [...next.values()].map(({ definition }) => definition)
    const events = adoptions(store.ledger, { skills, unreadable }, yield* Clock.currentTimeMillis)
    if (events.length > 0) yield* store.append(...events)
  })
  const replace = Effect.gen(function* () {
    known.clear()
    for (const [name, entry] of next) known.set(name, entry)
    replaced()
    const nowMs = yield* Clock.currentTimeMillis
    for (const child of changing) {
      child.become(next.get(child.definition.name)!)
      const aside = asideOf(store.ledger.skills.get(child.definition.name), nowMs)
      if (aside !== undefined) child.actor.send({ type: "skill.quarantined", ...aside })
    }
    yield* Effect.forEach(leaving, ({ end }) => end, { concurrency: "unbounded", discard: true })
    yield* Effect.forEach(added, start, { discard: true })
  })
  const asBefore = Effect.sync(() => {
    for (const child of [...leaving, ...changing]) child.become(known.get(child.definition.name)!)
  })
  const all = Effect.andThen(
    Effect.onError(record, () => asBefore),
    replace
  )
  // A wish would be put on record for a skill that is about to be another one, or none.
  yield* [...leaving, ...changing].reduce((work, { wishes }) => wishes.withPermit(work), all)
  return { added, changed, removed }
})

/** The definition says all of a file; of a function it cannot. */
const same = (a: SkillEntry, b: SkillEntry): boolean => a.work === b.work && JSON.stringify(a.definition) === JSON.stringify(b.definition)

/** Returns once the skill is between two decisions, and keeps it there. */
const hold = Effect.fnUntraced(function* ({ actor }: Askable) {
  while (actor.getSnapshot().status === "active" && actor.getSnapshot().value.slots !== "changing") {
    yield* until(actor, ({ value }) => value.slots !== "deciding")
    if (actor.getSnapshot().status === "active") actor.send({ type: "skill.changing" })
  }
})

/** Returns once no run of the skill is claimed or under way. */
const cancelRuns = Effect.fnUntraced(function* ({ actor }: Askable) {
  const unsettled = () => (actor.getSnapshot().status === "active" ? actor.getSnapshot().context.runs : [])
  while (unsettled().length > 0) {
    for (const { run } of unsettled()) actor.send({ type: "run.cancel", run, by: "the removal of its skill" })
    // Again and again: a run whose failed attempt is just being put on record does not hear it.
    yield* Effect.timeoutOption(
      until(actor, ({ context }) => context.runs.length === 0),
      askAgainMs
    )
  }
})
const askAgainMs = 1_000

/** Returns once this holds, or the actor has ended. */
const until = (actor: Askable["actor"], holds: (snapshot: SnapshotFrom<typeof skillMachine>) => boolean): Effect.Effect<void> =>
  Effect.callback((resume) => {
    const look = () => {
      const snapshot = actor.getSnapshot()
      if (snapshot.status !== "active" || holds(snapshot)) resume(Effect.void)
    }
    const watching = actor.subscribe({ next: look, error: look, complete: look })
    look()
    return Effect.sync(() => watching.unsubscribe())
  })
