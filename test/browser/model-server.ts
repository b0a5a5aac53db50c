import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { NastyServer } from "./nasty-server";

interface ManifestText {
  title: string;
  description: string;
  files: { path: string; bytes: number; sha256: string }[];
}

/** A server of one of the fixtures' models, under `NAME/`, whose files and manners can be changed. */
export class ModelServer extends NastyServer {
  url = "";

  private constructor(
    readonly name: string,
    files: Map<string, Buffer>,
  ) {
    super(files);
  }

  static async of(name: string): Promise<ModelServer> {
    const folder = join(import.meta.dirname, "../fixtures", name);
    const files = new Map<string, Buffer>();
    for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true })) {
      const path = join(entry.parentPath, entry.name);
      if (entry.isFile()) files.set(`${name}${path.slice(folder.length)}`, readFileSync(path));
    }
    const server = new ModelServer(name, files);
    server.url = `${await server.start()}${name}/`;
    return server;
  }

  /** Puts other bytes in the place of a file and tells the manifest so. */
  replace(path: string, change: (bytes: Buffer) => Buffer): void {
    const files = this.files as Map<string, Buffer>;
    const bytes = change(files.get(`${this.name}/${path}`) ?? Buffer.alloc(0));
    files.set(`${this.name}/${path}`, bytes);
    this.rewrite((manifest) => {
      const file = manifest.files.find((entry) => entry.path === path);
      if (!file) throw new Error(`${this.name} has no ${path}.`);
      file.bytes = bytes.length;
      file.sha256 = createHash("sha256").update(bytes).digest("hex");
    });
  }

  /** Changes the manifest. */
  rewrite(change: (manifest: ManifestText) => void): void {
    const files = this.files as Map<string, Buffer>;
    const path = `${this.name}/manifest.json`;
    const manifest = JSON.parse(files.get(path)?.toString() ?? "") as ManifestText;
    change(manifest);
    files.set(path, Buffer.from(JSON.stringify(manifest)));
  }

  /** Requests for the files of the model, its manifest left out. */
  get filesAsked() {
    return this.asked.filter(({ path }) => !path.endsWith("manifest.json"));
  }
}
