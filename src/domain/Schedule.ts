/** When a skill is due: pure arithmetic from a schedule to its slots. Instants are milliseconds since the Unix epoch. */

/** A schedule as it is adopted: zone and grid resolved, so that the journal alone says which slots were owed. */
export type Schedule =
  /** Five or six cron fields in an IANA zone. */
  | { readonly _tag: "Cron"; readonly expression: string; readonly zone: string }
  /** Every `everyMs` (1 s to 366 days) on the grid that passes through `anchorMs`. */
  | { readonly _tag: "Every"; readonly everyMs: number; readonly anchorMs: number }
  /** Once. */
  | { readonly _tag: "At"; readonly atMs: number }
