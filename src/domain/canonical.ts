/**
 * A ledger as lines of JSON and back: the same ledger always gives the same lines, byte for byte.
 *
 * The first line has the totals; then comes a line for each skill, run, entry, parked report and approval, in the ledger's order.
 * The schemas say which fields there are and in which order they are written.
 */
import * as Option from "effect/Option"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import { createHash } from "node:crypto"
import { type EventOf, JournalEvent, reportTerms } from "./JournalEvent.ts"
import { type Entry, Ledger, type Parked, type RunRecord, type SkillRecord } from "./Ledger.ts"
import { Outcome, type Phase, phases } from "./Outcome.ts"

/** How many lines `linesOf` gives. */
export const lineCount = (ledger: Ledger): number =>
  1 + ledger.skills.size + ledger.runs.size + ledger.outbox.size + ledger.parked.size + ledger.approvals.size

/** The canonical form, line by line, without line feeds. */
export const linesOf = function* (ledger: Ledger): Generator<string, void> {
  const { startsAtMs, ...totals } = ledger
  yield JSON.stringify({ totals: encodeTotals(startsAtMs.length === 0 ? totals : { ...totals, startsAtMs }) })
  for (const skill of ledger.skills.values()) {
    yield JSON.stringify({ skill: encodeSkill(flatSkill(skill)) })
  }
  for (const run of ledger.runs.values()) yield JSON.stringify({ run: encodeRun(flat(run)) })
  for (const entry of ledger.outbox.values()) yield JSON.stringify({ entry: encodeEntry(entry) })
  for (const [run, parked] of ledger.parked) yield JSON.stringify({ parked: encodeParked(flatParked(run, parked)) })
  for (const [skill, approval] of ledger.approvals) yield JSON.stringify({ approved: encodeApproved({ skill, ...approval }) })
}

/** SHA-256 over the canonical lines, each ended by a line feed: two directories of one hash are in the same state. */
export const hashOf = (ledger: Ledger): string => {
  const hash = createHash("sha256")
  for (const line of linesOf(ledger)) hash.update(`${line}\n`)
  return hash.digest("hex")
}

/** Takes canonical lines in, one after the other. */
export class LedgerReader {
  readonly ledger = new Ledger()
  #lines = 0

  /** False where the line is none that `linesOf` gives at this place. */
  take(json: string): boolean {
    const parsed = Result.getOrUndefined(Result.try((): unknown => JSON.parse(json)))
    if (typeof parsed !== "object" || parsed === null) return false
    const [[kind, value] = ["", undefined], ...more] = Object.entries(parsed)
    const first = this.#lines++ === 0
    return more.length === 0 && first === (kind === "totals") && Object.hasOwn(take, kind) && take[kind as Kind](this.ledger, value)
  }
}

const text = Schema.String
const count = Schema.Int
const instant = Schema.Finite

const eventOf = <Type extends JournalEvent["type"]>(type: Type) =>
  JournalEvent.members.find((member) => member.fields.type.literal === type) as unknown as Schema.Codec<EventOf<Type>>

const TotalsLine = Schema.Struct({
  epoch: count,
  stopped: Schema.Boolean,
  fence: count,
  mode: text,
  bootId: Schema.optional(text),
  startsAtMs: Schema.optional(Schema.Array(instant)),
  acknowledged: count,
  settled: count,
  slots: Schema.Struct({ run: count, coalesced: count, skipped: count, missed: count, superseded: count })
})

const RunLine = Schema.Struct({
  run: text,
  skill: text,
  slotAtMs: instant,
  fence: count,
  digest: text,
  missed: count,
  claimedAtMs: instant,
  by: Schema.optional(text),
  phase: Schema.Literals(Object.keys(phases) as Array<Phase>),
  attempts: count,
  failedAttempts: count,
  retryAtMs: Schema.optional(instant),
  process: Schema.optional(eventOf("attempt.spawned")),
  startedAtMs: Schema.optional(instant),
  steps: Schema.Array(Schema.Tuple([text, Schema.Union([Schema.Literal("started"), Schema.Struct({ result: Schema.Unknown })])])),
  parked: Schema.optional(text),
  settled: Schema.optional(eventOf("run.settled"))
})

