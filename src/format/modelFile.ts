import * as z from "zod/mini";

/** A path inside a model's folder. */
export const modelPath = z
  .string()
  .check(
    z.regex(
      /^(?!\/)(?!.*(^|\/)\.\.?(\/|$))[^\\:?#]+$/,
      "must be a path inside the model's folder, with forward slashes",
    ),
  );

/** A file of a model's folder, as its manifest lists it. */
export const modelFile = z.object({
  path: modelPath,
  bytes: z.int().check(z.minimum(0)),
  sha256: z.string().check(z.regex(/^[0-9a-f]{64}$/, "must be 64 lower-case hexadecimal digits")),
});
