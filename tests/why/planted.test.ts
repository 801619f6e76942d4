/**
 * Five faults are planted in the kernel. The audit names a frame; what `tine why` says of it leads to the planted line.
 */
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { EventKind, type Machine } from "../../cpu/index";
import { Mark } from "../../kernel/abi/marks";
import { Auditor } from "../../tools/audit/auditor";
import { modelOf } from "../../tools/audit/model";
import type { Finding } from "../../tools/audit/view";
import { kernelLayout } from "../../tools/image/layout";
import { History } from "../../tools/replay/history";
import { programsOf } from "../../tools/trace/programs";
import { explainFrame } from "../../tools/why/explain";
import type { Place } from "../../tools/why/step";
import { explanationLines } from "../../tools/why/text";
import { builtImages, machineFor } from "../guest/guest";
import { type Change, mutatedKernel, mutatedText } from "../mutants/mutate";

const test = suite("why/planted");
const built = await builtImages();
const root = process.cwd();
const USER_RING = 3;

interface Planted extends Change {
  fault: string;
  /** What the audit reports, and what the explanation doubts. */
  audit: string;
  doubt: RegExp;
}

/** Each edit leaves a statement of its own on the planted line. */
const PLANTED: readonly Planted[] = [
  {
    fault: "fork counts a use twice",
    file: "mm/ptshare.ts",
    edits: [["    table.users++;\n", "    table.users += 2;\n"]],
    audit: "I1",
    doubt: /users is 3, but 2 directories name the table/,
  },
  {
    fault: "fork leaves W in the child's entry",
    file: "mm/ptshare.ts",
    edits: [["Entry.store(child + (slot << 2), protectedPde);", "Entry.store(child + (slot << 2), pde | PTE_WRITE);"]],
    audit: "I2",
    doubt: /the table is shared, and the pde of pid \d+ is 0x[0-9a-f]+, with W/,
  },
  {
    fault: "exit does not count a shared table's user off",
    file: "mm/ptshare.ts",
    edits: [
      [
        "  table.users--;\n  if (table.users == 0) {\n",
        "  if (table.users == 1) table.users--;\n  if (table.users == 0) {\n",
      ],
    ],
    audit: "I1",
    doubt: /users is 2, but 1 directories name the table/,
  },
  {
    fault: "fork does not flush the TLB",
    file: "mm/memory.ts",
    edits: [["  if (lost != 0) flushTlb();\n", "  if (lost == 1) flushTlb();\n"]],
    audit: "I6",
    doubt: /the pde of pid \d+ lost W, and the TLB was not flushed before user mode/,
  },
  {
    fault: "a copied table's pages are not in the reverse map",
    file: "mm/pagetable.ts",
    edits: [
      [
        "    Rmap.addFurther(page, pte + distance);\n",
        "    if (page.count > 900) Rmap.addFurther(page, pte + distance);\n",
      ],
    ],
    audit: "I4",
    doubt: /a pte changed, but the reverse map was not written/,
  },
];

/** The line that an edit has put into the file. */
function plantedLine(change: Change): number {
  const [[, replacement]] = change.edits;
  const text = mutatedText(change, root);
  return text.slice(0, text.indexOf(replacement)).split("\n").length;
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

for (const planted of PLANTED) {
  test(`${planted.fault}: found by ${planted.audit}, and its line by why`, async () => {
    const kernel = await mutatedKernel(planted, root);
    const layout = kernelLayout(kernel);
    if (layout === undefined) throw new Error("no layout");
    const { machine } = machineFor(
      { ...built, kernel },
      { commandLine: "quiet fork=share -- /bin/forkdemo 4", memoryMB: 16 },
    );
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
    const line = plantedLine(planted);
    const places = [chain[0], ...afterwards.slice(0, 12)].filter((place) => place !== undefined);
    assert.ok(
      places.some((place) => leadsTo(place, planted.file, line)),
      `${planted.file}:${line} is not in\n${text}`,
    );
  });
}

test.run();
