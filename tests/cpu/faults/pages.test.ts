/** #PF of every access of every form, and of fetching it: not present, read-only, supervisor's; on the first and second page. */
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { RowFlag } from "../../../cpu/isa";
import { FORMS, UNKNOWN_ROWS } from "./forms";
import { boundaryOf, CODE, Ground, placeOf } from "./ground";

const test = suite("cpu/faults/pages");

const PF = 14;
const [PROTECTION, WRITE, USER] = [1, 2, 4];
const PAGE = 0x1000;

test("every row is an instruction of iced's, and most access memory", () => {
  assert.equal(UNKNOWN_ROWS, []);
  assert.ok(FORMS.filter((form) => form.accesses.length > 0).length > 400);
});

const ground = new Ground();

test("an access to a page that does not allow it: CR2, error code, nothing changed; with the right it runs", () => {
  let faults = 0;
  for (const form of FORMS) {
    const ring = (form.row.flags & RowFlag.Privileged) !== 0 ? 0 : 3;
    for (const access of form.accesses) {
      const bytes = access.last - access.first + 1;
      const who = ring === 3 ? USER : 0;
      const how = access.writes ? WRITE : 0;
      const places = [placeOf(access)];
      if (bytes > 1) places.push(boundaryOf(access) - 1, boundaryOf(access) - bytes + 1);
      for (const to of places) {
        for (const page of new Set([to & -PAGE, (to + bytes - 1) & -PAGE])) {
          for (const [what, flags, code] of [
            ["not present", WRITE | USER, 0],
            ["read-only", 1 | USER, access.writes ? PROTECTION : -1],
            ["supervisor's", 1 | WRITE, ring === 3 ? PROTECTION : -1],
          ] as const) {
            const text = `${form.name}: ${what}, ${bytes} bytes at 0x${to.toString(16)}, page 0x${page.toString(16)}`;
            const trap = ground.attempt(form, {
              moved: { access, to },
              spoil: () => ground.setPage(page, flags),
            });
            if (code < 0) {
              assert.is.not(trap?.vector, PF, text);
              continue;
            }
            faults++;
            ground.expectFault(trap, text, PF, code | how | who);
            // One value faults at its first byte in the page; of several it may be any.
            const first = Math.max(to, page);
            const cr2 = trap?.cr2 ?? 0;
            if (bytes <= access.alignment) assert.is(cr2, first, text);
            else assert.ok(cr2 >= first && cr2 <= Math.min(to + bytes, page + PAGE) - 1, `${text}: CR2 ${cr2}`);
          }
        }
      }
      assert.is.not(ground.attempt(form)?.vector, PF, `${form.name}: all pages there`);
    }
  }
  assert.ok(faults > 3000, String(faults));
});

test("a shift by a count of 0 wants to write its operand all the same", () => {
  let shifts = 0;
  for (const form of FORMS) {
    if (!/^(rol|ror|rcl|rcr|shl|shr|sar|shld|shrd)$/.test(form.row.mnemonic) || form.row.operands.includes("1"))
      continue;
    shifts++;
    const bytes = form.row.operands.includes("Ib") ? [...form.bytes.slice(0, -1), 0] : form.bytes;
    const spoil = () => ground.setPage(placeOf(form.accesses[0]), 1 | USER);
    const trap = ground.attempt(form, { bytes, registers: { 1: 0 }, spoil });
    ground.expectFault(trap, form.name, PF, PROTECTION | WRITE | USER);
  }
  assert.ok(shifts > 50, String(shifts));
});

test("fetching: the first byte, and the rest of an instruction that crosses into a page that is not there or not the user's", () => {
  for (const form of FORMS) {
    const ring = (form.row.flags & RowFlag.Privileged) !== 0 ? 0 : 3;
    for (const [before, missing] of [
      [0, CODE & -PAGE],
      [1, (CODE & -PAGE) + PAGE],
      [form.bytes.length - 1, (CODE & -PAGE) + PAGE],
    ]) {
      if (before >= form.bytes.length || (before === 0 && missing !== (CODE & -PAGE))) continue;
      const code = before === 0 ? CODE : missing - before;
      for (const [flags, error] of [
        [6, 0],
        [3, PROTECTION],
      ]) {
        if (ring === 0 && error !== 0) continue;
        const text = `${form.name} at 0x${code.toString(16)}`;
        const trap = ground.attempt(form, { code, spoil: () => ground.setPage(missing, flags) });
        ground.expectFault(trap, text, PF, error | (ring === 3 ? USER : 0), code);
        assert.is(trap?.cr2, before === 0 ? code : missing, text);
      }
    }
  }
});

test.run();
