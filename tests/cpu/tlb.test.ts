import { suite } from "uvu";
import * as assert from "uvu/assert";
import { Arena } from "../../cpu/arena";
import { MINIMAL_TLB, STANDARD_COSTS, STANDARD_TLB, type TlbGeometry, UNBOUNDED_TLB } from "../../cpu/costs";
import { creg } from "../../cpu/encoder";
import { ChargedTlb, tlbBytes } from "../../cpu/tlb";
import { ACCESSED, at, CR0_WP, DIRTY, EAX, EBX, ECX, FREE, GLOBAL, LARGE, PRESENT, Rig, USER, WRITE } from "./rig";

const test = suite("cpu/tlb");

function tlbOf(geometry: TlbGeometry): ChargedTlb {
  return new ChargedTlb(new Arena(new ArrayBuffer(tlbBytes(geometry)), 0), geometry);
}

const CODE = FREE;
const PAGE = 0x00c00000;
const FIRST = 0x200000;
const SECOND = 0x210000;
const PSE = 0x10;
const PGE = 0x80;
const { walkRead, walkUpdate } = STANDARD_COSTS;

/** Paging on, PAGE on FIRST, and code that reads PAGE into EAX. */
function rigWith(tlb: TlbGeometry = STANDARD_TLB, cr4 = 0): Rig {
  const rig = new Rig({ tlb, memoryBytes: 8 << 20 });
  rig.code(CODE, ["mov", EAX, at(null, PAGE)], ["int", 0x80]);
  rig.map(CODE, CODE).map(PAGE, FIRST).page(CR0_WP, cr4);
  rig.word(FIRST, 1);
  rig.word(SECOND, 2);
  return rig;
}

function read(rig: Rig): number {
  rig.ring(0);
  assert.is(rig.run(CODE)?.vector, 0x80);
  return rig.cpu.register(0);
}

test("a changed entry is not seen until INVLPG or a load of CR3", () => {
  for (const tlb of [STANDARD_TLB, UNBOUNDED_TLB]) {
    const rig = rigWith(tlb);
    assert.is(read(rig), 1);
    rig.map(PAGE, SECOND);
    assert.is(read(rig), 1, "stale");
    rig.code(CODE + 0x100, ["invlpg", at(null, PAGE + 0x123, 0)], ["int", 0x80]);
    rig.ring(0).run(CODE + 0x100);
    assert.is(read(rig), 2, "after INVLPG");
    rig.word(rig.pte(PAGE), 0);
    assert.is(read(rig), 2, "stale, though gone");
    rig.code(CODE + 0x200, ["mov", ECX, creg(3)], ["mov", creg(3), ECX], ["int", 0x80]);
    rig.ring(0).run(CODE + 0x200);
    assert.is(rig.ring(0).run(CODE)?.vector, 14, "after CR3");
  }
});

test("rights are kept as they were: a stale write right lasts, and a new one is seen after its fault", () => {
  const rig = rigWith();
  rig.code(CODE + 0x100, ["mov", at(null, PAGE), EBX], ["int", 0x80]);
  assert.is(rig.run(CODE + 0x100)?.vector, 0x80);
  rig.map(PAGE, FIRST, PRESENT | ACCESSED | DIRTY);
  assert.is(rig.ring(0).run(CODE + 0x100)?.vector, 0x80, "stale right");
  rig.cpu.setControl(3, rig.cpu.control(3));
  assert.is(rig.ring(0).run(CODE + 0x100)?.vector, 14);
  // The fault itself drops the entry, so that what the handler grants is seen without a flush.
  read(rig);
  rig.map(PAGE, FIRST, PRESENT | WRITE);
  assert.is(rig.ring(0).run(CODE + 0x100)?.vector, 14, "one fault from the stale entry");
  assert.is(rig.ring(0).run(CODE + 0x100)?.vector, 0x80);
});

test("the first write through a clean entry walks again and sets the dirty bit", () => {
  const rig = rigWith();
  rig.code(CODE + 0x100, ["mov", at(null, PAGE), EBX], ["int", 0x80]);
  read(rig);
  assert.is(rig.word(rig.pte(PAGE)) & (ACCESSED | DIRTY), ACCESSED);
  // The walk sees the table of now.
  rig.map(PAGE, SECOND);
  rig.cpu.setRegister(3, 77);
  assert.is(rig.ring(0).run(CODE + 0x100)?.vector, 0x80);
  assert.is(rig.word(SECOND), 77);
  assert.is(rig.word(rig.pte(PAGE)) & (ACCESSED | DIRTY), ACCESSED | DIRTY);
  assert.is(read(rig), 77);
});

