import { assert, describe, it } from "vitest"
import { LinkFailed, notDeclared } from "../../src/domain/LinkFailed.ts"
import { sayingOf } from "../../src/domain/Thrown.ts"

describe("what was thrown", () => {
  const cases: ReadonlyArray<readonly [string, unknown, ReturnType<typeof sayingOf>]> = [
    ["an error says nothing of its class", new Error("x"), { retryable: true }],
    ["no object at all", "x", { retryable: true }],
    ["nothing", undefined, { retryable: true }],
    ["what says not to try again", { retryable: false }, { retryable: false }],
    ["a class of ours", { class: "link" }, { retryable: true, class: "link" }],
    ["a code of the link", { code: "LINK_DOWN" }, { retryable: true, class: "link" }],
    ["a need", { needs: "session" }, { retryable: true, class: "link" }],
    ["a link that trying again does not help", { class: "link", retryable: false }, { retryable: false, class: "link" }],
    ["a class that trying again cannot help", { class: "config" }, { retryable: false, class: "config" }],
    ["a class of somebody else's", { class: "retryable", code: "ELINK" }, { retryable: true }],
    [
      "a link that was away",
      new LinkFailed({ reason: "timeout", need: "session", asked: "chat.history", retryable: true }),
      { retryable: true, class: "link" }
    ],
    [
      "a request that is wrong",
      new LinkFailed({ reason: "refused", need: "gateway", asked: "exec", code: "HTTP_404", retryable: false }),
      { retryable: false, class: "terminal" }
    ],
    ["what the skill does not declare", notDeclared("session", "chat.history"), { retryable: false, class: "config" }]
  ]
  it.each(cases)("%s", (_, thrown, saying) => assert.deepStrictEqual(sayingOf(thrown), saying))
})
