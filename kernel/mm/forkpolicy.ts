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
 * Streak from which on fork copies a table. Measured by forktouch, whole costs of fork to exit in cycles: copying two full
 * tables that are both written wins 0.1 % of the cost of sharing them (6,258,513 against 6,264,000), copying one that is not
 * written loses 80 % (343,000 against 190,000). So a copy must be right some hundred times for each that is wrong.
 *
 * The stack's table needs no evidence: parent and child both return through it. Measured by forkstorm, fork + exec + exit:
 * 0.9435 of copy's cycles with that table copied, 0.9524 with it shared.
 */
export const COPY_AFTER: u32 = 8 * ONE_FORK;

/** The evidence of one table; inlined into the loops that read and write it. */
export class ForkPolicy {
  /** Notes that sharers of the table have gone different ways since the last fork. */
  @inline
  static diverged(table: TablePage): void {
    table.flags |= DIVERGED;
  }

  /** A fork of the table begins: brings its streak up to date and returns it, to be compared with COPY_AFTER. */
  @inline
  static begin(table: TablePage): u32 {
    const flags = table.flags;
    const history = flags & HISTORY_MASK;
    let streak: u32 = 0;
    if ((history & DIVERGED) != 0) streak = min<u32>(history - DIVERGED + ONE_FORK, COPY_AFTER);
    table.flags = (flags & ~HISTORY_MASK) | streak;
    return streak;
  }

  /** Gives a copy of a table the history of the original. */
  @inline
  static inherit(copy: TablePage, original: TablePage): void {
    copy.flags |= original.flags & HISTORY_MASK;
  }
}
