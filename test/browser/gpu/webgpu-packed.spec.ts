import { expect } from "@playwright/test";
import { slow } from "../slow";
import { test } from "../source-pages";

for (const dtype of ["q8", "q4"] as const) {
  test(
    `weights of ${dtype} that stay packed on WebGPU give what Python stored`,
    dtype === "q8" ? slow("three graphs, run in software") : {},
    async ({ gpuPage }) => {
      const tested = await gpuPage.evaluate((of) => window.gpu.testPacked("tiny-packed", of), dtype);
      expect(tested).toEqual(["prefix", "denoiser", "decoder"]);
    },
  );
}
