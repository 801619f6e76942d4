/**
 * Which table each directory shares in each slot: what memory does not tell any more once a directory has got its own, or none. May
 * import kernelview, pageentries.
 */
import type { KernelView } from "./kernelview";
import { type PageEntries, PRESENT } from "./pageentries";

export class SharedTables {
  /** Frame of the table, by the directory's frame << 10 | slot. */
  private readonly tables = new Map<number, number>();
  /** What the fork under way has shared: it is the child's too. */
  private readonly given = new Map<number, number>();

  constructor(
    private readonly entries: PageEntries,
    private readonly kernel: KernelView,
  ) {}

  /** Forgets what was known, and reads the directories of all processes. */
  readAll(): void {
    this.tables.clear();
    this.given.clear();
    for (const { directory } of this.kernel.tasks()) if (directory >= 0) this.read(directory);
  }

  private read(directory: number): void {
    for (let slot = 0; slot < this.kernel.userSlots; slot++) {
      const pde = this.entries.inDirectory(directory, slot);
      if ((pde & PRESENT) !== 0 && this.kernel.usersOf(pde >>> 12) > 1) this.note(directory, slot, pde >>> 12);
    }
  }

  private note(directory: number, slot: number, table: number): void {
    this.tables.set((directory << 10) | slot, table);
  }

  /** A directory, which forks, shares a table. */
  share(directory: number, slot: number, table: number): void {
    this.note(directory, slot, table);
    this.given.set(slot, table);
  }

  /** The fork is done: its child has this directory. */
  forked(directory: number): void {
    for (const [slot, table] of this.given) this.note(directory, slot, table);
    this.given.clear();
  }

  /** The table that a directory shared in a slot, of which it has just given up its use; -1: not known. */
  take(directory: number, slot: number): number {
    const key = (directory << 10) | slot;
    const table = this.tables.get(key) ?? -1;
    this.tables.delete(key);
    return table;
  }
}
