/** A promise of the design, broken on purpose, and the tests that have to notice. */
export interface Mutant {
  readonly name: string
  readonly edits: ReadonlyArray<{ readonly file: string; readonly find: string; readonly put: string }>
  readonly tests: ReadonlyArray<string>
  /** The tests are of the deep tier: with so many kills. */
  readonly kills?: number
}

/** One that is a single edit. */
export const one = (name: string, file: string, find: string, put: string, ...tests: ReadonlyArray<string>): Mutant => ({
  name,
  edits: [{ file, find, put }],
  tests
})
