import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import path from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { Stamp } from "../../tools/image/stamp";
import { withFolder } from "../compiler/objects";

const test = suite("image/stamp");

const SOURCES = { folders: [{ folder: "src", ending: ".ts" }], files: ["package.json"] };
/** Long enough ago that a file's times tell every later change; in milliseconds. */
const REST = 3000;

/** A project with sources that have been at rest, and what was built of them. `now` moves the clock that the stamp sees. */
async function withProject(body: (project: ReturnType<typeof makeProject>) => void): Promise<void> {
  const { now } = Date;
  try {
    await withFolder(async (root) => body(makeProject(root, now)));
  } finally {
    Date.now = now;
  }
}

function makeProject(root: string, now: () => number) {
  const file = (name: string) => path.join(root, name);
  const write = (name: string, text: string) => writeFileSync(file(name), text);
  mkdirSync(file("src/deep"), { recursive: true });
  for (const name of ["src/a.ts", "src/deep/b.ts", "package.json", "out"]) write(name, "1");
  utimesSync(file("src/a.ts"), 1000, 1000);
  Date.now = () => now() + REST;
  /** As a new process would make it. */
  const stamp = () => new Stamp(root, SOURCES, [file("out")]);
  return { file, write, stamp, hasten: () => (Date.now = now) };
}

test("it vouches for what has not changed, and only once it was written", () =>
  withProject(({ stamp }) => {
    assert.is(stamp().isCurrent(), false);
    stamp().write();
    assert.is(stamp().isCurrent(), true);
  }));

const CHANGES: Record<string, (project: ReturnType<typeof makeProject>) => void> = {
  "a changed source": ({ write }) => write("src/a.ts", "22"),
  "a changed source of the same size": ({ write }) => write("src/deep/b.ts", "2"),
  "a changed source that got its old times back": ({ file, write }) => {
    write("src/a.ts", "2");
    utimesSync(file("src/a.ts"), 1000, 1000);
  },
  "an older source in another's place": ({ file, write }) => {
    write("aside", "2");
    utimesSync(file("aside"), 1, 1);
    renameSync(file("aside"), file("src/a.ts"));
  },
  "a new source": ({ write }) => write("src/deep/c.ts", "1"),
  "a new folder with a source": ({ file, write }) => {
    mkdirSync(file("src/other"));
    write("src/other/c.ts", "1");
  },
  "a removed source": ({ file }) => rmSync(file("src/deep/b.ts")),
  "a renamed source": ({ file }) => renameSync(file("src/a.ts"), file("src/z.ts")),
  "a changed single file": ({ write }) => write("package.json", "2"),
  "a removed single file": ({ file }) => rmSync(file("package.json")),
  "a changed output": ({ write }) => write("out", "2"),
  "a removed output": ({ file }) => rmSync(file("out")),
  "half a stamp": ({ file }) => {
    const folder = file("dist/cache");
    const [name] = readdirSync(folder);
    const text = readFileSync(path.join(folder, name), "utf8");
    writeFileSync(path.join(folder, name), text.slice(0, text.length / 2));
  },
};

for (const [title, change] of Object.entries(CHANGES)) {
  test(`${title} is noticed`, () =>
    withProject((project) => {
      project.stamp().write();
      assert.is(project.stamp().isCurrent(), true);
      change(project);
      assert.is(project.stamp().isCurrent(), false);
    }));
}

test("a file that is no source does not matter", () =>
  withProject(({ write, stamp }) => {
    stamp().write();
    write("src/notes.txt", "1");
    assert.is(stamp().isCurrent(), true);
  }));

test("a source that changed a moment ago is not vouched for: its times may not tell the next change", () =>
  withProject(({ hasten, stamp }) => {
    hasten();
    stamp().write();
    assert.is(stamp().isCurrent(), false);
  }));

test("a source that changed while the sources were being read is noticed", () =>
  withProject(({ write, stamp }) => {
    const early = stamp();
    write("src/a.ts", "2");
    early.write();
    assert.is(stamp().isCurrent(), false);
  }));

test("it knows which files it would see", () =>
  withProject(({ stamp }) => {
    for (const file of ["src/a.ts", "src/deep/new.ts", "package.json"]) assert.is(stamp().covers(file), true, file);
    for (const file of ["src/a.s", "srcs/a.ts", "../src/a.ts", "other.json"])
      assert.is(stamp().covers(file), false, file);
  }));

test.run();
