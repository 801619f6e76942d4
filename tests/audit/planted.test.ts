/**
 * Faults planted in the raw memory of a machine right after a fork: each is reported under the right invariant, with process, slot
 * and frame.
 */
import { suite } from "uvu";
import * as assert from "uvu/assert";
import type { Finding } from "../../tools/audit/view";
import { model, must, Spoilt } from "./planted";

const test = suite("audit/planted");
const { Page, TablePage, SlabPage, Cache, Vma, Mm } = model.fields;
const { write, kernelBase, pageStructShift } = model.constants;

type Expected = Partial<Pick<Finding, "invariant" | "pid" | "slot" | "frame">> & { says: RegExp };

/** Some finding has all of this. */
function assertReported(spoilt: Spoilt, expected: Expected): void {
  const { says, ...about } = expected;
  const found = spoilt.audit();
  const matches = found.some(
    (finding) =>
      says.test(finding.text) &&
      Object.entries(about).every(([key, value]) => finding[key as keyof typeof about] === value),
  );
  assert.ok(matches, `${JSON.stringify(about)} ${says} is not among:\n${spoilt.lines().join("\n")}`);
}

test("the machine as it is has nothing to report", () => assert.equal(new Spoilt().lines(), []));

test("I1: a use count too high, and one too low", () => {
  for (const difference of [1, -1]) {
    const spoilt = new Spoilt();
    const { frame, slot, sharers } = spoilt.sharedTable();
    spoilt.add(spoilt.view.page(frame) + TablePage.users, difference);
    assertReported(spoilt, {
      invariant: "I1",
      pid: sharers[0].pid,
      slot,
      frame,
      says: new RegExp(`^users is ${2 + difference}, expected 2`),
    });
  }
});

test("I1: a table that lost its only directory entry", () => {
  const spoilt = new Spoilt();
  const { frame, slot, sharers } = spoilt.ownTable();
  spoilt.set(spoilt.pde(sharers[0], slot), 0);
  assertReported(spoilt, { invariant: "I1", frame, says: /no directory points at/ });
});

test("I2: the pde of one sharer lets write", () => {
  const spoilt = new Spoilt();
  const { frame, slot, sharers } = spoilt.sharedTable();
  const pde = spoilt.pde(sharers[1], slot);
  spoilt.set(pde, spoilt.view.words[pde] | write);
  assertReported(spoilt, { invariant: "I2", pid: sharers[1].pid, slot, frame, says: /W = 1, expected 0: 2 users/ });
});

test("I2: a private page under two tables is writable in one", () => {
  const spoilt = new Spoilt();
  const frame = must(
    [...spoilt.view.mapCount.keys()].find((one) => spoilt.view.mapCount[one] > 1),
    "page under two tables",
  );
  const table = must(
    spoilt.view.tables.find((one) => ptesOf(spoilt, one.frame).some((index) => maps(spoilt, index, frame))),
    "table of it",
  );
  const index = must(
    ptesOf(spoilt, table.frame).find((one) => maps(spoilt, one, frame)),
    "pte",
  );
  spoilt.set(index, spoilt.view.words[index] | write);
  assertReported(spoilt, {
    invariant: "I2",
    slot: table.slot,
    frame,
    says: /mapped by 2 ptes, and 1 of them let write/,
  });
});

function ptesOf({ view }: Spoilt, frame: number): number[] {
  return Array.from({ length: 1024 }, (_, i) => (frame << 10) + i).filter((index) => view.words[index] !== 0);
}

function maps({ view }: Spoilt, index: number, frame: number): boolean {
  return view.words[index] >>> 12 === frame;
}

test("I3: sharers whose mappings differ in protection, or in extent", () => {
  for (const [field, change] of [
    [Vma.flags, (old: number) => old & ~2],
    [Vma.end, (old: number) => old - 4096],
  ] as const) {
    const spoilt = new Spoilt();
    const { frame, slot, sharers } = spoilt.sharedTable();
    const { words } = spoilt.view;
    let vma = spoilt.view.index(words[spoilt.view.index(sharers[1].mm) + Mm.vmas]);
    while (words[vma + Vma.end] <= slot * 0x400000) vma = spoilt.view.index(words[vma + Vma.next]);
    spoilt.set(vma + field, change(words[vma + field]));
    assertReported(spoilt, { invariant: "I3", pid: sharers[1].pid, slot, frame, says: /^sharers differ at 0x6/ });
  }
});

