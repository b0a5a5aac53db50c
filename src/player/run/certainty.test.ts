import { expect, it } from "vitest";
import { blurOf, certaintyOf, describeEntropy } from "./certainty";

it("inks the certain fully and never less than nothing", () => {
  expect(certaintyOf(0)).toBe(1);
  expect(certaintyOf(20)).toBe(0);
  expect(certaintyOf(1)).toBeGreaterThan(certaintyOf(2));
});

it("blurs only above three nats", () => {
  expect(blurOf(3)).toBe(0);
  expect(blurOf(3.5)).toBeGreaterThan(0);
  expect(blurOf(50)).toBe(blurOf(6));
});

it("says an entropy as a number of equal choices", () => {
  expect(describeEntropy(0)).toBe("decided");
  expect(describeEntropy(0.5)).toBe("nearly decided");
  expect(describeEntropy(Math.log(12))).toBe("as open as 12 equally likely words");
});
