/** Hands a file to the browser, which puts it where the person has it put what is downloaded. */
export function saveAs(blob: Blob, name: string): void {
  const href = URL.createObjectURL(blob);
  const link = document.createElement("a");
  link.href = href;
  link.download = name;
  link.click();
  // The download has begun by then, and keeps what it reads.
  setTimeout(() => URL.revokeObjectURL(href), 10_000);
}