const SkillLine = Schema.Struct({
  name: text,
  digest: text,
  schedule: Schema.optional(
    Schema.Union([
      Schema.Struct({ _tag: Schema.Literal("Cron"), expression: text, zone: text }),
      Schema.Struct({ _tag: Schema.Literal("Every"), everyMs: count, anchorMs: instant }),
      Schema.Struct({ _tag: Schema.Literal("At"), atMs: instant }),
      Schema.Struct({ _tag: Schema.Literal("Paced"), times: count, fromMinute: count, toMinute: count, apartMs: count, zone: text }),
      Schema.Struct({ _tag: Schema.Literal("After"), skill: text, on: Schema.Literals(["success", "failure", "end"]) })
    ])
  ),
  owedFromMs: instant,
  settledThroughMs: instant,
  removed: Schema.Boolean,
  paused: Schema.optional(Schema.Struct({ by: text, why: text })),
  quarantined: Schema.optional(text),
  probe: Schema.optional(Schema.Struct({ atMs: instant, failed: count })),
  failedAtMs: Schema.optional(Schema.Array(instant)),
  deaths: Schema.optional(count),
  owedAtMs: Schema.optional(Schema.Array(instant)),
  last: Schema.optional(RunLine),
  lastSuccessAtMs: Schema.optional(instant),
  failures: count,
  promptsAtMs: Schema.optional(Schema.Array(instant))
})

const EntryLine = Schema.Struct({
  run: text,
  session: text,
  text,
  settledAtMs: instant,
  sent: Schema.optional(Schema.Struct({ atMs: instant, gatewayBootId: text })),
  outcome: Schema.optionalKey(Outcome),
  ...reportTerms,
  runs: Schema.optionalKey(Schema.Array(text))
})

/** The run and the reason; then what a later version knows beside them. */
const ParkedLine = Schema.Union([
  Schema.Tuple([text, text]),
  Schema.Tuple([text, text, Schema.Struct({ atMs: instant, entry: EntryLine })])
])

const ApprovedLine = Schema.Struct({ skill: text, digest: text, by: text, atMs: instant })

const encodeTotals = Schema.encodeSync(TotalsLine)
const encodeSkill = Schema.encodeSync(SkillLine)
const encodeRun = Schema.encodeSync(RunLine)
const encodeEntry = Schema.encodeSync(EntryLine)
const encodeParked = Schema.encodeSync(ParkedLine)
const encodeApproved = Schema.encodeSync(ApprovedLine)

const taking = <A>(schema: Schema.Codec<A>, put: (ledger: Ledger, value: A) => void) => {
  const decode = Schema.decodeUnknownOption(schema)
  return (ledger: Ledger, json: unknown): boolean => {
    const decoded = decode(json, { onExcessProperty: "error" })
    if (Option.isSome(decoded)) put(ledger, decoded.value)
    return Option.isSome(decoded)
  }
}

type Kind = keyof typeof take
const take = {
  totals: taking(TotalsLine, (ledger, { slots, ...totals }) => {
    Object.assign(ledger, totals)
    Object.assign(ledger.slots, slots)
  }),
  skill: taking(SkillLine, (ledger, skill) => {
    const {
      schedule,
      paused,
      quarantined,
      probe,
      failedAtMs = [],
      deaths = 0,
      owedAtMs = [],
      last,
      lastSuccessAtMs,
      promptsAtMs = [],
      ...rest
    } = skill
    const standing = { paused, quarantined, probe, failedAtMs, deaths, owedAtMs }
    ledger.skills.set(rest.name, { ...rest, schedule, ...standing, last: last && mapped(last), lastSuccessAtMs, promptsAtMs })
  }),
  run: taking(RunLine, (ledger, run) => void ledger.runs.set(run.run, mapped(run))),
  entry: taking(EntryLine, (ledger, entry) => void ledger.outbox.set(entry.run, entryOf(entry))),
  parked: taking(ParkedLine, (ledger, [run, reason, more]) => {
    ledger.parked.set(run, { reason, ...(more && { atMs: more.atMs, entry: entryOf(more.entry) }) })
  }),
  approved: taking(ApprovedLine, (ledger, { skill, ...approval }) => void ledger.approvals.set(skill, approval))
}

const entryOf = ({ sent, ...rest }: typeof EntryLine.Type): Entry => ({ ...rest, sent })

const flatParked = (run: string, { reason, atMs, entry }: Parked): typeof ParkedLine.Type =>
  atMs === undefined || entry === undefined ? [run, reason] : [run, reason, { atMs, entry }]

/** Without what says nothing: so a state has one form, whatever the version knows beside it. */
const flatSkill = ({ failedAtMs, deaths, owedAtMs, last, promptsAtMs, ...skill }: SkillRecord): typeof SkillLine.Type => ({
  ...skill,
  last: last && flat(last),
  ...(failedAtMs.length === 0 ? {} : { failedAtMs }),
  ...(deaths === 0 ? {} : { deaths }),
  ...(owedAtMs.length === 0 ? {} : { owedAtMs }),
  ...(promptsAtMs.length === 0 ? {} : { promptsAtMs })
})

const flat = (run: RunRecord): typeof RunLine.Type => ({ ...run, steps: [...run.steps] })

const mapped = ({ retryAtMs, process, startedAtMs, steps, parked, settled, by, ...rest }: typeof RunLine.Type): RunRecord => ({
  ...rest,
  retryAtMs,
  process,
  startedAtMs,
  steps: new Map(steps),
  parked,
  settled,
  by
})
