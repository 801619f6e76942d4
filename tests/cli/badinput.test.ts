/** Wrong usage and bad input: one clear line that names the file and the reason, exit code 2, and never a stack trace. */
import { chmodSync, existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { elfImage, multibootHeader } from "../cpu/images";
import { tine, withFiles } from "./tine";

const test = suite("cli/badinput");

const KERNEL = "dist/kernel.elf";
const INITRD = "dist/initrd.tar";

/** Files that the cases name; the first call of tine builds the images that some are cut from. */
function files(): Record<string, string | Uint8Array> {
  if (!existsSync(KERNEL) || !existsSync(INITRD)) tine(["build"]);
  const kernel = readFileSync(KERNEL);
  const wide = Uint8Array.from(kernel);
  wide[4] = 2;
  const plain = Uint8Array.from(kernel);
  // The multiboot magic number is somewhere in the first 8 KB, on a multiple of four.
  for (let at = 0; at < 8192; at += 4) if (kernel.readUInt32LE(at) === 0x1badb002) plain[at] = 0;
  const multiboot = Uint8Array.from([...multibootHeader(), 0, 0, 0, 0, 0xf4]);
  const part = (physical: number, data: Uint8Array) => ({ physical, data, bytes: data.length });
  return {
    "overlap.elf": elfImage([part(0x100000, multiboot), part(0x100010, multiboot)], 0x100010),
    "large.elf": elfImage([{ ...part(0x100000, multiboot), bytes: 100 << 20 }], 0x100010),
    "small.rom": new Uint8Array(1000),
    "odd.rom": new Uint8Array(0x18000),
    "huge.rom": new Uint8Array(0x80000),
    "good.rom": new Uint8Array(0x10000),
    "odd.img": new Uint8Array(1000),
    "empty.img": "",
    "locked.img": new Uint8Array(1024),
    "text.elf": "this is no ELF file\n",
    "empty.elf": "",
    // Within what is loaded: most of the file is debug information.
    "cut.elf": kernel.subarray(0, 0x8000),
    "wide.elf": wide,
    "plain.elf": plain,
    "cut.tar": readFileSync(INITRD).subarray(0, 5000),
    "text.tar": "this is no archive\n".repeat(100),
    "syntax.ts": "export function main(argc: i32, argv: usize, envp: usize): i32 {\n  return 1 +;\n}\n",
    "types.ts": 'export function main(argc: i32, argv: usize, envp: usize): i32 {\n  return "text";\n}\n',
    "nomain.ts": "export function other(): i32 {\n  return 1;\n}\n",
    "import.ts":
      'import { nothing } from "./nowhere";\nexport function main(a: i32, b: usize, c: usize): i32 {\n  return nothing();\n}\n',
    "float.ts":
      "export function main(a: i32, b: usize, c: usize): i32 {\n  const half: f64 = f64(a) * 0.5;\n  return i32(half);\n}\n",
    "program.bin": "#!/bin/sh\necho no\n",
    "good.ts": "export function main(argc: i32, argv: usize, envp: usize): i32 {\n  return 0;\n}\n",
  };
}

const CASES: readonly (readonly [args: string, says: RegExp])[] = [
  ["bogus", /unknown command 'bogus'/],
  ["boot --bogus", /unknown option '--bogus'/],
  ["boot --mem lots", /--mem.*'lots' is invalid.*megabytes/],
  ["boot --mem 1", /--mem.*from 4 to 896/],
  ["boot --budget 0", /--budget/],
  ["boot missing.elf", /missing\.elf: no such file/],
  ["boot .", /\.: is a directory/],
  ["boot text.elf", /text\.elf: .*ELF/],
  ["boot empty.elf", /empty\.elf: /],
  ["boot cut.elf", /cut\.elf: .*truncated/],
  ["boot wide.elf", /wide\.elf: .*64-bit/],
  ["boot plain.elf", /plain\.elf: .*multiboot/],
  ["boot overlap.elf", /overlap\.elf: overlapping/],
  ["boot large.elf", /large\.elf: larger than RAM/],
  ["boot --rom missing.rom", /missing\.rom: no such file/],
  ["boot --rom small.rom", /small\.rom: a ROM of 1000 bytes: it must be 64, 128, 192 or 256 KB/],
  ["boot --rom odd.rom", /odd\.rom: a ROM of 98304 bytes/],
  ["boot --rom huge.rom --screen", /huge\.rom: a ROM of 524288 bytes/],
  ["boot --rom good.rom text.elf", /text\.elf: --rom/],
  ["boot --rom good.rom --initrd cut.tar", /--rom.*--initrd/],
  ["boot --disk missing.img", /missing\.img: no such file/],
  ["boot --disk .", /\.: not a regular file/],
  ["boot --disk odd.img", /odd\.img: a disk of 1000 bytes/],
  ["boot --disk empty.img", /empty\.img: a disk of 0 bytes/],
  ["boot --disk locked.img", /locked\.img: it cannot be written.*--disk-ro/],
  ["boot --disk-ro missing.img", /missing\.img: no such file/],
  ["boot --disk locked.img --disk-ro locked.img", /--disk-ro.*--disk/],
  ["run --disk locked.img good.ts", /locked\.img: it cannot be written/],
  ["boot --initrd missing.tar", /missing\.tar: no such file/],
  ["boot --initrd cut.tar", /cut\.tar: truncated/],
  ["boot --initrd text.tar", /text\.tar: not a ustar archive/],
  ["run", /missing required argument 'program'/],
  ["run missing.ts", /missing\.ts: no such file/],
  ["run syntax.ts", /syntax\.ts:2:\d+: /],
  ["run types.ts", /types\.ts:2:\d+: /],
  ["run nomain.ts", /nomain\.ts.*main/],
  ["run import.ts", /import\.ts:1:\d+: .*nowhere/],
  ["run float.ts", /float\.ts:2:\d+: .*floating-point/],
  ["run program.bin", /program\.bin: neither a TypeScript source/],
  ["run wide.elf", /wide\.elf: .*not for the 32-bit i386/],
  ["run cut.elf", /cut\.elf: a truncated ELF file/],
  ["gdb cut.elf", /cut\.elf: a truncated ELF file/],
  ["run --fork sometimes good.ts", /--fork.*copy, share/],
  ['run good.ts a"b', /double quote/],
  ["test no-such-test", /no guest test program.*no-such-test/],
  ["test --fork never", /--fork.*never/],
  ["trace --last 0 good.ts", /--last/],
  ["demo --mem 9999", /--mem/],
  ["build -o /proc/nowhere", /\/proc\/nowhere/],
];

for (const [args, says] of CASES) {
  test(`tine ${args}`, () => {
    withFiles(files(), (cwd) => {
      chmodSync(join(cwd, "locked.img"), 0o444);
      const { status, stdout, stderr } = tine(args.split(" "), { cwd });
      assert.is(status, 2, `exit code 2 for bad input; stderr was: ${stderr}`);
      assert.match(stderr, says);
      assert.is(stderr.trimEnd().split("\n").length, 1, `one line, not: ${stderr}`);
      assert.is(stdout, "", "nothing on stdout");
    });
  });
}

test("tine without a command prints the help and is wrong usage", () => {
  const { status, stderr } = tine([]);
  assert.is(status, 2);
  assert.match(stderr, "Usage: tine");
});

test("tine demo in too little memory says so, and prints no empty table", () => {
  const { status, stdout, stderr } = tine(["demo", "--mem", "4"]);
  assert.is(status, 2);
  assert.is(stdout, "");
  assert.match(stderr, "--mem 4: no size fits");
});

test("tine --help prints the help", () => {
  const { status, stdout } = tine(["--help"]);
  assert.is(status, 0);
  for (const command of ["boot", "run", "test", "trace", "demo", "build"]) assert.match(stdout, `  ${command} `);
});

test.run();
