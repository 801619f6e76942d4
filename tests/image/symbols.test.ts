import { execFileSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { Symbols } from "../../tools/image/symbols";
import { withFolder } from "../compiler/objects";
import { needCommand, skip } from "../skip";

const test = suite("image/symbols");

const SOURCE = `static int twice(int x) {
  return 2 * x;
}
int table[4] = { 1, 2, 3, 4 };
int add(int x) {
  int sum = twice(x);
  for (int i = 0; i < 4; i++)
    sum += table[i];
  return sum;
}
void _start(void) { add(3); }
`;

for (const version of [2, 3, 4, 5]) {
  test(`another compiler's file, with DWARF ${version}`, () =>
    withFolder((folder) => {
      needCommand("gcc");
      needCommand("addr2line");
      const [source, file] = [path.join(folder, "sum.c"), path.join(folder, "sum")];
      writeFileSync(source, SOURCE);
      const flags = [
        "-m32",
        "-O0",
        `-gdwarf-${version}`,
        "-nostdlib",
        "-static",
        "-no-pie",
        "-fno-pie",
        "-o",
        file,
        "sum.c",
      ];
      try {
        execFileSync("gcc", flags, { cwd: folder, stdio: "pipe" });
      } catch {
        skip("gcc cannot make 32-bit programs here");
      }
      const symbols = new Symbols(new Uint8Array(readFileSync(file)));
      const start = symbols.address("add")!;
      const offsets = Array.from({ length: 60 }, (_, i) => i);
      const wanted = execFileSync("addr2line", ["-e", file, ...offsets.map((i) => (start + i).toString(16))], {
        encoding: "utf8",
      });
      const found = offsets.map((i) => {
        const place = symbols.line(start + i);
        return place ? `${path.basename(place.file)}:${place.line}` : "??:?";
      });
      assert.equal(
        found,
        wanted
          .trim()
          .split("\n")
          .map((line) => path.basename(line).replace(/ \(.*/, "")),
      );
      assert.equal(symbols.lookup(start + 5), { name: "add", offset: 5 });
      assert.equal(symbols.lookup(symbols.address("table")! + 8), { name: "table", offset: 8 });
      assert.is(symbols.lookup(symbols.address("twice")!)?.name, "twice");
    }));
}

test.run();
