/**
 * Days of a real runtime in virtual time: it lives through a history, is given two days in which nothing fails any more, and
 * has then to have every slot that was owed on record once, and every run at its end.
 */
import { Clock, Effect, Exit, References, Scope } from "effect"
import { createHash } from "node:crypto"
import type { JournalEvent } from "../../src/domain/JournalEvent.ts"
import type { SkillGiven } from "../../src/layers/Holdfast.ts"
import { effectWork } from "../../src/layers/SkillFunction.ts"
import { PicturePace } from "../../src/layers/StatusPicture.ts"
import { checkRuns, unfinishedRuns } from "../../src/testing/checkers/runs.ts"
import { checkSlots } from "../../src/testing/checkers/slots.ts"
import type { Violation } from "../../src/testing/checkers/Violation.ts"
import { afterCrash, makeWorld, type World } from "../../src/testing/World.ts"
import { onClockThatIsSet } from "../virtualTime.ts"
import { dayMs, type Deed, type History, type Plan } from "./dayHistories.ts"

/** What was lived through: counts by name. */
export type Told = Record<string, number>

export interface Lived {
  readonly violations: ReadonlyArray<Violation | string>
  readonly told: Told
}

/** After the last fault. Late hours, delays and quarantines end within one day, so what a slot waits for does in two. */
const quietMs = 2 * dayMs

export const lived = (history: History): Promise<Lived> =>
  onClockThatIsSet((set) => {
    const told: Told = { days: history.days.length, restarts: 0, jumps: 0 }
    const plans = new Map<number, Plan>(history.skills.entries())
    let quiet = false
    /** A picture at each change would cost more than everything else. */
    const start = (disk?: World["disk"]) =>
      makeWorld({
        skills: [...plans].map(([number, plan]) => skillOf(number, plan, () => quiet)),
        ...(disk === undefined ? {} : { disk })
      }).pipe(Effect.provideService(PicturePace, { everyMs: dayMs, atLeastEveryMs: dayMs }))

    return Effect.gen(function* () {
      let scope = yield* Scope.make()
      let world = yield* Scope.provide(start(), scope)
      let latestMs = history.fromMs
      const look = Effect.map(Clock.currentTimeMillis, (nowMs) => (latestMs = Math.max(latestMs, nowMs)))
      const jump = Effect.fnUntraced(function* (byMs: number) {
        yield* look
        const nowMs = yield* Clock.currentTimeMillis
        if (byMs === 0) return
        set(Math.max(byMs, youngestMs - nowMs))
        told["jumps"]! += 1
      })

      const restart = Effect.fnUntraced(function* ({ how, forMs, edits, jumpMs }: Extract<Deed, { readonly _tag: "Away" }>) {
        if (how === "drain") {
          const draining = yield* Effect.forkChild(world.runtime.drain)
          yield* world.pass(drainMs)
          draining.interruptUnsafe()
        }
        const disk = how === "crash" ? afterCrash(world) : world.disk
        const { pass } = world
        yield* Scope.close(scope, Exit.void)
        yield* pass(forMs)
        yield* jump(jumpMs)
        for (const { skill, plan } of edits) {
          if (plan === undefined) plans.delete(skill)
          else plans.set(skill, plan)
        }
        scope = yield* Scope.make()
        world = yield* Scope.provide(start(disk), scope)
        told["restarts"]! += 1
      })

      for (const day of history.days) {
        let leftMs = dayMs
        for (const { afterMs, deed } of day) {
          yield* world.pass(afterMs)
          leftMs -= afterMs
          if (deed._tag === "Away") yield* restart(deed)
          else if (deed._tag === "Jump") yield* jump(deed.byMs)
          else yield* Effect.ignore(wish(world, deed))
        }
        yield* world.pass(Math.max(0, leftMs))
      }

      quiet = true
      yield* look
      for (const skill of plans.keys())
        for (const _tag of ["Resume", "Release"] as const) yield* Effect.ignore(wish(world, { _tag, skill }))
      const endMs = latestMs
      yield* world.pass(endMs - (yield* Clock.currentTimeMillis) + quietMs)
      const events = world.events()
      yield* Scope.close(scope, Exit.void)
      count(events, told)
      return {
        told,
        violations: [
          ...checkSlots(events, endMs),
          ...checkRuns(events),
          ...unfinishedRuns(events, endMs).map((run) => `${run} has no outcome`)
        ]
      }
    }).pipe(Effect.provideService(References.MinimumLogLevel, "None"))
  }, history.fromMs)

const drainMs = 31_000
/** A clock that shows an earlier time counts as one that is not set. */
const youngestMs = Date.UTC(2026, 0, 2)

const wish = ({ supervisor }: World, { _tag, skill: number }: Extract<Deed, { readonly skill: number }>) => {
  const skill = nameOf(number)
  const by = { by: "operator", why: "" }
  switch (_tag) {
    case "Pause":
      return supervisor.pause(skill, by)
    case "Resume":
      return supervisor.resume(skill, by)
    case "Release":
      return supervisor.release(skill, by.by)
    case "Trigger":
      return supervisor.trigger(skill)
  }
}

const nameOf = (number: number): string => `skill-${number}`

/** What an attempt does follows from its name, so that a history takes the same course each time. */
const skillOf = (number: number, { settings, work }: Plan, quiet: () => boolean): SkillGiven => ({
  name: nameOf(number),
  description: "",
  settings,
  work: effectWork(({ run, attempt }) =>
    Effect.suspend(() => {
      if (quiet()) return Effect.void
      const dice = createHash("md5").update(`${run} ${attempt}`).digest()
      const [end, length] = [dice.readUInt32LE(0) / 2 ** 32, dice.readUInt32LE(4) / 2 ** 32]
      if (end < work.hangs) return Effect.never
      const worked = Effect.sleep(length * work.takesMs)
      return end < work.hangs + work.fails ? Effect.andThen(worked, Effect.fail(new Error("no"))) : worked
    })
  )
})

const count = (events: ReadonlyArray<JournalEvent>, told: Told): void => {
  const add = (name: string, n = 1) => (told[name] = (told[name] ?? 0) + n)
  for (const event of events) {
    if (event.type === "run.claimed") add(event.run.includes("+manual-") ? "byHand" : "slots run")
    if (event.type === "slot.settled") add(`slots ${event.verdict}`, event.count)
    if (event.type === "run.settled") add(`runs ${event.outcome}`)
    if (event.type === "skill.quarantined") add("quarantines")
    if (event.type === "skill.paused") add("pauses")
  }
}
