/**
 * Reverse mapping: for each data frame, the ptes that map it (I4: exactly those, one entry for each pte in a *table*,
 * however many processes share the table). An entry is the pte's kernel virtual address; its table's Page tells the rest:
 * the slot, and so the user address, and how many directories see it.
 *
 * Page.rmap is one of
 *     0                      mapped by no pte
 *     pte | 1                mapped by one: the direct case, which takes no memory
 *     address of the newest entry of a chain of two or more
 *
 * A chain is made of 32-byte blocks, aligned so, each one cache line: word 0 the address of the last entry of the next
 * block or 0, words 1 to 7 entries. Blocks but the first are full, so the newest entry is the last used word of the first
 * block: adding stores after it, until the address is that of a block's last word. A chain never has one entry: it goes
 * back to the direct case.
 *
 *     Page.rmap ───────────┐            ┌───────────────────────────────┐
 *                          v            │                               v
 *     │ next │ e7 │ e8 │ e9 │   │   │   │   │ 0 │ e0 │ e1 │ e2 │ e3 │ e4 │ e5 │ e6 │
 *        └──────────────────────────────┘
 *
 * Blocks come from a slab cache of their own. Whoever adds entries reserves a block for each beforehand (`chainReserve`), so
 * that adding cannot fail and copying a table is atomic.
 * May import layout, page, slab, vmstat. Source: Linux 2.5 (mm/rmap.c, struct pte_chain), van Riel; cache-line blocks, Phillips.
 */
import { PAGE_BYTES } from "./layout";
import { FrameKind, Page } from "./page";
import { Cache, Slab, slabCacheInit, slabGrow, slabReserve, slabUnreserve } from "./slab";
import { framesOfKind, vmstat } from "./vmstat";

const DIRECT: usize = 1;
const BLOCK_BYTES: u32 = 32;
const BLOCK_MASK: usize = 31;
/** Offset in a block of its first and last entries. */
const FIRST_ENTRY: usize = 4;
const LAST_ENTRY: usize = 28;

const chainCache: Cache = changetype<Cache>(memory.data(64, 16));

/** Whether there is a reverse map. Without one, Page.rmap stays 0, entries are neither added nor looked for, and no block is used. */
export let rmapKept: bool = true;

/** Turns the reverse map off for good (rmap=off). At boot, before the first page is mapped. */
export function keepNoRmap(): void {
  rmapKept = false;
}

/**
 * From now on the last slab of blocks is kept, used or not: a fork and exec that takes three blocks and gives them back would else
 * cut a new one each time, for 1,300 cycles. Once, at boot.
 */
export function keepSpareBlocks(): void {
  chainCache.spare = 1;
  slabGrow(chainCache);
}

/** Makes the block cache ready. Once, after pageAllocInit. */
export function rmapInit(): void {
  slabCacheInit(chainCache, BLOCK_BYTES, FrameKind.Chain);
}

/** Reserves a block for each of `entries` entries to come. False if there is no memory for them: nothing is reserved. */
export function chainReserve(entries: u32): bool {
  return !rmapKept || slabReserve(chainCache, entries);
}

/** Ends a reservation of `entries`, used or not. */
export function chainUnreserve(entries: u32): void {
  if (rmapKept) slabUnreserve(chainCache, entries);
}

/** Bytes of the chain blocks that are in use. */
export function chainBytes(): u32 {
  return framesOfKind(FrameKind.Chain) * PAGE_BYTES - chainCache.free * BLOCK_BYTES;
}

/** The adding and taking of an entry; inlined into the loops that copy and empty a table. */
export class Rmap {
  /** Takes a pte, which must be there, from the entries of a page. The caller counts. */
  @inline
  static remove(page: Page, pte: usize): void {
    const rmap = page.rmap;
    if ((rmap & BLOCK_MASK) == FIRST_ENTRY + 4 && load<usize>(rmap - 8) == 0) {
      // Of two entries, in one block, the other stays: the most frequent case, and alike for the older and the newer.
      const older = load<usize>(rmap - 4);
      const other = older ^ load<usize>(rmap) ^ pte;
      assert(other == older || pte == older, "a pte is in the rmap of the page that it maps");
      page.rmap = other | DIRECT;
      Slab.give(chainCache, rmap - 8);
    } else if (rmap == (pte | DIRECT)) page.rmap = 0;
    else removeFromChain(page, pte);
  }