test("walks are charged: a hit nothing, a miss two reads, bits set once more", () => {
  const rig = rigWith();
  const cost = (): number => {
    rig.ring(0);
    const before = rig.cpu.cycles;
    rig.run(CODE);
    return rig.cpu.cycles - before;
  };
  cost();
  const hit = cost();
  rig.code(CODE + 0x100, ["invlpg", at(null, PAGE, 0)], ["int", 0x80]);
  rig.ring(0).run(CODE + 0x100);
  assert.is(cost() - hit, 2 * walkRead);
  rig.word(rig.pte(PAGE), FIRST | PRESENT);
  rig.ring(0).run(CODE + 0x100);
  assert.is(cost() - hit, 2 * walkRead + walkUpdate);
  rig.word(rig.pte(PAGE), FIRST | PRESENT);
  rig.word(rig.pde(PAGE), rig.word(rig.pde(PAGE)) & ~ACCESSED);
  rig.ring(0).run(CODE + 0x100);
  assert.is(cost() - hit, 2 * walkRead + 2 * walkUpdate);
});

test("sets and ways: the fifth page of a set turns the first out, whatever was hit in between", () => {
  const rig = rigWith();
  // A set that neither the code nor the rig's tables are in.
  const linear = (i: number): number => PAGE + 0x8000 + i * 16 * 0x1000;
  const load = (i: number): number => {
    rig.code(CODE + 0x400, ["mov", EAX, at(null, linear(i))], ["int", 0x80]);
    assert.is(rig.ring(0).run(CODE + 0x400)?.vector, 0x80);
    return rig.cpu.register(0);
  };
  for (let i = 0; i < 5; i++) rig.map(linear(i), FIRST);
  for (const i of [0, 1, 2, 3, 0, 0]) load(i);
  for (let i = 0; i < 5; i++) rig.map(linear(i), SECOND);
  assert.equal([0, 1, 2, 3].map(load), [1, 1, 1, 1], "all in");
  assert.is(load(4), 2);
  assert.equal([1, 2, 3].map(load), [1, 1, 1], "the others still in");
  assert.is(load(0), 2, "turned out");
  assert.equal([2, 3, 4].map(load), [1, 1, 2]);
  assert.is(load(1), 2, "its turn was next");
});

test("global pages outlive CR3, not INVLPG, and only with CR4.PGE", () => {
  for (const pge of [0, PGE]) {
    const rig = rigWith(STANDARD_TLB, pge);
    rig.map(PAGE, FIRST, PRESENT | GLOBAL);
    read(rig);
    rig.map(PAGE, SECOND, PRESENT | GLOBAL);
    rig.cpu.setControl(3, rig.cpu.control(3));
    assert.is(read(rig), pge ? 1 : 2);
    rig.code(CODE + 0x100, ["invlpg", at(null, PAGE, 0)], ["int", 0x80]);
    rig.ring(0).run(CODE + 0x100);
    assert.is(read(rig), 2);
  }
});

test("a change of CR4.PGE or PSE drops everything", () => {
  const rig = rigWith(STANDARD_TLB, PGE);
  rig.map(PAGE, FIRST, PRESENT | GLOBAL);
  read(rig);
  rig.map(PAGE, SECOND, PRESENT | GLOBAL);
  rig.cpu.setControl(4, PGE | PSE);
  assert.is(read(rig), 2);
});

test("4 MB entries: one for all of the page, dropped whole, eight of them", () => {
  const rig = rigWith(STANDARD_TLB, PSE);
  rig.word(rig.pde(PAGE), 0x400000 | PRESENT | WRITE | LARGE);
  rig.word(0x400000, 5);
  rig.word(0x400000 + 0x123000, 6);
  rig.code(CODE + 0x100, ["mov", EBX, at(null, PAGE + 0x123000)], ["int", 0x80]);
  rig.code(CODE + 0x200, ["invlpg", at(null, PAGE + 0x3ff000, 0)], ["int", 0x80]);
  assert.is(read(rig), 5);
  const before = rig.cpu.cycles;
  rig.ring(0).run(CODE + 0x100);
  const hit = rig.cpu.cycles - before;
  assert.is(rig.cpu.register(3), 6);
  rig.word(rig.pde(PAGE), 0);
  assert.is(read(rig), 5, "stale");
  rig.ring(0).run(CODE + 0x100);
  assert.is(rig.cpu.register(3), 6, "stale elsewhere in it");
  rig.ring(0).run(CODE + 0x200);
  assert.is(rig.ring(0).run(CODE)?.vector, 14);
  assert.is(rig.ring(0).run(CODE + 0x100)?.vector, 14);
  // A walk of a large page reads one entry.
  rig.word(rig.pde(PAGE), 0x400000 | PRESENT | WRITE | LARGE | ACCESSED);
  rig.ring(0);
  const again = rig.cpu.cycles;
  rig.run(CODE + 0x100);
  assert.is(rig.cpu.cycles - again - hit, walkRead);
});

