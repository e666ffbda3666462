/** What a skill's code is given, whether it runs in this process or in a child host. No Effect in these types. */

/** What a skill says of its result: it goes into the status line, the journal and the report. */
export type Fields = Readonly<Record<string, string | number | boolean>>

/** What a skill returns: nothing, or fields for its status line. `summary` is the text that the session is told. */
export type SkillResult = void | undefined | (Fields & { readonly summary?: string })

/** The day's conversation as it was last read from the session; it is there while the session is not. */
export interface History {
  readonly session: string
  /** When it was read, and for how long it has been so. A live session re-reads it at least every 30 s. */
  readonly readAt: string
  readonly ageMs: number
  readonly messages: ReadonlyArray<{ readonly role: string; readonly text: string; readonly at: string | undefined }>
}

/** One message of a session. `at` is when it was written, if it says so. */
export type SessionMessage = History["messages"][number]

/** `already`: its label stood in the session before, and nothing was sent. */
export interface Injected {
  readonly already: boolean
}

/** For skills that have `session` in their `needs`. Everything here waits at most 15 s, and rejects with `LinkFailed`. */
export interface SkillSession {
  /** The newest messages, oldest first: `limit` of them (50), at most 200. Texts are cut to 2,000 characters. */
  readonly history: (options?: { readonly session?: string; readonly limit?: number }) => Promise<ReadonlyArray<SessionMessage>>
  /**
   * Adds a message to the session, without a turn of the model. `label` names it within the run (`[A-Za-z0-9._-]`, at most 64
   * characters; otherwise its text does), and one that stands in the session is not added again. At least once, all the same.
   */
  readonly inject: (text: string, options?: { readonly session?: string; readonly label?: string }) => Promise<Injected>
}

/** For skills that have `gateway` in their `needs`. */
export interface SkillGateway {
  /** Invokes a tool of the gateway (`POST /tools/invoke`); its result. Waits at most 15 s, and rejects with `LinkFailed`. */
  readonly invoke: (tool: string, args?: Readonly<Record<string, unknown>>, options?: { readonly action?: string }) => Promise<unknown>
}

export interface SkillContext {
  readonly run: string
  readonly skill: string
  /** The instant this run is for, however late it is. */
  readonly slot: Date
  /** 1 for the first try of this run. */
  readonly attempt: number
  /** Missed slots that this run makes good, itself not counted. */
  readonly missed: number
  /** Grows with every claim: hand it to what you act on, so that it can refuse an older one. */
  readonly fence: number
  /** The same for every attempt of this run. */
  readonly idempotencyKey: string
  /** Aborted when the attempt is asked to stop. */
  readonly signal: AbortSignal
  /** A folder of this run alone, kept with its record. */
  readonly directory: string
  /**
   * Does a part of the work once: its result (JSON, at most 1 MiB) is durable before this resolves, and a later attempt
   * of the same run gets that result without doing it again. A death in the middle may do it again, under the same `key`.
   */
  readonly step: <A>(name: string, work: (step: { readonly key: string; readonly attempt: number }) => A | Promise<A>) => Promise<A>
  /** The last history read from the session, or nothing if there never was one. */
  readonly history: () => Promise<History | undefined>
  readonly session: SkillSession
  readonly gateway: SkillGateway
}

export type SkillFunction = (ctx: SkillContext) => SkillResult | Promise<SkillResult>
