/** Broken promises of the session against gateways that break the rules. */
import { type Mutant, one } from "./mutant.ts"

const bad = "test/layers/BadGateways.test.ts"
const session = "test/layers/Session.test.ts"
const dial = "src/layers/Dial.ts"
const layer = "src/layers/Session.ts"

export const badGatewayMutants: ReadonlyArray<Mutant> = [
  one("a redirect is one more page", dial, "if (status >= 300 && status < 400) {", "if (status >= 400 && status < 400) {", bad),
  one("a redirect shows its whole address", dial, "`${url.protocol}//${shown(url.host)}`", "shown(location)", bad),
  one("a page is shown as it is", "src/layers/ConnectionEnd.ts", "detail: shown(", "detail: String(", bad),
  one("a page is waited for", dial, 'const headWithin = "500 millis"', 'const headWithin = "1 hour"', bad),
  one("a date is no wish", dial, "Date.parse(wish) - nowMs", "0", bad),
  one(
    "a token is tried as fast as a port",
    "src/machines/session.ts",
    'target: "rejected"',
    'target: "waiting"',
    "test/machines/session.test.ts"
  ),
  one(
    "who counts our tries is asked once a minute",
    "src/machines/session.ts",
    'end?.reason === "limited" ? "limited" : "other"',
    '"other"',
    "test/machines/session.test.ts"
  ),
  one("a wrong certificate is taken", dial, "followRedirects: false }", "followRedirects: false, rejectUnauthorized: false }", bad),
  one("a deep frame is parsed", "src/domain/FrameReading.ts", "if (isTooDeep(text))", "if (text.length > 2 ** 30)", bad),
  one("brackets in a text are levels", "src/domain/FrameReading.ts", "else if (c === quote) quoted = false", "else quoted = false", bad),
  one("a binary frame is text", dial, "isBinary ? undefined : (data", "(data", bad),
  one(
    "an odd frame ends the session",
    layer,
    "return yield* misread(frame.failure)",
    'return yield* failed("closed", frame.failure.detail)',
    bad
  ),
  one("odd frames leave no trace", layer, "      misreadLast = linkProblem", "      void linkProblem", bad),
  one("an answer from nobody is a late one", layer, "number > connected.callsBefore && number <= calls", "number <= calls", bad),
  one("a flood is read as it comes", layer, "      yield* Effect.sleep(leftMs) // Nobody takes", "      // Nobody takes", bad),
  one("a full queue pauses no socket", dial, "if (Queue.sizeUnsafe(frames) >= waitingMax) socket.pause()", "", bad),
  one(
    "a redirected probe stays open",
    "src/layers/Gateway.ts",
    "        return request.destroy() // Nobody",
    "        // Nobody",
    "test/layers/Gateway.test.ts"
  ),
  one("a missing pong is waited for", layer, "const pongWithinMs = 3_000", "const pongWithinMs = 8_000", bad),
  one("a challenge is waited for", "src/layers/Greeting.ts", "const challengeMs = 4_000", "const challengeMs = 9_000", bad),
  one("a gateway that hangs in the greeting is waited for", "src/layers/Greeting.ts", ", frozen(line))", ", Effect.never)", bad),
  one("a late pong is no news", layer, "      pace(true)\n", "", session),
  one("a slow session stays slow", layer, "    if (!late) pace(false)\n", "", session),
  one("a late probe is prompt", "src/machines/gateway.ts", "&& probe.late !== true", "", "test/machines/gateway.test.ts"),
  one("a gap in the numbers is not noticed", layer, "seq > connected.seq + 1", "seq > connected.seq + 9", "test/layers/History.test.ts"),
  one(
    "missed events have nothing read",
    "src/layers/History.ts",
    "ours || event.event === Wire.eventsMissed.event",
    "ours",
    "test/layers/History.test.ts"
  ),
  one("an announced shutdown is a reset", "src/layers/ConnectionEnd.ts", 'announced ? "restarting" : reason', "reason", bad),
  one(
    "a corrected token needs a restart",
    layer,
    "if (refused && peer.tokenAgain !== undefined) {",
    "if (refused && peer.tokenAgain === undefined) {",
    bad
  ),
  one("the token is read anew for each try", layer, "if (refused && peer.tokenAgain", "if (peer.tokenAgain", bad),
  one("clocks may be a day apart", "src/layers/Greeting.ts", "const skewMaxMs = 120_000", "const skewMaxMs = 86_400_000", bad),
  one("only its own version is named", "src/layers/Greeting.ts", ", we speak ${Wire.protocol}`", "`", bad)
]
