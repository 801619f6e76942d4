/** #AC(0) of every access of every form, by the manual's table of alignments (volume 3, table 6-7); and where there is none. */
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { FORMS } from "./forms";
import { boundaryOf, Ground, placeOf } from "./ground";

const test = suite("cpu/faults/alignment");

const AC = 17;
const AC_FLAG = 0x40000;
const ground = new Ground();

test("an access off its alignment by half of it, or by one, is #AC(0); on it, there is none", () => {
  let faults = 0;
  for (const form of FORMS) {
    for (const access of form.accesses) {
      if (form.privileged && !/^(ins|outs)/.test(form.row.mnemonic)) continue;
      const { alignment } = access;
      const aligned = placeOf(access) + alignment;
      const text = `${form.name}, ${alignment} bytes`;
      const on = ground.attempt(form, { moved: { access, to: aligned }, alignmentCheck: true });
      assert.is.not(on?.vector, AC, text);
      for (const off of new Set([alignment >> 1, 1])) {
        if (alignment === 1) continue;
        faults++;
        const moved = { access, to: aligned + off };
        ground.expectFault(ground.attempt(form, { moved, alignmentCheck: true }), text, AC, 0);
        assert.is.not(ground.attempt(form, { moved })?.vector, AC, `${text}: neither AM nor AC`);
        const flagOnly = ground.attempt(form, { moved, flags: 0x38d7 | AC_FLAG });
        assert.is.not(flagOnly?.vector, AC, `${text}: AC without AM`);
      }
      if (alignment === 1) continue;
      // Also where it crosses into another page.
      const across = { access, to: boundaryOf(access) - 1 };
      ground.expectFault(ground.attempt(form, { moved: across, alignmentCheck: true }), `${text} across`, AC, 0);
    }
  }
  assert.ok(faults > 400, String(faults));
});

test("#AC comes before a page fault of the same access", () => {
  for (const form of FORMS) {
    for (const access of form.accesses) {
      if (access.alignment === 1 || (form.privileged && !/^(ins|outs)/.test(form.row.mnemonic))) continue;
      const to = placeOf(access) + 1;
      const spoil = () => ground.setPage(to, 0);
      ground.expectFault(
        ground.attempt(form, { moved: { access, to }, spoil, alignmentCheck: true }),
        form.name,
        AC,
        0,
      );
    }
  }
});

test("ring 0 checks no alignment, with AM and AC set", () => {
  for (const form of FORMS) {
    if (!form.privileged) continue;
    for (const access of form.accesses) {
      const moved = { access, to: placeOf(access) + 1 };
      const trap = ground.attempt(form, { moved, alignmentCheck: true, ring: 0 });
      assert.is.not(trap?.vector, AC, form.name);
    }
  }
});

test.run();
