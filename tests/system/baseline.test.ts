/** The baseline is honest: fork=copy's inner loop, as our compiler makes it, against gcc -O2's of the same loop in C. */
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { gccPerPte, ourPerPte } from "../../tools/lab/loop";
import { builtImages } from "../guest/guest";
import { needCommand } from "../skip";

const test = suite("system/baseline");
const built = await builtImages();

/** At most so many times gcc's instructions for a pte. */
const MOST = 1.3;

test(`fork=copy's inner loop is at most ${MOST} times gcc -O2's`, () => {
  needCommand("gcc");
  const gcc = gccPerPte(process.cwd()) ?? 0;
  const ours = ourPerPte(built);
  console.log(
    `instructions a pte: ours ${ours.toFixed(1)}, gcc -O2 ${gcc.toFixed(1)}, ratio ${(ours / gcc).toFixed(2)}`,
  );
  assert.ok(gcc > 20, `gcc's loop was counted: ${gcc}`);
  assert.ok(ours > 20, `our loop was counted, and not inlined elsewhere: ${ours}`);
  assert.ok(ours <= MOST * gcc, `${ours.toFixed(1)} instructions a pte, gcc has ${gcc.toFixed(1)}`);
});

test.run();
