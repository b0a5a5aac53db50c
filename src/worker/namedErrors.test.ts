import { expose, wrap } from "comlink";
import { describe, expect, it } from "vitest";
import { MissingFileError } from "../delivery/store/errors";
import { CancelledError, ElfError } from "../flow/errors";
import { NoModelError } from "../run/errors";
import { carryErrors, packError, unpackError } from "./namedErrors";

/** Every module of these folders but the workers, which speak to their page as soon as they are imported. */
const sources = import.meta.glob<Record<string, unknown>>(
  [
    "../{flow,format,delivery,runtime,run,worker}/**/*.ts",
    "!../**/*.test.ts",
    "!./worker.ts",
    "!./{library,judge}Worker.ts",
  ],
  { eager: true },
);

describe("named errors", () => {
  it("cross a real message port with class, code, message and action", async () => {
    carryErrors();
    const { port1, port2 } = new MessageChannel();
    expose(
      {
        missing: () => {
          throw new MissingFileError("There is no weights.bin.", "Export it.");
        },
        bug: () => {
          throw new TypeError("x is undefined");
        },
      },
      port1,
    );
    const remote = wrap<{ missing(): void; bug(): void }>(port2);
    const missing = await remote.missing().catch((error: unknown) => error);
    expect(missing).toBeInstanceOf(MissingFileError);
    expect(missing).toMatchObject({
      name: "MissingFileError",
      code: "missing-file",
      message: "There is no weights.bin.",
      action: "Export it.",
    });
    const bug = await remote.bug().catch((error: unknown) => error);
    expect(bug).toMatchObject({ name: "TypeError", message: "x is undefined" });
    expect(bug).not.toBeInstanceOf(ElfError);
    port1.close();
    port2.close();
  });

  it("come back as their own class, every one that these folders define", () => {
    const classes = Object.values(sources)
      .flatMap((module) => Object.values(module))
      .filter((value): value is new (message: string, action: string) => ElfError => isErrorClass(value));
    // TraceError stays on the page: recorded runs never pass through the worker.
    const crossing = classes.filter(({ name }) => name !== "TraceError");
    expect(crossing.length).toBeGreaterThan(12);
    for (const Named of crossing) {
      const back = unpackError(structuredClone(packError(new Named("what", "then"))));
      expect(back).toBeInstanceOf(Named);
      expect(back).toMatchObject({ name: Named.name, message: "what", action: "then" });
    }
  });

  it("are named by their code, whatever a minifier makes of the class", () => {
    const renamed = class a extends CancelledError {};
    expect(new renamed().name).toBe("CancelledError");
    expect(new NoModelError("", "").name).toBe("NoModelError");
  });

  it("make something readable of whatever else is thrown", () => {
    expect(unpackError(packError(42)).message).toBe("42");
    expect(unpackError(packError("aborted")).message).toBe("aborted");
  });
});

function isErrorClass(value: unknown): boolean {
  return typeof value === "function" && value !== ElfError && value.prototype instanceof ElfError;
}
