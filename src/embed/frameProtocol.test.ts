import { describe, expect, it } from "vitest";
import { FrameError, originIn, readCall } from "./frameProtocol";

describe("messages to the element in a frame (point 17)", () => {
  it.each([
    [{ elf: 1, id: "a", method: "play" }],
    [{ elf: 1, id: 2, method: "seek", argument: 3 }],
    [{ elf: 1, id: 2, method: "generate" }],
    [{ elf: 1, id: 2, method: "generate", argument: { prompt: "x", seed: 1, settings: { steps: 8, method: "ode" } } }],
    [
      {
        elf: 1,
        id: 2,
        method: "generate",
        argument: {
          settings: {
            gammaCurve: [
              [0, 0.5],
              [1, 3],
            ],
          },
        },
      },
    ],
  ])("%j is a call", (data) => {
    const { elf: _, ...call } = data;
    expect(readCall(data)).toEqual(call);
  });

  it.each([
    ["hello"],
    [null],
    [{ type: "webpackOk" }],
    [{ elf: 1, method: "play" }],
  ])("%j is somebody else's", (data) => {
    expect(readCall(data)).toBeNull();
  });

  it.each([
    [{ elf: 2, id: 1, method: "play" }, /version 2/],
    [{ elf: 1, id: 1, method: "dispose" }, /method/],
    [{ elf: 1, id: 1, method: "seek", argument: "3" }, /argument/],
    [{ elf: 1, id: 1, method: "generate", argument: { settings: { steps: {} } } }, /settings.steps/],
    [{ elf: 1, id: 1, method: "generate", argument: { settings: { gammaCurve: [0, 3] } } }, /settings.gammaCurve/],
  ])("%j is answered with what is wrong", (data, words) => {
    const answer = readCall(data);
    expect(answer).toMatchObject({ id: 1, error: expect.any(FrameError) });
    expect((answer as { error: Error }).error.message).toMatch(words);
  });

  it("are told to a named origin, and to none else", () => {
    expect(originIn("?trace=x")).toBeNull();
    expect(originIn("?origin=https://a.example")).toBe("https://a.example");
    for (const origin of ["*", "null", "https://a.example/path", "javascript:alert(1)", ""]) {
      expect(() => originIn(`?origin=${encodeURIComponent(origin)}`)).toThrow(FrameError);
    }
  });
});