test("many pages of a 4 MB entry go with it", () => {
  const rig = rigWith({ ...STANDARD_TLB, largeWays: 1 }, PSE);
  rig.word(rig.pde(PAGE), 0x400000 | PRESENT | WRITE | LARGE);
  for (let page = 0; page < 100; page++) {
    rig.code(CODE + 0x100, ["mov", EBX, at(null, PAGE + page * 0x1000)], ["int", 0x80]);
    rig.ring(0).run(CODE + 0x100);
  }
  const other = PAGE + 0x400000;
  rig.word(rig.pde(other), 0x400000 | PRESENT | LARGE);
  rig.code(CODE + 0x100, ["mov", EBX, at(null, other)], ["int", 0x80]);
  rig.ring(0).run(CODE + 0x100);
  rig.word(rig.pde(PAGE), 0);
  for (const page of [0, 31, 32, 99]) {
    rig.code(CODE + 0x100, ["mov", EBX, at(null, PAGE + page * 0x1000)], ["int", 0x80]);
    assert.is(rig.ring(0).run(CODE + 0x100)?.vector, 14, `page ${page}`);
  }
});

test("WP: a change is obeyed at once by what is already in", () => {
  const rig = rigWith();
  rig.map(PAGE, FIRST, PRESENT | USER | DIRTY | ACCESSED);
  rig.code(CODE + 0x100, ["mov", at(null, PAGE), EBX], ["int", 0x80]);
  rig.cpu.setControl(0, rig.cpu.control(0) & ~CR0_WP);
  assert.is(rig.ring(0).run(CODE + 0x100)?.vector, 0x80);
  rig.cpu.setControl(0, rig.cpu.control(0) | CR0_WP);
  assert.is(rig.ring(0).run(CODE + 0x100)?.vector, 14);
});

test("with one entry, every instruction makes progress all the same", () => {
  const rig = rigWith(MINIMAL_TLB);
  rig.code(CODE + 0xffe, ["add", EAX, at(null, PAGE + 0xffe)], ["int", 0x80]);
  rig.map(CODE + 0x1000, CODE + 0x1000).map(PAGE + 0x1000, SECOND);
  assert.is(rig.run(CODE + 0xffe)?.vector, 0x80);
  assert.is(rig.cpu.register(0), 0x20000);
});

test("the generator's victims repeat with its seed", () => {
  const geometry = { ...STANDARD_TLB, sets: 1, randomSeed: 7 };
  const victims = (seed: number): number[] => {
    const tlb = tlbOf({ ...geometry, randomSeed: seed });
    return Array.from({ length: 40 }, (_, i) => {
      const slot = tlb.chooseSmall(i << 12);
      tlb.setSmall(slot, i << 12, 0);
      return slot;
    });
  };
  assert.equal(victims(7), victims(7));
  assert.not.equal(victims(7), victims(8));
  assert.is(new Set(victims(7)).size, 4);
});

test("save and restore keep entries, turns and seed", () => {
  const one = tlbOf({ ...STANDARD_TLB, randomSeed: 3 });
  for (let i = 0; i < 200; i++) one.setSmall(one.chooseSmall(i << 12), i << 12, i << 12);
  const two = tlbOf({ ...STANDARD_TLB, randomSeed: 3 });
  two.restore(one.save());
  for (let i = 0; i < 50; i++) {
    const [a, b] = [one, two].map((tlb) => tlb.chooseSmall(0x500000 + (i << 12)));
    assert.is(a, b);
    one.setSmall(a, i << 12, 0);
    two.setSmall(b, i << 12, 0);
  }
  assert.throws(() => tlbOf(MINIMAL_TLB).restore(one.save()), /geometry/);
});

test.run();
