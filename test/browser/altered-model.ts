/** Models that do not fit their self-test: to the page they are what a device is that computes wrongly. */
import { createHash } from "node:crypto";
import type { Page } from "@playwright/test";

interface Manifest {
  readonly defaultDtype: string;
  readonly dtypes: Record<string, { readonly selfTest: string }>;
  readonly graphs: Record<string, { readonly fused?: string }>;
  readonly files: { path: string; bytes: number; sha256: string }[];
}

/** Serves a model whose self-test expects of `tensor`, called like "denoiser.x_hat", a tenth more than its graph gives. */
export function spoilSelfTest(page: Page, model: string, tensor: string): Promise<void> {
  const pathOf = ({ dtypes, defaultDtype }: Manifest) => dtypes[defaultDtype]?.selfTest;
  return alterFile(page, model, pathOf, (file) => {
    const start = 8 + Number(file.readBigUInt64LE(0));
    const header = JSON.parse(file.toString("utf8", 8, start)) as Record<string, { data_offsets: [number, number] }>;
    const [first, end] = header[tensor]?.data_offsets ?? [0, 0];
    if (first === end) throw new Error(`The self-test has no ${tensor}.`);
    for (let at = start + first; at < start + end; at += 4) file.writeFloatLE(file.readFloatLE(at) * 1.1, at);
  });
}

/** Serves a model whose fused denoiser weighs its attention twice as sharply as it should. */
export function spoilFusedDenoiser(page: Page, model: string): Promise<void> {
  return alterFile(
    page,
    model,
    ({ graphs }) => graphs.denoiser?.fused,
    (file) => {
      // In ONNX a node's attribute is its name, the tag of a float, and the float.
      const attribute = Buffer.from("scale\x15", "latin1");
      let at = file.indexOf(attribute);
      if (at < 0) throw new Error("The fused denoiser has no attribute called scale.");
      for (; at >= 0; at = file.indexOf(attribute, at + 1)) {
        const place = at + attribute.length;
        file.writeFloatLE(2 * file.readFloatLE(place), place);
      }
    },
  );
}

async function alterFile(
  page: Page,
  model: string,
  pathOf: (manifest: Manifest) => string | undefined,
  alter: (file: Buffer) => void,
): Promise<void> {
  await page.route(`**/models/${model}/manifest.json`, async (route) => {
    const response = await route.fetch();
    const manifest = (await response.json()) as Manifest;
    const path = pathOf(manifest);
    const entry = manifest.files.find((file) => file.path === path);
    if (!entry) throw new Error(`${model} has no such file.`);
    const stored = await page.request.get(new URL(entry.path, route.request().url()).href);
    const altered = Buffer.from(await stored.body());
    alter(altered);
    entry.sha256 = createHash("sha256").update(altered).digest("hex");
    await page.route(`**/models/${model}/${path}`, (other) => other.fulfill({ status: 200, body: altered }));
    await route.fulfill({ response, json: manifest });
  });
}
