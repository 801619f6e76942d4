/** Measured regions count only their own process, whatever runs in between. */
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { Mark, Region } from "../../kernel/abi/marks";
import { type RegionCount, Regions } from "../../tools/lab/regions";

const test = suite("lab/regions");

const mark = (kind: Mark, argument: number): number => ((kind << 24) | argument) >>> 0;
const region = (id: Region, tag: number): number => (id << 16) | tag;

/** Feeds (mark, instret) pairs, with ten cycles to an instruction; returns the finished regions. */
function feed(marks: readonly (readonly [value: number, instret: number])[]): RegionCount[] {
  const done: RegionCount[] = [];
  const regions = new Regions((count) => done.push(count));
  for (const [value, instret] of marks) regions.mark(value, instret, instret * 10);
  return done;
}

test("a region counts from its begin to its end", () => {
  const done = feed([
    [mark(Mark.Switch, 2), 50],
    [mark(Mark.RegionBegin, region(Region.Fork, 16)), 100],
    [mark(Mark.RegionEnd, region(Region.Fork, 16)), 350],
  ]);
  assert.equal(done, [{ id: Region.Fork, tag: 16, pid: 2, instructions: 250, cycles: 2500 }]);
});

test("time in which another process is current is left out", () => {
  const done = feed([
    [mark(Mark.Switch, 2), 0],
    [mark(Mark.RegionBegin, region(Region.Fork, 4)), 100],
    [mark(Mark.Switch, 3), 110],
    [mark(Mark.Switch, 4), 500],
    [mark(Mark.Switch, 2), 900],
    [mark(Mark.RegionEnd, region(Region.Fork, 4)), 905],
  ]);
  assert.is(done.length, 1);
  assert.is(done[0]?.instructions, 15, "10 before the switch away and 5 after the switch back");
});

test("another process's end mark does not end the region", () => {
  const done = feed([
    [mark(Mark.Switch, 2), 0],
    [mark(Mark.RegionBegin, region(Region.Fork, 4)), 100],
    [mark(Mark.Switch, 3), 110],
    [mark(Mark.RegionEnd, region(Region.Fork, 4)), 120],
  ]);
  assert.equal(done, []);
});

test("a process that is gone ends its regions", () => {
  const done = feed([
    [mark(Mark.Switch, 3), 0],
    [mark(Mark.RegionBegin, region(Region.Exit, 64)), 100],
    [mark(Mark.TaskExit, 3), 700],
    [mark(Mark.Switch, 2), 720],
  ]);
  assert.equal(done, [{ id: Region.Exit, tag: 64, pid: 3, instructions: 600, cycles: 6000 }]);
});

test("two regions of two processes run independently", () => {
  const done = feed([
    [mark(Mark.Switch, 2), 0],
    [mark(Mark.RegionBegin, region(Region.Fork, 1)), 10],
    [mark(Mark.Switch, 3), 20],
    [mark(Mark.RegionBegin, region(Region.FirstWrite, 1)), 30],
    [mark(Mark.Switch, 2), 40],
    [mark(Mark.RegionEnd, region(Region.Fork, 1)), 45],
    [mark(Mark.Switch, 3), 50],
    [mark(Mark.RegionEnd, region(Region.FirstWrite, 1)), 57],
  ]);
  assert.equal(
    done.map(({ pid, instructions }) => [pid, instructions]),
    [
      [2, 15],
      [3, 17],
    ],
  );
});

test.run();
