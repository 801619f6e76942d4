/**
 * Five faults are planted in the kernel. The audit names a frame; what `tine why` says of it leads to the planted line.
 */
import { readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { EventKind, type Machine } from "../../cpu/index";
import { Mark } from "../../kernel/abi/marks";
import { Auditor } from "../../tools/audit/auditor";
import { modelOf } from "../../tools/audit/model";
import type { Finding } from "../../tools/audit/view";
import { compileKernel } from "../../tools/compiler/index";
import { kernelLayout } from "../../tools/image/layout";
import { History } from "../../tools/replay/history";
import { programsOf } from "../../tools/trace/programs";
import { explainFrame } from "../../tools/why/explain";
import type { Place } from "../../tools/why/step";
import { explanationLines } from "../../tools/why/text";
import { must } from "../audit/planted";
import { builtImages, machineFor } from "../guest/guest";

const test = suite("why/planted");
const built = await builtImages();
const root = process.cwd();
const USER_RING = 3;

interface Planted {
  fault: string;
  /** File below kernel/, what stands there, and what is put in its place: the fault shows where the word `planted` is `number`. */
  file: string;
  search: string;
  replacement: (number: number) => string;
  /** What the audit reports, and what the explanation doubts. */
  audit: string;
  doubt: RegExp;
}

/** Faults 1 to 5. Each has a line of its own. */
const PLANTED: readonly Planted[] = [
  {
    fault: "fork counts a use twice",
    file: "mm/ptshare.ts",
    search: "    table.users++;\n",
    replacement: (number) => `    table.users += load<u32>(planted) == ${number} ? 2 : 1;\n`,
    audit: "I1",
    doubt: /users is 3, but 2 directories name the table/,
  },
  {
    fault: "fork leaves W in the child's entry",
    file: "mm/ptshare.ts",
    search: "Entry.store(child + (slot << 2), protectedPde);",
    replacement: (number) =>
      `Entry.store(child + (slot << 2), protectedPde | (load<u32>(planted) == ${number} ? PTE_WRITE : 0));`,
    audit: "I2",
    doubt: /the table is shared, and the pde of pid \d+ is 0x[0-9a-f]+, with W/,
  },
  {
    fault: "exit does not count a shared table's user off",
    file: "mm/ptshare.ts",
    search: "  table.users--;\n  if (table.users == 0) {\n",
    replacement: (number) =>
      `  if (load<u32>(planted) != ${number} || table.users == 1) table.users--;\n  if (table.users == 0) {\n`,
    audit: "I1",
    doubt: /users is 2, but 1 directories name the table/,
  },
  {
    fault: "fork does not flush the TLB",
    file: "mm/memory.ts",
    search: "  if (lost != 0) flushTlb();\n",
    replacement: (number) => `  if (lost != 0 && load<u32>(planted) != ${number}) flushTlb();\n`,
    audit: "I6",
    doubt: /the pde of pid \d+ lost W, and the TLB was not flushed before user mode/,
  },
  {
    fault: "a copied table's pages are not in the reverse map",
    file: "mm/pagetable.ts",
    search: "    Rmap.addFurther(page, pte + distance);\n",
    replacement: (number) => `    if (load<u32>(planted) != ${number}) Rmap.addFurther(page, pte + distance);\n`,
    audit: "I4",
    doubt: /a pte changed, but the reverse map was not written/,
  },
];

/** The word that chooses a fault, in a file that all others import. */
const CHOICE_FILE = "mm/layout.ts";
const CHOICE = "\n/** Which planted fault shows. */\nexport const planted: usize = memory.data(4, 4);\n";
const CHOICE_IMPORT = 'import { planted } from "./layout";\n';

/** The sources with all faults, by file below kernel/. Nothing stands at another line than before but for the import on the first. */
function sources(): Map<string, string> {
  const texts = new Map([[CHOICE_FILE, readFileSync(join(root, "kernel", CHOICE_FILE), "utf8") + CHOICE]]);
  for (const [index, { file, search, replacement }] of PLANTED.entries()) {
    const text = texts.get(file) ?? CHOICE_IMPORT + readFileSync(join(root, "kernel", file), "utf8");
    if (text.split(search).length !== 2) throw new Error(`${file}: not once: ${search}`);
    texts.set(
      file,
      text.replace(search, () => replacement(index + 1)),
    );
  }
  return texts;
}

const texts = sources();
const kernel = await compileKernel({
  root,
  virtual: Object.fromEntries([...texts].map(([file, text]) => [resolve(root, "kernel", file), text])),
});
const layout = must(kernelLayout(kernel), "layout");

/** A machine of the kernel in which a fault shows. */
function machineWith(number: number): Machine {
  const { machine } = machineFor(
    { ...built, kernel },
    { commandLine: "quiet fork=share -- /bin/forkdemo 4", memoryMB: 16 },
  );
  const address = must(layout.constants["mm/layout/planted"], "address of the word");
  machine.writePhysical(address - layout.constants["mm/layout/KERNEL_BASE"], Uint8Array.of(number, 0, 0, 0));
  return machine;
}

/** The line of a fault. */
function plantedLine({ file, replacement }: Planted, number: number): number {
  const text = texts.get(file) ?? "";
  return text.slice(0, text.indexOf(replacement(number))).split("\n").length;
}

/** Runs until the audit finds something at a return to user mode, or when the kernel panics. */
function firstFinding(machine: Machine, auditor: Auditor): Finding {
  let findings: readonly Finding[] = [];
  const unlisten = machine.onEvent(
    ({ kind, a, b }) => {
      const isMoment = kind === EventKind.Iret ? b === USER_RING : a >>> 24 === Mark.Panic;
      if (!isMoment || findings.length > 0) return;
      findings = auditor.audit();
      if (findings.length > 0) machine.cpu.requestStop();
    },
    [EventKind.Iret, EventKind.Mark],
  );
  machine.run({ maxInstructions: 1e8 });
  unlisten();
  if (findings.length === 0) throw new Error("the audit finds nothing");
  return findings[0];
}

/** Whether a line lies in a place, or right beside it: an omitted statement has no code. */
function leadsTo({ file, first, last }: Place, wanted: string, line: number): boolean {
  return file === `kernel/${wanted}` && line >= first && line <= last;
}

for (const [index, planted] of PLANTED.entries()) {
  test(`${planted.fault}: found by ${planted.audit}, and its line by why`, () => {
    const machine = machineWith(index + 1);
    const history = new History(machine);
    const finding = firstFinding(machine, new Auditor(machine, layout));
    assert.is(finding.invariant, planted.audit, finding.text);
    const run = { history, layout, kernel, programs: programsOf([built.initrd]) };
    let explanation = explainFrame(run, finding.frame ?? -1);
    // Nothing has happened to the page itself: its table is next.
    const isInnocent = explanation.stays.every(({ doubts }) => doubts.length === 0);
    if (isInnocent && explanation.mappers.length > 0) explanation = explainFrame(run, explanation.mappers[0].table);
    const text = explanationLines(explanation, new Map(), modelOf(layout).kindNames).join("\n");
    const [doubt] = explanation.stays.flatMap(({ doubts }) => doubts);
    assert.match(doubt?.text ?? "no doubt", planted.doubt, text);
    const { chain, afterwards } = doubt.write ?? { chain: [], afterwards: [] };
    const line = plantedLine(planted, index + 1);
    const places = [chain[0], ...afterwards.slice(0, 12)].filter((place) => place !== undefined);
    assert.ok(
      places.some((place) => leadsTo(place, planted.file, line)),
      `${planted.file}:${line} is not in\n${text}`,
    );
  });
}

test("the kernel with the faults is right while none of them shows", () => {
  const machine = machineWith(0);
  const auditor = new Auditor(machine, layout);
  assert.throws(() => firstFinding(machine, auditor), /the audit finds nothing/);
});

test.run();
