import { expect, it } from "vitest";
import { addressWithWasm, readAddress } from "./address";

it("chooses by itself where the address says nothing", () => {
  expect(readAddress("")).toEqual({ model: "stories-mini", namesModel: false, backend: "auto", problem: null });
});

it("takes model and backend", () => {
  expect(readAddress("?model=tiny-model&backend=wasm")).toMatchObject({
    model: "tiny-model",
    backend: "wasm",
    problem: null,
  });
});

it.each([
  "?backend=cuda",
  "?model=../secrets",
  "?model=https://elsewhere",
  "?model=",
])("says what it does not understand: %s", (search) => {
  const { model, backend, problem } = readAddress(search);
  expect({ model, backend }).toEqual({ model: "stories-mini", backend: "auto" });
  expect(problem?.code).toBe("address");
});

it("offers wasm for the same model", () => {
  expect(addressWithWasm("?model=tiny-model&backend=webgpu")).toBe("?model=tiny-model&backend=wasm");
});
