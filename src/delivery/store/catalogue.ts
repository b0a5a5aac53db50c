import * as z from "zod/mini";
import { entriesOf, removeFile, writeText } from "./opfsStore";
import { Sha256 } from "./sha256";

/** What is remembered of a model that was loaded, or whose loading began. */
export interface ModelRecord {
  /** Folder that it came from; the model is known by it. */
  readonly baseUrl: string;
  /** The text of its `manifest.json`, which is checked again whenever it is read. */
  readonly manifest: string;
  /** Milliseconds since 1970. */
  readonly addedAt: number;
}

/** The models whose files are in the store, or were to be. */
export interface Catalogue {
  all(): Promise<ModelRecord[]>;
  get(baseUrl: string): Promise<ModelRecord | null>;
  put(record: ModelRecord): Promise<void>;
  remove(baseUrl: string): Promise<void>;
}

const schema = z.object({ baseUrl: z.string(), manifest: z.string(), addedAt: z.number() });

/** Keeps one small file for each model. */
export class OpfsCatalogue implements Catalogue {
  constructor(private readonly folder: FileSystemDirectoryHandle) {}

  async all(): Promise<ModelRecord[]> {
    const records: ModelRecord[] = [];
    for await (const [name] of entriesOf(this.folder)) {
      const record = await this.#read(name);
      if (record) records.push(record);
    }
    return records.sort((a, b) => a.addedAt - b.addedAt);
  }

  async get(baseUrl: string): Promise<ModelRecord | null> {
    const record = await this.#read(fileName(baseUrl));
    return record?.baseUrl === baseUrl ? record : null;
  }

  put(record: ModelRecord): Promise<void> {
    return writeText(this.folder, fileName(record.baseUrl), JSON.stringify(record));
  }

  remove(baseUrl: string): Promise<void> {
    return removeFile(this.folder, fileName(baseUrl));
  }

  async #read(name: string): Promise<ModelRecord | null> {
    try {
      const file = await (await this.folder.getFileHandle(name)).getFile();
      return schema.parse(JSON.parse(await file.text()));
    } catch {
      // Not there, or half written when the tab was closed: then nothing is remembered of it.
      return null;
    }
  }
}

/** For as long as the page lives. */
export class MemoryCatalogue implements Catalogue {
  readonly #records = new Map<string, ModelRecord>();

  async all(): Promise<ModelRecord[]> {
    return [...this.#records.values()];
  }

  async get(baseUrl: string): Promise<ModelRecord | null> {
    return this.#records.get(baseUrl) ?? null;
  }

  async put(record: ModelRecord): Promise<void> {
    this.#records.set(record.baseUrl, record);
  }

  async remove(baseUrl: string): Promise<void> {
    this.#records.delete(baseUrl);
  }
}

/** Addresses hold signs that file names may not. */
function fileName(baseUrl: string): string {
  const hash = new Sha256();
  hash.update(new TextEncoder().encode(baseUrl));
  return `${hash.hex()}.json`;
}
