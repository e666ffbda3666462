/** `holdfast why`: what became of a slot, read back in plain language. */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import { Refused, shown } from "../domain/Errors.ts"
import type { JournalEvent } from "../domain/JournalEvent.ts"
import { verdicts } from "../domain/Outcome.ts"
import { iso } from "../domain/Run.ts"
import { type NoStory, type SlotStory, slotStory } from "../domain/SlotStory.ts"
import { asideReason, pausedReason } from "../domain/Wish.ts"
import { Disk } from "../layers/Disk.ts"
import { eachEvent } from "../layers/Events.ts"
import { readState } from "../layers/StateStore.ts"
import { guarantees, type Mode } from "../machines/guarantees.ts"
import { defineCommand, exit, shared } from "./command.ts"
import { readMoment } from "./moment.ts"
import { existingState } from "./place.ts"
import { readable } from "./readable.ts"
import { scheduleText } from "./scheduleText.ts"
import { clock, length } from "./times.ts"
import { unknownSkill } from "./unknownSkill.ts"
import { UsageInvalid } from "./usage.ts"

export const command = defineCommand({
  about:
    "Says what became of a slot and why: whether it ran, was done by another one, skipped or missed, what its attempts came to, and who was told. " +
    "TIME is 06:00 (the latest one), '2026-11-22 06:00', 2026-11-22T06:00:00Z, or a run's id; the last slot at or before it is meant, and now where none is given. " +
    "Reads the journal: it works while the runtime is down.",
  words: { usage: "SKILL [TIME]", min: 1, max: 2 },
  flags: { state: shared.state, config: shared.config },
  examples: [
    ["holdfast why daily-memory", "what became of its latest slot"],
    ["holdfast why daily-memory 06:00", "of the one at six"],
    ["holdfast why daily-memory 2026-11-22T06:00:00Z --json", "the same for programs, with the events"]
  ],
  run: ({ flags, words: [skill = "", time], out }) =>
    Effect.gen(function* () {
      const nowMs = yield* Clock.currentTimeMillis
      const atMs = time === undefined ? nowMs : readMoment(time, nowMs)
      if (atMs === undefined) return yield* Effect.fail(noMoment(time!))
      const directory = yield* existingState(flags)
      const { ledger } = yield* readState(directory)
      const events: Array<JournalEvent> = []
      yield* readable(
        directory,
        eachEvent(directory, (event) => {
          if (told.has(event.type) || ("skill" in event && event.skill === skill)) events.push(event)
        })
      )
      const story = slotStory(events, { skill, atMs, nowMs, record: ledger.skills.get(skill) })
      if ("_tag" in story) return yield* Effect.fail(noStory(story, skill, ledger.skills.keys()))
      const ofRun: Array<JournalEvent> = []
      if (story.run !== undefined) {
        yield* readable(
          directory,
          eachEvent(directory, (event) => {
            if ("run" in event ? event.run === story.run : event.type === "entries.digested" && event.runs.includes(story.run!))
              ofRun.push(event)
          })
        )
      }
      if (out.json) {
        const { slotMs, nextMs, adoptedFromMs, startedAtMs, settled, claimed, backfilled, ...rest } = story
        const at = (ms: number | undefined) => (ms === undefined ? null : iso(ms))
        out.value({
          ...rest,
          slot: iso(slotMs),
          next: at(nextMs),
          adoptedFrom: iso(adoptedFromMs),
          startedAt: at(startedAtMs),
          record: settled ?? claimed ?? null,
          backfilled: backfilled ?? null,
          events: ofRun
        })
      } else for (const line of sentences(story, ofRun)) out.line(line)
      return exit.ok
    }).pipe(Effect.provide(Disk.layerNode))
})

const told: ReadonlySet<string> = new Set(["runtime.started", "runtime.stopped", "mode.changed"])

