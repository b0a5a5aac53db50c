import { expect, it } from "vitest";
import { createInspection } from "./inspection";

it("looks in passing, unless a token is pinned", () => {
  const inspection = createInspection();
  const { glance, pin } = inspection.getState();
  glance(2);
  expect(inspection.getState().inspected).toBe(2);
  pin(2);
  glance(null);
  glance(5);
  expect(inspection.getState()).toMatchObject({ inspected: 2, pinned: true });
  pin(3);
  expect(inspection.getState()).toMatchObject({ inspected: 3, pinned: true });
  pin(3);
  expect(inspection.getState()).toMatchObject({ inspected: null, pinned: false });
});
