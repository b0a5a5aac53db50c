import { describe, expect, it } from "vitest";
import { PassingFault, pauseAfter, retryAfter } from "./retry";

describe("pauseAfter", () => {
  it("doubles, shortened by chance to at least its half, and gives up after six failures", () => {
    const fault = new PassingFault("");
    const failures = [1, 2, 3, 4, 5, 6];
    expect(failures.map((n) => pauseAfter(n, fault, () => 0))).toEqual([0.5, 1, 2, 4, 8, null]);
    expect(failures.map((n) => pauseAfter(n, fault, () => 1))).toEqual([0.25, 0.5, 1, 2, 4, null]);
  });

  it("is as patient as the server asks, within reason", () => {
    expect(pauseAfter(1, new PassingFault("", 30), () => 0)).toBe(30);
    expect(pauseAfter(1, new PassingFault("", 0), () => 0)).toBe(0.5);
    expect(pauseAfter(1, new PassingFault("", 3600), () => 0)).toBeNull();
  });
});

describe("retryAfter", () => {
  it.each([
    [null, null],
    ["7", 7],
    ["Thu, 01 Jan 1970 00:01:40 GMT", 90],
    ["Thu, 01 Jan 1970 00:00:01 GMT", 0],
    ["soon", null],
  ])("%s: %s", (header, seconds) => {
    expect(retryAfter(header, 10_000)).toBe(seconds);
  });
});