test("I4: a page whose reverse map names another's pte, is empty, or leads nowhere", () => {
  for (const [change, says] of [
    [(rmap: number) => rmap + 4, /names the pte of 0x60001000 in table/],
    [() => 0, /has 0 entries, expected 1; mapped at 0x60000000/],
    [() => kernelBase + 0x1004, /in no chain block/],
    [() => 0xfffff001, /in no table/],
  ] as const) {
    const spoilt = new Spoilt();
    const table = spoilt.sharedTable();
    const frame = spoilt.view.words[spoilt.pte(table)] >>> 12;
    const rmap = spoilt.view.page(frame) + Page.rmap;
    spoilt.set(rmap, change(spoilt.view.words[rmap]));
    assertReported(spoilt, { invariant: "I4", pid: table.sharers[0].pid, slot: table.slot, frame, says });
  }
});

test("I4: a chain with an entry twice, and a chain block that is in no chain", () => {
  const spoilt = new Spoilt();
  const frame = must(
    [...spoilt.view.mapCount.keys()].find((one) => spoilt.view.mapCount[one] === 2),
    "page with a chain",
  );
  const rmap = spoilt.view.page(frame) + Page.rmap;
  const newest = spoilt.view.index(spoilt.view.words[rmap]);
  spoilt.set(newest, spoilt.view.words[newest - 1]);
  assertReported(spoilt, { invariant: "I4", frame, says: /twice/ });
  spoilt.set(rmap, spoilt.view.words[newest - 1] | 1);
  assertReported(spoilt, { invariant: "I4", says: /chain blocks are in use, expected/ });
});

test("I4: a reference too many", () => {
  const spoilt = new Spoilt();
  const { slot, sharers, ...table } = spoilt.sharedTable();
  const frame = spoilt.view.words[spoilt.pte({ slot, sharers, ...table })] >>> 12;
  spoilt.add(spoilt.view.page(frame) + Page.count, 1);
  assertReported(spoilt, { invariant: "I4", pid: sharers[0].pid, slot, frame, says: /^count is 2, expected 1/ });
});

test("I5: present, swapped and locked", () => {
  for (const name of ["present", "swapped", "locked"] as const) {
    const spoilt = new Spoilt();
    const { frame, slot, sharers } = spoilt.sharedTable();
    spoilt.add(spoilt.view.page(frame) + TablePage[name], 1);
    assertReported(spoilt, { invariant: "I5", pid: sharers[0].pid, slot, frame, says: new RegExp(`^${name} is`) });
  }
});

test("I6: a translation that may write outlives its pte's W; one outlives its pte; one maps another frame", () => {
  for (const [change, says] of [
    [(pte: number) => pte & ~write, /lets write, which the tables do not/],
    [() => 0, /still maps, which the tables do not/],
    [(pte: number) => pte + 0x1000, /maps the wrong frame/],
  ] as const) {
    const spoilt = new Spoilt();
    const entry = must(
      spoilt.machine.tlbEntries().find(({ user, bytes, writable }) => user && bytes === 4096 && writable),
      "writable translation",
    );
    const cr3 = spoilt.machine.registers.cr3;
    const slot = entry.linear >>> 22;
    const pde = spoilt.view.words[(cr3 >>> 2) + slot];
    const pte = ((pde & ~0xfff) >>> 2) + ((entry.linear >>> 12) & 1023);
    spoilt.set(pte, change(spoilt.view.words[pte]));
    const pid = must(
      spoilt.family.find(({ directory }) => directory === cr3 >>> 12),
      "current process",
    ).pid;
    assertReported(spoilt, { invariant: "I6", pid, slot, frame: entry.physical >>> 12, says });
  }
});

test("I7: a reservation that was never ended", () => {
  const spoilt = new Spoilt();
  spoilt.add(spoilt.view.index(model.constants.chainCache) + Cache.reserved, 5);
  assertReported(spoilt, { invariant: "I7", says: /32-byte objects still has 5 reserved/ });
});

