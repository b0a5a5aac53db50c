/** The checksum of the element's script that lies beside the page, as its build wrote it down; null where it did not. */
export async function scriptChecksum(pageUrl: string, fetchFile: typeof fetch = fetch): Promise<string | null> {
  try {
    const known: unknown = await (await fetchFile(new URL("embed/integrity.json", pageUrl))).json();
    const checksum = (known as Record<string, unknown> | null)?.["elf-playground.js"];
    return typeof checksum === "string" && /^sha384-[\w+/]+=*$/.test(checksum) ? checksum : null;
  } catch {
    return null;
  }
}
