/** Cron expressions, most of them nearly right, and the one rule for all: refused by a code, or every slot is one that a second reader names. */
import { Result } from "effect"
import { next, parseCron, slotsBetween } from "../../src/domain/Schedule.ts"
import { cronMatcher, type Matcher } from "./cronMatcher.ts"
import { Fuzz, type FuzzReport, mutated, type Pick, picks } from "./fuzz.ts"
import { offset } from "./minuteWalk.ts"

export const fuzzCron = (times: number, seed: number): FuzzReport => {
  const fuzz = new Fuzz()
  const pick = picks(seed)
  for (const zone of [...zones, "Europe/Berln"]) parseCron("* * * * * *", zone, "fuzz") // The first question loads the zones.
  for (let n = 0; n < times && fuzz.wrong === undefined; n++) {
    const text = expression(pick)
    const zone = pick.chance(0.01) ? mutated(pick, pick.of(zones), letters) : pick.of(zones)
    fuzz.wrong = judge(fuzz, text, zone, Date.UTC(1990) + pick.below(60 * 365.25 * 86_400_000))
    if (fuzz.wrong !== undefined) fuzz.wrong = `number ${n}, ${JSON.stringify(text)} in ${zone}: ${fuzz.wrong}`
  }
  return fuzz
}

const judge = (fuzz: Fuzz, text: string, zone: string, fromMs: number): string | undefined => {
  const read = fuzz.timed(() => parseCron(text, zone, "fuzz"))
  const matcher = cronMatcher(text)
  if (Result.isFailure(read)) {
    const { code } = read.failure
    fuzz.refuse(code)
    if (code === "TIMEZONE_UNKNOWN") return zones.includes(zone) ? "a known zone is unknown" : undefined
    if (!/^CRON_[A-Z_]+$/.test(code)) return `refused with ${code}`
    if (code === "CRON_NEVER") return matcher?.comes === false ? undefined : "there are such dates"
    return matcher === undefined ? undefined : `refused with ${code}, and is an expression`
  }
  fuzz.accepted += 1
  if (matcher === undefined) return "accepted, and is no expression"
  if (!matcher.comes) return "accepted, and there are no such dates"
  const schedule = read.success
  const slots = fuzz.timed(() => {
    const found: Array<number> = []
    for (let ms: number | undefined = fromMs; found.length < 4 && (ms = next(schedule, ms)) !== undefined;) found.push(ms)
    return found
  })
  if (slots.length < 4) return `has only ${slots.length} slots`
  const between = fuzz.timed(() => slotsBetween(schedule, fromMs, slots[3]!))
  if (between.count !== 4 || between.firstMs !== slots[0] || between.lastMs !== slots[3] || between.newest(9).join() !== slots.join())
    return `next says ${slots.join()}, between ${between.count}: ${between.newest(9).join()}`
  return slots.map((slot, i) => wrongSlot(matcher, zone, slots[i - 1] ?? fromMs, slot)).find((wrong) => wrong !== undefined)
}

/** A slot has to be named, and what stands a little before it, back to the slot before, must not be. Days on which clocks change have rules of their own. */
const wrongSlot = ({ names }: Matcher, zone: string, afterMs: number, slot: number): string | undefined => {
  const named = (ms: number) => {
    const ahead = offset(zone, ms)
    return ahead === offset(zone, ms - dayMs) && ahead === offset(zone, ms + dayMs) ? names(ms + ahead) : undefined
  }
  if (slot <= afterMs || slot % 1_000 !== 0) return `${slot} does not follow ${afterMs}`
  if (named(slot) === false) return `${new Date(slot).toISOString()} is not named`
  const early = [1, 60, 3_600, 86_400, 7 * 86_400, 365 * 86_400].map((seconds) => slot - seconds * 1_000)
  const missed = early.find((ms) => ms > afterMs && named(ms) === true)
  return missed === undefined ? undefined : `${new Date(missed).toISOString()} is named, and no slot`
}
const dayMs = 25 * 3_600_000

/** Nine of ten have the form of an expression; of these nearly half are changed in a place or two. */
const expression = (pick: Pick): string => {
  if (pick.chance(0.03)) return mutated(pick, pick.of(nicknames), letters)
  if (pick.chance(0.03)) return Array.from({ length: pick.below(14) }, () => pick.of(letters)).join("")
  if (pick.chance(0.01)) return pick.of(["*", "1,", "*/2 ", "1-5,"]).repeat(pick.below(30_000))
  const five = spans.map((span) => list(pick, ...span))
  const words = pick.chance(0.2) ? [list(pick, 0, 59, ""), ...five] : five
  const text = words.join(pick.chance(0.02) ? "\t " : " ")
  return pick.chance(0.4) ? mutated(pick, text, letters) : text
}

const list = (pick: Pick, min: number, max: number, names: string): string =>
  Array.from({ length: pick.chance(0.2) ? 1 + pick.below(4) : 1 }, () => item(pick, min, max, names)).join()
const item = (pick: Pick, min: number, max: number, names: string): string => {
  const value = () =>
    names !== "" && pick.chance(0.3)
      ? pick.of(names.split(" "))
      : pick.chance(0.02)
        ? pick.of(["0", "7", "8", "13", "24", "31", "32", "60", "007"])
        : String(min + pick.below(max - min + 1))
  const [a, b] = [value(), value()]
  const base = pick.chance(0.5) ? "*" : pick.chance(0.6) ? a : Number(a) > Number(b) ? `${b}-${a}` : `${a}-${b}`
  return pick.chance(0.2) ? `${base}/${1 + pick.below(max)}` : base
}

const spans: ReadonlyArray<readonly [number, number, string]> = [
  [0, 59, ""],
  [0, 23, ""],
  [1, 31, ""],
  [1, 12, "jan FEB Mar apr may jun jul aug sep oct nov dec"],
  [0, 7, "sun MON Tue wed thu fri sat"]
]
const letters = [..."0123456789*/-,, \t@LW#?H~+.eExX%_５\u0000\n\u00a0", "sun", "mon", "jan", "60", "-sun", "*/0"]
const nicknames = ["@hourly", "@daily", "@midnight", "@weekly", "@MONTHLY", "@yearly", "@annually", "@reboot", "@every 5m"]
const zones = [
  "UTC",
  "Europe/Berlin",
  "America/New_York",
  "Asia/Tokyo",
  "Asia/Kolkata",
  "Australia/Lord_Howe",
  "America/St_Johns",
  "America/Santiago",
  "Africa/Casablanca",
  "Pacific/Apia",
  "Pacific/Chatham",
  "Antarctica/Troll"
]
