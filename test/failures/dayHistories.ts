/** Histories of days: skills with any schedule and policy, and what befalls them and the runtime, by the hour. */
import fc from "fast-check"
import { iso } from "../../src/domain/Run.ts"
import type { SkillGiven } from "../../src/layers/Holdfast.ts"

export type Settings = SkillGiven["settings"]

/** A skill as it is given at a start, and how its work goes. */
export interface Plan {
  readonly settings: Settings
  /** The longest that its work takes, in milliseconds; shares of attempts (0 to 1) that fail, and that hang until their timeout. */
  readonly work: { readonly takesMs: number; readonly fails: number; readonly hangs: number }
}

/** What happens; skills by their number. */
export type Deed =
  /** The runtime dies, or ends in order; skills are edited, or taken out, and the clock may be set, before the next start. */
  | {
      readonly _tag: "Away"
      readonly how: "crash" | "stop" | "drain"
      readonly forMs: number
      readonly edits: ReadonlyArray<{ readonly skill: number; readonly plan: Plan | undefined }>
      readonly jumpMs: number
    }
  | { readonly _tag: "Jump"; readonly byMs: number }
  | { readonly _tag: "Pause" | "Resume" | "Release" | "Trigger"; readonly skill: number }

export interface History {
  readonly fromMs: number
  readonly skills: ReadonlyArray<Plan>
  /** A day each: what happens in it, in order, each after so much of it. */
  readonly days: ReadonlyArray<ReadonlyArray<{ readonly afterMs: number; readonly deed: Deed }>>
}

export const skillsCount = 10
/** Days of one history: enough for slots that wait for days, and few enough to be read when it fails. */
export const historyDays = 20
export const dayMs = 86_400_000
const minuteMs = 60_000
const hourMs = 60 * minuteMs

const zones = ["UTC", "America/New_York", "Europe/Berlin", "Australia/Lord_Howe", "Asia/Kathmandu", "America/St_Johns", "Pacific/Apia"]
const zone = fc.constantFrom(...zones)
const minute = fc.nat(59)
const hour = fc.nat(23)
const time = (hours: fc.Arbitrary<number>) =>
  fc.tuple(hours, minute).map((parts) => parts.map((part) => String(part).padStart(2, "0")).join(":"))
const milliseconds = (min: number, max: number) => fc.integer({ min, max })
const duration = (min: number, max: number) => milliseconds(min, max).map((ms) => `${Math.floor(ms / 1_000)} seconds`)
const maybe = <A>(some: fc.Arbitrary<A>) => fc.option(some, { freq: 1, nil: undefined })

const cron = fc.oneof(
  fc.tuple(minute, hour).map(([m, h]) => `${m} ${h} * * *`),
  fc.tuple(minute, hour, fc.nat(6)).map(([m, h, day]) => `${m} ${h} * * ${day}`),
  fc.tuple(minute, hour, hour).map(([m, h, other]) => `${m} ${h},${other} * * *`),
  fc.tuple(minute, fc.integer({ min: 3, max: 8 })).map(([m, n]) => `${m} */${n} * * *`),
  fc.tuple(minute, hour, fc.integer({ min: 1, max: 31 })).map(([m, h, day]) => `${m} ${h} ${day} * *`),
  fc.tuple(fc.nat(3), minute).map(([h, m]) => `${m} ${h} * * *`) // Where clocks change.
)

const schedule = (fromMs: number): fc.Arbitrary<Settings["schedule"]> =>
  fc.oneof(
    { weight: 7, arbitrary: fc.record({ cron, timezone: zone }) },
    { weight: 6, arbitrary: duration(2 * hourMs, 3 * dayMs).map((every) => ({ every })) },
    { weight: 1, arbitrary: duration(30 * minuteMs, 2 * hourMs).map((every) => ({ every })) },
    { weight: 1, arbitrary: milliseconds(0, 10 * dayMs).map((afterMs) => ({ at: iso(fromMs + afterMs) })) },
    {
      weight: 3,
      arbitrary: fc
        .tuple(fc.integer({ min: 1, max: 4 }), time(fc.integer({ min: 0, max: 9 })), time(fc.integer({ min: 14, max: 23 })), zone)
        .chain(([times, from, to, timezone]) =>
          fc.constantFrom("1 minute", "20 minutes", "1 hour").map((apart) => ({ times, between: [from, to] as const, apart, timezone }))
        )
    }
  )

