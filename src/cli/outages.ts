/** Outages as people type them: `session=02:00..07:30`. */
import * as Effect from "effect/Effect"
import { nearest, shown } from "../domain/Errors.ts"
import { iso } from "../domain/Run.ts"
import { type Outage, parts } from "../testing/outage/Outage.ts"
import { readNextMoment } from "./moment.ts"
import { UsageInvalid } from "./usage.ts"

/**
 * Reads them for a plan of that time; a time of day is the next one, FROM after the beginning of the plan and TO after FROM.
 * Fails with OUTAGE_SYNTAX, OUTAGE_UNKNOWN, TIME_SYNTAX, OUTAGE_ORDER, or OUTAGE_OUTSIDE where the plan would not notice it.
 */
export const readOutages = (
  texts: ReadonlyArray<string>,
  fromMs: number,
  toMs: number
): Effect.Effect<ReadonlyArray<Outage>, UsageInvalid> => Effect.forEach(texts, (text) => readOutage(text, fromMs, toMs))

const readOutage = (text: string, planFromMs: number, planToMs: number): Effect.Effect<Outage, UsageInvalid> => {
  const fail = (code: string, want: string, fix = "correct the flag") =>
    Effect.fail(new UsageInvalid({ code, where: "holdfast plan --outage", got: shown(text), want, fix }))
  const found = /^([^=]*)=(.+?)\.\.(.+)$/.exec(text)
  if (found === null) return fail("OUTAGE_SYNTAX", "WHAT=FROM..TO, such as session=02:00..07:30")
  const [, word = "", from = "", to = ""] = found
  const what = parts.find((part) => part === word)
  if (what === undefined) {
    const near = nearest(word, parts)
    return fail("OUTAGE_UNKNOWN", `one of ${parts.join(", ")}`, near === undefined ? "choose one of them" : `did you mean ${near}?`)
  }
  const fromMs = readNextMoment(from, planFromMs)
  const toMs = fromMs === undefined ? undefined : readNextMoment(to, fromMs)
  if (fromMs === undefined || toMs === undefined)
    return fail("TIME_SYNTAX", "times such as 06:00, '2026-12-24 00:00' or 2026-12-24T00:00:00Z")
  if (toMs <= fromMs) return fail("OUTAGE_ORDER", "TO after FROM")
  if (toMs <= planFromMs || fromMs > planToMs) {
    const span = `an outage between ${iso(planFromMs)} and ${iso(planToMs)}`
    return fail("OUTAGE_OUTSIDE", span, "plan that time too, with --from, --for or --to")
  }
  return Effect.succeed({ what, fromMs, toMs })
}