test("free lists: a block that is lost, one that is listed twice, a frame in use among them, a wrong count", () => {
  const order = 0;
  const headOf = (spoilt: Spoilt) => spoilt.view.index(model.constants.freeAreas + (order << pageStructShift));
  const firstFree = (spoilt: Spoilt) => {
    for (let k = 0; k <= model.constants.maxOrder; k++) {
      const head = spoilt.view.index(model.constants.freeAreas + (k << pageStructShift));
      const frame = spoilt.view.frameOfPage(spoilt.view.words[head + Page.next]);
      if (frame >= 0) return { frame, head, page: spoilt.view.page(frame) };
    }
    throw new Error("no free block");
  };
  const lost = new Spoilt();
  const first = firstFree(lost);
  lost.set(first.head + Page.next, lost.view.words[first.page + Page.next]);
  assertReported(lost, { invariant: "frames", frame: first.frame, says: /a free frame in no free list/ });

  const twice = new Spoilt();
  const { page } = firstFree(twice);
  const { frame } = firstFree(twice);
  twice.set(page + Page.next, kernelBase + page * 4);
  assertReported(twice, { invariant: "frames", frame, says: /in the free lists twice/ });

  const used = new Spoilt();
  const table = used.sharedTable().frame;
  used.set(headOf(used) + Page.next, kernelBase + used.view.page(table) * 4);
  assertReported(used, { invariant: "frames", frame: table, says: /a table frame in a free list/ });

  const wild = new Spoilt();
  wild.set(headOf(wild) + Page.next, 0x1234);
  assertReported(wild, { invariant: "frames", says: /leads to 0x1234, which is no frame's/ });

  const count = new Spoilt();
  count.add(count.view.index(model.variables.freeCount), 3);
  assertReported(count, { invariant: "frames", says: /^freeCount is/ });
});

test("a free frame that is mapped", () => {
  const spoilt = new Spoilt();
  const { frames } = spoilt.view;
  const free = must(
    Array.from({ length: frames }, (_, frame) => frame).find((frame) => spoilt.view.kind(frame) === 0),
    "free frame",
  );
  const table = spoilt.sharedTable();
  const pte = spoilt.pte(table, 2);
  spoilt.set(pte, (free << 12) | (spoilt.view.words[pte] & 0xfff));
  assertReported(spoilt, {
    invariant: "frames",
    pid: table.sharers[0].pid,
    slot: table.slot,
    frame: free,
    says: /a free frame is mapped by 1 ptes/,
  });
});

test("a pte outside of every mapping, and one that lets write where the mapping does not", () => {
  const outside = new Spoilt();
  const table = outside.view.tables.find(({ slot }) => slot === 767);
  const stack = must(table, "table of a stack");
  outside.set(stack.frame << 10, outside.view.words[outside.pte(stack)]);
  assertReported(outside, { invariant: "mappings", slot: 767, says: /nothing is mapped there/ });

  const protectedText = new Spoilt();
  const text = must(
    protectedText.view.tables.find(({ slot }) => slot === 0x08048000 >>> 22),
    "table of a text",
  );
  const pte = protectedText.pte(text);
  protectedText.set(pte, protectedText.view.words[pte] | write);
  assertReported(protectedText, { invariant: "mappings", slot: text.slot, says: /writable, its mapping is not/ });
});

test("an address space that counts a task too many, or too few", () => {
  for (const difference of [1, -1]) {
    const spoilt = new Spoilt();
    const [{ mm, pid }] = spoilt.family;
    spoilt.add(spoilt.view.index(mm) + Mm.users, difference);
    const says = new RegExp(`^users of the address space is ${1 + difference}, 1 tasks use it`);
    assertReported(spoilt, { invariant: "mappings", pid, says });
  }
});

test("slabs: a wrong count of objects in use, and a cache's wrong count of free ones", () => {
  const spoilt = new Spoilt();
  const { view } = spoilt;
  const frame = must(
    Array.from({ length: view.frames }, (_, one) => one).find((one) => view.kind(one) === model.constants.slab),
    "slab",
  );
  spoilt.add(view.page(frame) + SlabPage.inUse, 1);
  spoilt.add(view.index(view.words[view.page(frame) + SlabPage.cache]) + Cache.free, 1);
  assertReported(spoilt, { invariant: "slabs", frame, says: /^inUse is/ });
  assertReported(spoilt, { invariant: "slabs", says: /counts \d+ free, expected/ });
});

test("a list of mappings that is broken ends the audit of that part, not the auditor", () => {
  const spoilt = new Spoilt();
  spoilt.set(spoilt.view.index(spoilt.family[0].mm) + Mm.vmas, 0x77777777);
  assertReported(spoilt, { invariant: "frames", says: /0x77777777 lies outside of memory/ });
});

test.run();
