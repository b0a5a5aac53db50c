import { expect } from "@playwright/test";
import { test } from "../source-pages";

for (const dtype of ["q8", "q4"] as const) {
  test(`weights of ${dtype} that stay packed on WebGPU give what Python stored`, async ({ gpuPage }) => {
    const tested = await gpuPage.evaluate((of) => window.gpu.testPacked("tiny-packed", of), dtype);
    expect(tested).toEqual(["prefix", "denoiser", "decoder"]);
  });
}
