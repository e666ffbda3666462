/**
 * The same facts in tables of SQLite: what the events mean, said a second time in another language. It knows nothing of the
 * journal, its files, or the ledger.
 */
import { DatabaseSync, type SQLInputValue } from "node:sqlite"
import type { JournalEvent } from "../../src/domain/JournalEvent.ts"

const schema = `
  create table skill (name text primary key, digest text, schedule text, owed_from real, settled_through real, removed int,
    paused text, quarantined text, last text, last_success real, failures int);
  create table run (id text primary key, skill text, slot real, fence int, digest text, missed int, claimed real, asked text, phase text,
    attempts int default 0, failed int default 0, retry real, parked text, process text, started real, settled text, place int);
  create table step (run text, name text, result text, primary key (run, name));
  create table prompt (skill text, at real, place integer primary key);
  create table entry (run text primary key, session text, text text, settled real, sent text, place int);
  create table parked (run text primary key, reason text, session text, text text, settled real, sent text);
  create table approval (skill text primary key, digest text, by text, at real);
  create table total (name text primary key, value);
  insert into total values ('epoch', 0), ('stopped', 1), ('fence', 0), ('mode', 'stopped'), ('acknowledged', 0), ('settled', 0),
    ('run', 0), ('coalesced', 0), ('skipped', 0), ('missed', 0), ('superseded', 0), ('place', 0);
`
/** So many settled runs are remembered, the latest; as often the older ones are forgotten. */
const remembered = 1_000
/** A second report of the same run takes the place of the first. */
const latest = `on conflict (run) do update set session = excluded.session, text = excluded.text, settled = excluded.settled, sent = excluded.sent`
/** A run that has no outcome yet. */
const open = "phase <> 'settled'"

export class SqliteModel {
  readonly #db = new DatabaseSync(":memory:")

  constructor() {
    this.#db.exec(schema)
  }

