/** What the built page allows itself, whatever its host says: a host's own policy can only forbid more. */
import type { Plugin } from "vite";

/**
 * As strict as models from elsewhere allow: nothing but the page's own scripts runs, no text becomes a script, and data alone
 * come from other hosts. Styles may stand in the page, for a dialog keeps what is behind it from scrolling by one.
 */
const DIRECTIVES = {
  "default-src": "'none'",
  "script-src": "'self' 'wasm-unsafe-eval'",
  // In a sandbox, where the page has no origin of its own, a line of data imports its workers.
  "worker-src": "'self' data:",
  "connect-src": "'self' https: http:",
  "style-src": "'self' 'unsafe-inline'",
  "font-src": "'self'",
  "img-src": "'self' data: blob:",
  "media-src": "blob:",
  "manifest-src": "'self'",
  "base-uri": "'none'",
  "form-action": "'none'",
  "require-trusted-types-for": "'script'",
  "trusted-types": "elf-playground",
};

/** Writes the policy into the head of the built page, before anything that it is about. */
export function ownPolicy(): Plugin {
  const content = Object.entries(DIRECTIVES)
    .map(([name, sources]) => `${name} ${sources}`)
    .join("; ");
  return {
    name: "elf:own-policy",
    // While it is developed the page is changed by scripts within it.
    apply: "build",
    transformIndexHtml: {
      order: "post",
      handler: (html) =>
        html.replace(
          /(<meta charset="utf-8" \/>)/,
          `$1\n    <meta http-equiv="Content-Security-Policy" content="${content}" />`,
        ),
    },
  };
}
