/**
 * Whether what was built is still what the sources say, without reading them. A stamp is a listing, one line a file with its size
 * and times, of all sources and of what was built, taken when the latter was made of the former; as long as a new listing is
 * the same, letter by letter, nothing was changed, added or removed. It may say "changed" for no reason, and then the cache
 * decides by contents; it never says "unchanged" wrongly. May import files.
 *
 * The time of change (ctime) is what makes it safe: every write moves it, and nobody can set it. A file that was changed so
 * recently that its times might not tell a second change is not vouched for.
 */
import { mkdirSync, readFileSync, statSync } from "node:fs";
import path from "node:path";
import { CACHE_FOLDER, isMissing, isUnwritable, listFiles, writeWhole } from "./files";

/** Coarsest step of a file's times, in milliseconds: FAT's. */
const TIME_STEP = 2000;

/** What images are made from, relative to the root: folders with the files that count, and single files. */
export interface Sources {
  folders: readonly { folder: string; ending: string }[];
  files: readonly string[];
}

export class Stamp {
  private readonly file: string;
  /** The sources at construction: a change while they are being read is then seen by the next. */
  private readonly sources: string;
  /** Whether all sources were at rest then. */
  private settled = true;

  /** `outputs`: absolute paths of what is built, in one folder. The stamp itself lies below dist/cache. */
  constructor(
    root: string,
    private readonly listed: Sources,
    private readonly outputs: readonly string[],
  ) {
    // Two folders with one name take turns: the stamp holds the whole paths.
    const name = path.relative(root, path.dirname(outputs[0])).replace(/[^\w.-]/g, "_");
    this.file = path.join(root, CACHE_FOLDER, `${name.slice(-100)}.stamp`);
    const restless = Date.now() - TIME_STEP;
    const { folders, files } = listed;
    const all = [...folders.flatMap(({ folder, ending }) => listFiles(root, folder, ending)), ...files];
    this.sources = all.map((file) => this.line(`${root}${path.sep}${file}`, restless)).join("");
  }

  /** Whether sources and outputs are as they were when it was written. */
  isCurrent(): boolean {
    try {
      return readFileSync(this.file, "utf8") === this.sources + this.outputLines();
    } catch (error) {
      if (isMissing(error)) return false;
      throw error;
    }
  }

  /** Whether a file, relative to the root and with it there or not, is among the sources: if not, its changes go unseen. */
  covers(file: string): boolean {
    const { folders, files } = this.listed;
    const below = ({ folder, ending }: Sources["folders"][number]): boolean =>
      file.startsWith(folder + path.sep) && file.endsWith(ending);
    return files.includes(file) || folders.some(below);
  }

  /** Vouches for the outputs as they stand. Where nothing can be written there is no stamp, and that is no error. */
  write(): void {
    if (!this.settled) return;
    try {
      mkdirSync(path.dirname(this.file), { recursive: true });
      writeWhole(this.file, this.sources + this.outputLines());
    } catch (error) {
      if (!isUnwritable(error)) throw error;
    }
  }

  private outputLines(): string {
    return this.outputs.map((file) => this.line(file, Infinity)).join("");
  }

  /** A file's line; one that changed after `restless` (in milliseconds) is not settled. */
  private line(file: string, restless: number): string {
    const status = statSync(file, { throwIfNoEntry: false });
    if (status === undefined) return `${file} missing\n`;
    const { size, mtimeMs, ctimeMs, ino } = status;
    if (ctimeMs > restless) this.settled = false;
    return `${file} ${size} ${mtimeMs} ${ctimeMs} ${ino}\n`;
  }
}