const settings = (fromMs: number): fc.Arbitrary<Settings> =>
  fc
    .record({
      schedule: schedule(fromMs),
      timeout: duration(10 * minuteMs, 5 * hourMs),
      catchUp: fc.constantFrom("latest", "all", "none"),
      overlap: fc.constantFrom("skip", "bufferOne", "bufferAll", "cancelOther", "terminateOther", "allowAll"),
      onInterruption: fc.constantFrom("rerun", "record"),
      retry: fc.record({
        attempts: fc.integer({ min: 1, max: 3 }),
        first: duration(1_000, 10 * minuteMs),
        cap: duration(10 * minuteMs, hourMs)
      }),
      quarantine: fc.constantFrom({ failures: 0 }, { failures: 2, within: "2 days" }, undefined),
      catchUpWindow: maybe(duration(minuteMs, 2 * dayMs)),
      startWithin: maybe(duration(minuteMs, dayMs)),
      lateHours: maybe(fc.record({ notBefore: time(hour), notAfter: time(hour) })),
      daysOff: maybe(
        fc.array(
          milliseconds(0, 30 * dayMs).map((ms) => iso(fromMs + ms).slice(0, 10)),
          { maxLength: 3 }
        )
      ),
      jitter: maybe(duration(1_000, 2 * hourMs)),
      pauseAfter: maybe(fc.integer({ min: 1, max: 4 })),
      cost: maybe(fc.integer({ min: 1, max: 100 }))
    })
    .map((given) => Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined)) as unknown as Settings)

const share = fc.constantFrom(0, 0, 0.1, 0.5, 1)
const plan = (fromMs: number): fc.Arbitrary<Plan> =>
  fc.record({
    settings: settings(fromMs),
    work: fc.record({ takesMs: fc.constantFrom(0, 1_000, 10 * minuteMs, 3 * hourMs), fails: share, hangs: fc.constantFrom(0, 0, 0, 0.2) })
  })

const skill = fc.nat(skillsCount - 1)
const jump = fc.oneof(milliseconds(-2 * dayMs, 3 * dayMs), milliseconds(-2 * hourMs, 2 * hourMs))
const deed = (fromMs: number): fc.Arbitrary<Deed> =>
  fc.oneof(
    {
      weight: 4,
      arbitrary: fc.record({
        _tag: fc.constant("Away" as const),
        how: fc.constantFrom("crash", "crash", "stop", "drain"),
        forMs: fc.oneof({ weight: 3, arbitrary: milliseconds(minuteMs, 3 * hourMs) }, { weight: 1, arbitrary: milliseconds(0, 4 * dayMs) }),
        edits: fc.array(
          fc.record({ skill, plan: fc.oneof({ weight: 4, arbitrary: plan(fromMs) }, { weight: 1, arbitrary: fc.constant(undefined) }) }),
          { maxLength: 2 }
        ),
        jumpMs: fc.oneof({ weight: 4, arbitrary: fc.constant(0) }, { weight: 1, arbitrary: jump })
      })
    },
    { weight: 1, arbitrary: fc.record({ _tag: fc.constant("Jump" as const), byMs: jump }) },
    {
      weight: 4,
      arbitrary: fc.record({ _tag: fc.constantFrom("Pause" as const, "Resume" as const, "Release" as const, "Trigger" as const), skill })
    }
  )

/** So many days each. */
export const dayHistories = (days: number): fc.Arbitrary<History> =>
  fc.noBias(
    milliseconds(0, 4 * 365)
      .map((day) => Date.UTC(2026, 0, 8) + day * dayMs)
      .chain((fromMs) =>
        fc.record({
          fromMs: fc.constant(fromMs),
          skills: fc.array(plan(fromMs), { minLength: skillsCount, maxLength: skillsCount }),
          days: fc.array(
            fc.array(fc.record({ afterMs: milliseconds(0, 12 * hourMs), deed: deed(fromMs) }), { maxLength: 2, size: "max" }),
            {
              minLength: days,
              maxLength: days
            }
          )
        })
      )
  )
