import { expect, it } from "vitest";
import { createEngine } from "./client";
import { EngineCrashedError } from "./errors";
import { createLibrary } from "./library";

const denied = (): Worker => {
  throw new DOMException("Access to the script is denied.", "SecurityError");
};

it("names a worker that may not be started, and asks for another when it is tried again", async () => {
  const engine = createEngine(denied, undefined);
  const request = { baseUrl: "models/a/", backend: "wasm" } as const;
  for (const _ of [1, 2]) await expect(engine.load(request, () => {})).rejects.toThrow(EngineCrashedError);
  await expect(createLibrary(denied).inventory()).rejects.toThrow(/may not start a worker: Access to the script/);
  await expect(createLibrary(denied).inventory()).rejects.toMatchObject({
    action: expect.stringContaining("worker-src"),
  });
  const untrusted = (): Worker => {
    throw new TypeError(
      "Failed to execute 'createPolicy' on 'TrustedTypePolicyFactory': Policy \"elf-playground\" disallowed.",
    );
  };
  await expect(createLibrary(untrusted).inventory()).rejects.toMatchObject({
    action: expect.stringContaining("trusted-types elf-playground"),
  });
});
