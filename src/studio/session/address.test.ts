import { expect, it } from "vitest";
import { linkTo } from "../../format/link";
import { SETTINGS } from "../testing/runs";
import { addressWithoutModel, addressWithoutRun, addressWithWasm, readAddress } from "./address";

it("chooses by itself where the address says nothing", () => {
  expect(readAddress("")).toEqual({
    model: "stories",
    namesModel: false,
    backend: "auto",
    recipe: null,
    experiment: null,
    problem: null,
  });
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
  expect({ model, backend }).toEqual({ model: "stories", backend: "auto" });
  expect(problem?.code).toBe("address");
});

it("offers wasm for the same model", () => {
  expect(addressWithWasm("?model=tiny-model&backend=webgpu")).toBe("?model=tiny-model&backend=wasm");
});

it.each([
  ["its end", "?backend=webgpu", linkTo({ settings: SETTINGS })],
  ["an end that was escaped", `?backend=webgpu${encodeURIComponent(linkTo({ settings: SETTINGS }))}`, ""],
])("offers wasm for the run of the address, which is in %s", (_, search, hash) => {
  const there = new URL(addressWithWasm(search, hash), "https://page.example/");
  expect(readAddress(there.search, there.hash)).toMatchObject({
    backend: "wasm",
    recipe: { settings: SETTINGS },
    problem: null,
  });
});

it("takes a run, and says so when its link is broken", () => {
  const recipe = { settings: SETTINGS };
  expect(readAddress("?model=tiny-model", linkTo(recipe))).toMatchObject({ recipe, problem: null });
  expect(readAddress("", "#run=steps:3")).toMatchObject({ recipe: null, problem: { code: "address" } });
});

it("lets go of the model it names, and of nothing else", () => {
  expect(addressWithoutModel("https://page/elf/?model=a&backend=wasm#run=x")).toBe(
    "https://page/elf/?backend=wasm#run=x",
  );
});

it.each([
  ["https://page/elf/?backend=wasm&experiment=seeds#run=x", "https://page/elf/?backend=wasm"],
  ["https://page/elf/?backend=wasm%23run=x", "https://page/elf/?backend=wasm"],
  ["https://page/elf/%23run=x", "https://page/elf/"],
  ["https://page/elf/#main", "https://page/elf/#main"],
])("lets go of the run it tells of, and of what is to be made of that: %s", (href, rest) => {
  expect(addressWithoutRun(href)).toBe(rest);
});

it.each([
  ["?model=tiny-model&amp;backend=wasm"],
  ["?model%3Dtiny-model%26backend%3Dwasm"],
  ["?model%253Dtiny-model%2526backend%253Dwasm"],
  ["?model=tiny-model&backend=wasm)."],
  ["?backend=wasm&model=tiny-model%E2%80%8B&utm_source=mail&fbclid=x"],
  ["?utm_source=mail&model=tiny-model%22%3E&backend=wasm%20"],
  ["?model=3Dtiny-model&backend=3Dwasm"],
  ["?model=3Dtiny-mo=del&backend=3Dwa=sm"],
  ["?model\\u003dtiny-model\\u0026backend\\u003dwasm"],
  ["?model=tiny\u2013model&backend=wasm"],
])("takes them from an address that was mangled on its way: %s", (search) => {
  expect(readAddress(search)).toMatchObject({ model: "tiny-model", backend: "wasm", problem: null });
});
