/** What a gateway sends that comes to nothing: tolerated, and counted by name. */

/**
 * `unknownFrame`: not understood, or a request of ours to answer. `unknownId`: an answer to what this connection has not asked.
 * `lateAnswer`: one that came too late, or a second time. `redirectAsked`: it would have us go to another address.
 * `missedEvents`: a gap in the numbers of its events. `flood`: a second with too many frames.
 */
export const noOddities = { unknownFrame: 0, unknownId: 0, lateAnswer: 0, redirectAsked: 0, missedEvents: 0, flood: 0 }

export type Oddity = keyof typeof noOddities
export type Oddities = Readonly<Record<Oddity, number>>

/** Those that have happened. */
export const happenedOf = (counted: Oddities): Partial<Oddities> =>
  Object.fromEntries(Object.entries(counted).filter(([, times]) => times > 0))
