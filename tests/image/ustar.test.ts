import { execFileSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import path from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { buildInitrd, readTar, type TarFile } from "../../tools/image/ustar";
import { runTool, withFolder } from "../compiler/objects";
import { needCommand } from "../skip";

const test = suite("image/ustar");

const long = `${"deep/".repeat(25)}file`;
const FILES: TarFile[] = [
  { name: "bin/sh", data: Uint8Array.from({ length: 1000 }, (_, i) => i & 255), mode: 0o755 },
  { name: "empty", data: new Uint8Array(0), mode: 0o644 },
  { name: long, data: Uint8Array.from({ length: 512 }, () => 7), mode: 0o600 },
];

test("what is written is read again", () => {
  assert.equal(readTar(buildInitrd(FILES), "x.tar"), FILES);
  assert.equal(readTar(buildInitrd([]), "x.tar"), []);
});

test("the same files make the same bytes", () => {
  assert.equal(buildInitrd(FILES), buildInitrd(FILES));
});

test("the host's tar reads it", () =>
  withFolder((folder) => {
    needCommand("tar");
    const file = path.join(folder, "x.tar");
    writeFileSync(file, buildInitrd(FILES));
    assert.is(runTool("tar", ["-tf", file]), `bin/sh\nempty\n${long}\n`);
    assert.match(runTool("tar", ["-tvf", file]), /^-rwxr-xr-x 0\/0\s+1000 /);
    assert.equal(new Uint8Array(execFileSync("tar", ["-xOf", file, "bin/sh"])), FILES[0].data);
  }));

test("an archive of the host's tar is read, folders left out", () =>
  withFolder((folder) => {
    needCommand("tar");
    writeFileSync(path.join(folder, "a"), "hello");
    const archive = execFileSync("tar", ["--format=ustar", "-cf", "-", "-C", folder, "."]);
    const [file, ...rest] = readTar(new Uint8Array(archive), "x.tar");
    assert.is(file.name, "./a");
    assert.is(new TextDecoder().decode(file.data), "hello");
    assert.is(rest.length, 0);
  }));

test("damage is named in one line", () => {
  const archive = buildInitrd(FILES);
  const read = (bytes: Uint8Array) => () => readTar(bytes, "x.tar");
  assert.throws(read(archive.subarray(0, 700)), /^x\.tar: truncated within bin\/sh$/);
  assert.throws(read(archive.subarray(0, 1536)), /^x\.tar: truncated: no end-of-archive block$/);
  assert.throws(read(new Uint8Array(0)), /^x\.tar: truncated/);
  assert.throws(read(new Uint8Array(1024).fill(65)), /^x\.tar: not a ustar archive \(at byte 0\)$/);
  const damaged = archive.slice();
  damaged[3] ^= 1;
  assert.throws(read(damaged), /^x\.tar: damaged header at byte 0$/);
});

test("a name that does not fit is refused", () => {
  const name = "n".repeat(101);
  assert.throws(() => buildInitrd([{ name, data: new Uint8Array(0), mode: 0 }]), /name too long/);
});

test.run();