  take(event: JournalEvent): void {
    const e = event
    const run = (sql: string, ...values: ReadonlyArray<SQLInputValue>) => Number(this.#db.prepare(sql).run(...values).changes)
    const add = (name: string, by: number) => run("update total set value = value + ? where name = ?", by, name)
    const set = (name: string, value: SQLInputValue) => run("update total set value = ? where name = ?", value, name)
    const next = () => Number(this.#db.prepare("update total set value = value + 1 where name = 'place' returning value").get()!["value"])
    switch (e.type) {
      case "runtime.started":
        set("epoch", e.epoch)
        return void set("stopped", 0)
      case "runtime.stopped":
        set("mode", "stopped")
        return void set("stopped", 1)
      case "mode.changed":
        return void set("mode", e.to)
      case "skill.adopted":
        return void run(
          `insert into skill values (?, ?, ?, ?, ?, 0, null, null, null, null, 0) on conflict (name) do update set
             digest = excluded.digest, schedule = excluded.schedule, owed_from = excluded.owed_from, removed = 0,
             settled_through = max(settled_through, excluded.settled_through)`,
          e.skill,
          e.digest,
          e.schedule === null ? null : JSON.stringify(e.schedule),
          e.from,
          Math.max(0, e.from)
        )
      case "skill.removed":
        return void run("update skill set removed = 1 where name = ?", e.skill)
      case "skill.paused":
        return void run("update skill set paused = ? where name = ?", JSON.stringify({ by: e.by, why: e.why }), e.skill)
      case "skill.resumed":
        return void run("update skill set paused = null where name = ?", e.skill)
      case "skill.quarantined":
        return void run("update skill set quarantined = ? where name = ?", e.why, e.skill)
      case "skill.released":
        return void run("update skill set quarantined = null where name = ?", e.skill)
      case "skill.approved":
        return void run("insert or replace into approval values (?, ?, ?, ?)", e.skill, e.digest, e.by, e.atMs)
      case "slot.settled":
        add(e.verdict, e.count)
        return void run("update skill set settled_through = max(settled_through, ?) where name = ?", e.through, e.skill)
      case "run.claimed": {
        run("update total set value = max(value, ?) where name = 'fence'", e.fence)
        const made = run(
          `insert or ignore into run (id, skill, slot, fence, digest, missed, claimed, asked, phase, place) values (?, ?, ?, ?, ?, ?, ?, ?, 'claimed', ?)`,
          e.run,
          e.skill,
          e.slot,
          e.fence,
          e.digest,
          e.missed,
          e.atMs,
          e.by ?? null,
          next()
        )
        if (made === 0 || e.by !== undefined || /\+manual-/.test(e.run)) return
        add("run", 1)
        return void run("update skill set settled_through = max(settled_through, ?) where name = ?", e.slot, e.skill)
      }
      case "attempt.started":
        return void run(
          `update run set phase = 'executing', attempts = ?, retry = null, process = null, started = coalesce(started, ?) where id = ? and ${open}`,
          e.attempt,
          e.atMs,
          e.run
        )
      case "attempt.spawned":
        return void run(`update run set process = ? where id = ? and ${open}`, `${e.pid} ${e.startTime} ${e.bootId}`, e.run)
      case "prompt.started":
        run("delete from prompt where skill = ? and abs(at - ?) >= 86400000", e.skill, e.atMs)
        return void run("insert into prompt (skill, at) select name, ? from skill where name = ?", e.atMs, e.skill)
      case "attempt.failed":
        return void run(
          `update run set phase = 'retryable', failed = failed + 1, retry = ?, process = null where id = ? and ${open}`,
          e.retryAtMs,
          e.run
        )
      case "step.started":
        return void run(`insert or replace into step select id, ?, null from run where id = ? and ${open}`, e.step, e.run)
      case "step.finished":
        return void run(
          `insert or replace into step select id, ?, ? from run where id = ? and ${open}`,
          e.step,
          JSON.stringify(e.result),
          e.run
        )
      case "run.parked":
        return void run(
          `update run set phase = 'parked', parked = ?, failed = failed + 1, process = null where id = ? and ${open}`,
          e.reason,
          e.run
        )
      case "run.released":
        return void run(`update run set phase = 'retryable', retry = ? where id = ? and ${open}`, e.atMs, e.run)
      case "run.settled": {
        const came = JSON.stringify([e.outcome, e.reason, e.startedAtMs, e.durationMs, e.fields, e.report])
        const ended = run(
          `update run set phase = 'settled', settled = ?, process = null, place = ? where id = ? and ${open}`,
          came,
          next(),
          e.run
        )
        if (ended === 0) return
        add("settled", 1)
        if (Number(this.#db.prepare("select value from total where name = 'settled'").get()!["value"]) % remembered === 0)
          run("delete from run where id in (select id from run where phase = 'settled' order by place desc limit -1 offset ?)", remembered)
        run("delete from step where run = ?", e.run)
        run(
          `update skill set last = ?1, failures = case ?2 when 'success' then 0 else failures + 1 end,
             last_success = case ?2 when 'success' then ?3 else last_success end
           where name = (select skill from run where id = ?1)`,
          e.run,
          e.outcome,
          e.atMs
        )
        if (e.report !== null) {
          run(`insert into entry values (?, ?, ?, ?, null, ?) ${latest}`, e.run, e.report.session, e.report.text, e.atMs, next())
        }
        return
      }
      case "entry.sent":
        return void run("update entry set sent = ? where run = ?", JSON.stringify([e.atMs, e.gatewayBootId]), e.run)
      case "entry.acknowledged":
        return void add("acknowledged", run("delete from entry where run = ?", e.run))
      case "entry.parked":
        run("insert or replace into parked select run, ?, session, text, settled, sent from entry where run = ?", e.reason, e.run)
        return void run("delete from entry where run = ?", e.run)
      case "entry.collapsed":
        return void run("delete from entry where run = ?", e.run)
      case "entries.digested":
        for (const part of e.runs) run("delete from entry where run = ?", part)
        return void run(`insert into entry values (?, ?, ?, ?, null, ?) ${latest}`, e.digest, e.session, e.text, e.atMs, next())
      case "entry.redriven":
        run(`insert into entry select run, session, text, settled, sent, ? from parked where run = ? ${latest}`, next(), e.run)
        return void run("delete from parked where run = ?", e.run)
      case "entry.dropped":
        return void run("delete from parked where run = ?", e.run)
      case "attempt.adopted":
      case "runtime.stalled":
      case "clock.jumped":
        return
    }
  }

  /** Everything, in the shape in which `shape` gives a ledger. */
  picture(): unknown {
    const rows = (sql: string) =>
      this.#db
        .prepare(sql)
        .all()
        .map((row) => ({ ...row }))
    return {
      totals: Object.fromEntries(
        rows("select name, value from total where name <> 'place'").map(({ name, value }) => [String(name), value])
      ),
      skills: rows("select * from skill order by name"),
      prompts: rows("select skill, at from prompt order by skill, place"),
      runs: rows("select * from run order by phase = 'settled', place").map(({ place: _, ...row }) => row),
      steps: rows("select * from step order by run, name"),
      entries: rows("select run, session, text, settled, sent from entry order by place"),
      parked: rows("select run, reason from parked order by run"),
      approvals: rows("select * from approval order by skill")
    }
  }

  close(): void {
    this.#db.close()
  }
}
