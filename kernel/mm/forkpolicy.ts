/**
 * What fork=auto copies instead of sharing: the table under the user stack pointer, and a table that had to be copied in the
 * end after each of this many forks. Everything else is shared, as the regret is lopsided: a shared table that gets written
 * under costs its copying later plus the dispatch and flush of one unshare; a copied one that nobody writes under costs the
 * frame, its clearing and a pass over its ptes for nothing.
 *
 * The evidence lies in the `flags` of the table's own struct Page, which fork reads anyway: no memory, and what a child did to
 * a table is known to its parent, since it is their common table that says it. Bits:
 *
 *     31                17      16     15              0
 *    +--------------------+----------+-----------------+
 *    |       streak       | diverged | page.ts's flags |
 *    +--------------------+----------+-----------------+
 *
 * streak: forks in succession after which the table had to be copied. diverged: since the last fork a sharer unshared it, or,
 * where fork copied it, its owner had to copy a page of it that another table maps too (so copying the table was no waste).
 * What a child did to a copy of its own is known to nobody: a streak that only children kept up begins anew.
 * Frees nothing and fails never; both modes but auto only write it. May import page.
 * Source: design of Phillips' proposal, lkml, February 2002, and of its critics (shpte, 2002: tiny processes got slower).
 */
import { HISTORY_SHIFT, TablePage } from "./page";

/** The bits of a table's flags that are ours. */
const HISTORY_MASK: u32 = ~((1 << HISTORY_SHIFT) - 1);
const DIVERGED: u32 = 1 << HISTORY_SHIFT;
/** One fork of streak. */
const ONE_FORK: u32 = DIVERGED << 1;

/**
 * When the evidence is enough. A copy that was right saves GAIN cycles, the unshare's fault and flush; one in vain loses a frame, its
 * clearing and two passes over its ptes. fork copies a table once the sharing of it has cost in its streak what one copy in
 * vain will cost when the streak ends: so it never loses more than it lost already, whatever programs do, and at most twice what was
 * unavoidable. Measured by `npm run bench:fork -- history`, in cycles a table, with p ptes that map a page:
 *
 *     GAIN  340        in vain  15,000 + 151 p
 *
 * The stack's table needs no evidence: parent and child both return through it.
 */
const BASE: u32 = 44;
const PAGES_SHIFT: u32 = 1;
/** Streaks are counted up to here: more than a full table needs. */
const MOST: u32 = 1023 * ONE_FORK;

/** The evidence of one table; inlined into the loops that read and write it. */
export class ForkPolicy {
  /** Notes that sharers of the table have gone different ways since the last fork. */
  @inline
  static diverged(table: TablePage): void {
    table.flags |= DIVERGED;
  }

  /** A fork of the table begins: brings its streak up to date. Whether the table is to be copied. */
  @inline
  static begin(table: TablePage): bool {
    const flags = table.flags;
    const history = flags & HISTORY_MASK;
    let streak: u32 = 0;
    if ((history & DIVERGED) != 0) streak = min<u32>(history - DIVERGED + ONE_FORK, MOST);
    table.flags = (flags & ~HISTORY_MASK) | streak;
    return streak >= (BASE + (table.present >> PAGES_SHIFT)) * ONE_FORK;
  }

  /** Gives a copy of a table the history of the original. */
  @inline
  static inherit(copy: TablePage, original: TablePage): void {
    copy.flags |= original.flags & HISTORY_MASK;
  }
}