  /** Adds a pte to a page that has an entry already. A block must be reserved. The caller counts. */
  @inline
  static addFurther(page: Page, pte: usize): void {
    const rmap = page.rmap;
    if ((rmap & DIRECT) != 0) {
      const block = Slab.take(chainCache);
      store<usize>(block, 0);
      store<usize>(block + FIRST_ENTRY, rmap ^ DIRECT);
      store<usize>(block + FIRST_ENTRY + 4, pte);
      page.rmap = block + FIRST_ENTRY + 4;
    } else if ((rmap & BLOCK_MASK) != LAST_ENTRY) {
      store<usize>(rmap + 4, pte);
      page.rmap = rmap + 4;
    } else {
      const block = Slab.take(chainCache);
      store<usize>(block, rmap);
      store<usize>(block + FIRST_ENTRY, pte);
      page.rmap = block + FIRST_ENTRY;
    }
  }
}

/** Adds `pte` to the entries of `page`. If it has some already, a block must be reserved. */
export function pageAddRmap(page: Page, pte: usize): void {
  if (!rmapKept) return;
  if (page.rmap == 0) page.rmap = pte | DIRECT;
  else Rmap.addFurther(page, pte);
  vmstat.rmapAdded++;
}

/** Takes `pte`, which must be there, out of the entries of `page`. Allocates nothing; gives back what falls empty. */
export function pageRemoveRmap(page: Page, pte: usize): void {
  if (!rmapKept) return;
  Rmap.remove(page, pte);
  vmstat.rmapRemoved++;
}

/** Takes a pte from a chain of three or more. */
function removeFromChain(page: Page, pte: usize): void {
  const rmap = page.rmap;
  assert((rmap & DIRECT) == 0, "a pte is in the rmap of the page that it maps");
  store<usize>(chainEntry(rmap, pte), load<usize>(rmap));
  dropNewest(page);
}

/** Where in the chain with the newest entry at `newest` a pte is. */
function chainEntry(newest: usize, pte: usize): usize {
  let entry = newest;
  while (load<usize>(entry) != pte) {
    if ((entry & BLOCK_MASK) == FIRST_ENTRY) {
      entry = load<usize>(entry - FIRST_ENTRY);
      assert(entry != 0, "a pte is in the rmap of the page that it maps");
    } else {
      entry -= 4;
    }
  }
  return entry;
}

/** The entry for pte `from`, which must be there, becomes one for pte `to`: mremap. Takes and frees nothing. */
export function pageMoveRmap(page: Page, from: usize, to: usize): void {
  if (!rmapKept) return;
  if ((page.rmap & DIRECT) == 0) {
    store<usize>(chainEntry(page.rmap, from), to);
    return;
  }
  assert(page.rmap == (from | DIRECT), "a pte is in the rmap of the page that it maps");
  page.rmap = to | DIRECT;
}

/** Takes the newest entry off a chain of three or more. A block that falls empty is freed. */
function dropNewest(page: Page): void {
  const rmap = page.rmap;
  if ((rmap & BLOCK_MASK) != FIRST_ENTRY) {
    page.rmap = rmap - 4;
    return;
  }
  page.rmap = load<usize>(rmap - FIRST_ENTRY);
  Slab.give(chainCache, rmap - FIRST_ENTRY);
}

/** The place in the rmap of `page` after `cursor`, newest entry first: begin with 0; 0 is the end. */
export function rmapNext(page: Page, cursor: usize): usize {
  if (cursor == 0) return page.rmap;
  if ((cursor & DIRECT) != 0) return 0;
  return (cursor & BLOCK_MASK) == FIRST_ENTRY ? load<usize>(cursor - FIRST_ENTRY) : cursor - 4;
}

/** Address of the pte at a cursor of rmapNext. */
export function rmapEntry(cursor: usize): usize {
  return (cursor & DIRECT) != 0 ? cursor ^ DIRECT : load<usize>(cursor);
}
