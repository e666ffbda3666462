/** Whether a connection that comes and goes may be believed yet. Pure: instants come in as numbers, milliseconds. */

/** Losses that count: those within this time. */
export const windowMs = 60_000
/** Fewer losses than this in the window are bad luck; from here on a new connection has to hold before it counts as up. */
export const lossesMin = 3
export const dwellFirstMs = 1_000
export const dwellMax = 30_000

/** The losses still worth remembering after one more at `atMs`. */
export const withLoss = (losses: ReadonlyArray<number>, atMs: number): ReadonlyArray<number> =>
  [...losses.filter((loss) => loss > atMs - windowMs), atMs].slice(-lossesRemembered)

/** How long a connection opened at `atMs` has to hold before it counts as up: nothing at first, then one second, doubling. */
export const dwellMs = (losses: ReadonlyArray<number>, atMs: number): number => {
  const recent = losses.filter((loss) => loss > atMs - windowMs).length
  return recent < lossesMin ? 0 : Math.min(dwellMax, dwellFirstMs * 2 ** (recent - lossesMin))
}

/** More than this many change nothing: the dwell is at its longest. */
const lossesRemembered = 16