/** The story in words, the verdict first. */
const sentences = (story: SlotStory, events: ReadonlyArray<JournalEvent>): ReadonlyArray<string> => {
  const { skill, slotMs, schedule, verdict, settled, claimed, backfilled, adoptedFromMs, waiting, mode, startedAtMs, nextMs } = story
  const at = (ms: number) => clock(ms, slotMs)
  const lines = [`${skill}, slot ${clock(slotMs)} (${iso(slotMs)}), of ${scheduleText(schedule)}`]
  if (verdict !== undefined) lines.push(`  ${verdict}: ${verdicts[verdict]}`)
  if (settled !== undefined) {
    const many = settled.count === 1 ? "" : `, with ${settled.count - 1} more from ${at(settled.slot)} to ${at(settled.through)}`
    lines.push(`  ${shown(settled.reason)} (put on record ${at(settled.atMs)}${many})`)
  }
  if (claimed !== undefined && claimed.missed > 0) lines.push(`  it made good ${claimed.missed} missed before it`)
  if (backfilled !== undefined) {
    const { by = "", why = "", atMs } = backfilled
    if (slotMs <= adoptedFromMs) lines.push(`  nothing was owed then: its schedule was adopted ${at(adoptedFromMs)}`)
    lines.push(`  ${shown(by)} asked for a run of it ${at(atMs)}${why === "" ? "" : `: ${shown(why)}`}`)
  }
  if (startedAtMs !== undefined) lines.push(`  no runtime could see it at its instant: the start at ${at(startedAtMs)} decided`)
  else if (mode !== undefined)
    lines.push(`  the runtime was ${mode.mode} then: ${meaning(mode.mode)}${mode.reason === "" ? "" : ` (${shown(mode.reason)})`}`)
  if (waiting !== undefined) lines.push(`  ${waits(waiting, slotMs)}`)
  if (story.run !== undefined)
    lines.push(`  run ${story.run}`, ...events.flatMap((event) => sentence(event, slotMs, at)).map((line) => `    ${line}`))
  if (nextMs !== undefined) lines.push(`  the next slot is ${clock(nextMs)}`)
  return lines
}

const meaning = (mode: string): string => guarantees[mode as Mode]?.means ?? "unknown to this version"

const waits = (waiting: NonNullable<SlotStory["waiting"]>, slotMs: number): string => {
  switch (waiting._tag) {
    case "Due":
      return `is due at ${clock(slotMs)}`
    case "Paused":
      return `waits: ${pausedReason(waiting)}; it will be skipped`
    case "Quarantined":
      return `waits: the skill is put aside: ${asideReason(waiting.why, waiting.probeAtMs)}`
    case "Down":
      return "waits: no runtime is at work; the next start settles it by catchUp"
    case "Held":
      return "waits: no runtime has settled it yet; holdfast status says what it waits for"
    case "Gone":
      return "was settled; its record has gone with the history"
  }
}

/** What an event of a run says, with the time it took. */
const sentence = (event: JournalEvent, slotMs: number, at: (ms: number) => string): ReadonlyArray<string> => {
  const when = at(event.atMs)
  switch (event.type) {
    case "attempt.started":
      return [
        `${when}  attempt ${event.attempt} began${event.attempt === 1 ? `, ${length(Math.max(0, event.atMs - slotMs))} after the slot` : ""}`
      ]
    case "attempt.adopted":
      return [`${when}  attempt ${event.attempt} went on under a new runtime`]
    case "step.finished":
      return [`${when}  step ${shown(event.step)} was done`]
    case "attempt.failed":
      return [
        `${when}  it failed: ${shown(event.reason)}${event.retryAtMs === null ? "" : `; to be tried again at ${at(event.retryAtMs)}`}`
      ]
    case "run.parked":
      return [`${when}  it was parked: ${shown(event.reason)}`]
    case "run.released":
      return [`${when}  ${shown(event.by)} released it`]
    case "run.settled":
      return [
        `${when}  ${event.outcome} after ${length(event.durationMs)}${event.reason === "" ? "" : `: ${shown(event.reason)}`}${event.report === null ? "" : `; to be told to ${shown(event.report.session)}${event.report.via === undefined ? "" : ` by ${event.report.via}, lossy`}`}`
      ]
    case "entry.acknowledged":
      return [`${when}  ${event.via === undefined ? "the session has it" : `the gateway took it by ${event.via}, which may lose it`}`]
    case "entry.parked":
      return [`${when}  the session was not told: ${shown(event.reason)}`]
    case "entry.collapsed":
      return [`${when}  the report of ${event.into} stands in for its own`]
    case "entries.digested":
      return [`${when}  its report became part of ${event.digest}, with ${event.runs.length - 1} others`]
    case "entry.redriven":
      return [`${when}  ${shown(event.by)} had its report sent again`]
    case "entry.dropped":
      return [`${when}  ${shown(event.by)} gave its report up`]
    default:
      return []
  }
}

const noMoment = (text: string) =>
  new UsageInvalid({
    code: "TIME_SYNTAX",
    where: "holdfast why",
    got: shown(text),
    want: "06:00, '2026-11-22 06:00', 2026-11-22T06:00:00Z or a run's id",
    fix: "correct the time"
  })

const noStory = (story: NoStory, skill: string, known: Iterable<string>): Refused => {
  if (story._tag === "NothingOwed") {
    const { adoptedFromMs, firstMs } = story
    return new Refused({
      code: "SLOT_UNKNOWN",
      where: skill,
      got:
        adoptedFromMs === undefined
          ? "a time before it had a schedule"
          : `no slot between ${iso(adoptedFromMs)}, when its schedule was adopted, and that time`,
      want: "a time at or after one of its slots",
      fix: firstMs === undefined ? "it has no schedule that names a slot" : `the first slot after it is ${iso(firstMs)}`
    })
  }
  return unknownSkill(skill, known)
}
