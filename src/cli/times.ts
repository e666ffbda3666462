/** Instants and lengths of time as people read them at a glance. */

/** `2.1 s`, `4 min`, `3 h`, `12 d`: one unit, rounded. Below a second in milliseconds. */
export const length = (ms: number): string => {
  if (ms < 1_000) return `${Math.round(ms)} ms`
  if (ms < 10_000) return `${(ms / 1_000).toFixed(1)} s`
  if (ms < 90_000) return `${Math.round(ms / 1_000)} s`
  if (ms < 90 * 60_000) return `${Math.round(ms / 60_000)} min`
  if (ms < 48 * 3_600_000) return `${Math.round(ms / 3_600_000)} h`
  return `${Math.round(ms / 86_400_000)} d`
}

/** `in 4 min`, `2 h ago`, `now`. */
export const relative = (atMs: number, nowMs: number): string => {
  const ms = atMs - nowMs
  if (Math.abs(ms) < 1_000) return "now"
  return ms > 0 ? `in ${length(ms)}` : `${length(-ms)} ago`
}

/** Local wall clock: `06:00:03` today, else `11-22 06:00`, with the year where it is another one. */
export const clock = (atMs: number, nowMs: number = atMs): string => {
  const [at, now] = [new Date(atMs), new Date(nowMs)]
  const time = `${two(at.getHours())}:${two(at.getMinutes())}`
  if (at.toDateString() === now.toDateString()) return `${time}:${two(at.getSeconds())}`
  const day = `${two(at.getMonth() + 1)}-${two(at.getDate())} ${time}`
  return at.getFullYear() === now.getFullYear() ? day : `${at.getFullYear()}-${day}`
}

const two = (n: number): string => String(n).padStart(2, "0")
