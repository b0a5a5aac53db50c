import { expect, it } from "vitest";
import { TraceError } from "../../format/trace";
import { fetchRecording } from "./recording";

const answering = (response: Response) => async () => response;

it("finds none where the server has none, answers with its page, or does not answer", async () => {
  expect(await fetchRecording("m", answering(new Response("", { status: 404 })))).toBeNull();
  const page = new Response("<html>", { headers: { "content-type": "text/html; charset=utf-8" } });
  expect(await fetchRecording("m", answering(page))).toBeNull();
  expect(await fetchRecording("m", () => Promise.reject(new TypeError("offline")))).toBeNull();
});

it("says that a file is broken, which is another thing than none", async () => {
  await expect(fetchRecording("m", answering(new Response("{")))).rejects.toThrow(TraceError);
});

it("asks beside the page", async () => {
  let asked = "";
  await fetchRecording("stories-mini", async (url) => {
    asked = String(url);
    return new Response("", { status: 404 });
  });
  expect(asked).toBe("traces/stories-mini.json");
});
