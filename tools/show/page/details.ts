/** What the page says of a selected table, frame or process: who maps it. May import snapshot's types, graph, svg, words. */
import { rangesOf } from "../graph";
import type { PteName, Snapshot } from "../snapshot";
import { escaped } from "../svg";
import { counted, hex, slotAddress } from "../words";

/** What is selected; `id` is that of its box in the graph. */
export type Selection = { id?: string } & (
  | { kind: "table"; frame: number }
  | { kind: "frame"; frame: number }
  | { kind: "frames"; frames: number[] }
  | { kind: "process"; pid: number }
);

function list(items: readonly string[]): string {
  return `<ul>${items.map((item) => `<li>${escaped(item)}</li>`).join("")}</ul>`;
}

function nameOf({ processes }: Snapshot, pid: number): string {
  return `pid ${pid} ${processes.find((one) => one.pid === pid)?.name ?? ""}`.trim();
}

/** The user address of a pte, and whom it serves. */
function pteText(snapshot: Snapshot, { table, index }: PteName): string {
  const owner = snapshot.tables.find(({ frame }) => frame === table);
  if (owner === undefined) return `entry ${index} of frame ${hex(table)}`;
  const address = ((owner.slot * 1024 + index) * 4096) >>> 0;
  const who = owner.sharers.map((pid) => nameOf(snapshot, pid)).join(", ");
  return `${hex(address)} through table ${hex(table)}: ${who}`;
}

function kindOf({ frames }: Snapshot, frame: number): string {
  return frames.find(({ first, count }) => frame >= first && frame < first + count)?.kind ?? "no frame";
}

/** The words as HTML. */
export function detailsOf(snapshot: Snapshot, selection: Selection): string {
  switch (selection.kind) {
    case "table": {
      const table = snapshot.tables.find(({ frame }) => frame === selection.frame);
      if (table === undefined)
        return `<h3>Frame ${hex(selection.frame)}</h3><p>It is no page table at this moment.</p>`;
      const { frame, slot, users, present, swapped, sharers } = table;
      const mapped = snapshot.mapped.filter(({ ptes }) => ptes.some((pte) => pte.table === frame));
      const uses = sharers.map((pid) => {
        const pde = snapshot.processes.find((one) => one.pid === pid)?.slots.find((one) => one.slot === slot);
        return `${nameOf(snapshot, pid)}, its pde has W = ${pde?.writable ? 1 : 0}`;
      });
      return [
        `<h3>Table in frame ${hex(frame)}</h3>`,
        `<p>Slot ${slot}: addresses from 0x${slotAddress(slot)}. users ${users}, present ${present}, swapped ${swapped}.</p>`,
        `<p>Who uses it:</p>${list(uses)}`,
        `<p>It maps ${counted(mapped.length, "frame")}: ${escaped(rangesOf(mapped.map((one) => one.frame)))}</p>`,
      ].join("");
    }
    case "frame": {
      const { frame } = selection;
      const ptes = snapshot.mapped.find((one) => one.frame === frame)?.ptes ?? [];
      const owner = snapshot.processes.find(({ directory }) => directory === frame);
      const what = owner === undefined ? kindOf(snapshot, frame) : `page directory of ${nameOf(snapshot, owner.pid)}`;
      const mapping = ptes.length === 0 ? "<p>No pte maps it.</p>" : "<p>Who maps it:</p>";
      return `<h3>Frame ${hex(frame)}</h3><p>${escaped(what)}</p>${mapping}${list(ptes.map((pte) => pteText(snapshot, pte)))}`;
    }
    case "frames": {
      const { frames } = selection;
      const [first] = frames;
      const ptes = snapshot.mapped.find(({ frame }) => frame === first)?.ptes ?? [];
      return [
        `<h3>${counted(frames.length, "frame")}</h3><p>${escaped(rangesOf(frames, 12))}</p>`,
        ptes.length === 0 ? "" : `<p>The first, ${hex(first)}, is mapped at:</p>`,
        list(ptes.map((pte) => pteText(snapshot, pte))),
      ].join("");
    }
    case "process": {
      const process = snapshot.processes.find(({ pid }) => pid === selection.pid);
      if (process === undefined) return `<h3>pid ${selection.pid}</h3><p>There is no such process at this moment.</p>`;
      const { pid, name, directory, resident, slots } = process;
      const tables = slots.map(({ slot, table, writable }) => {
        const others = snapshot.tables.find(({ frame }) => frame === table)?.sharers.filter((one) => one !== pid) ?? [];
        const shared = others.length === 0 ? "its own" : `shared with pid ${others.join(", ")}`;
        return `slot ${slot}, 0x${slotAddress(slot)}: table ${hex(table)}, W = ${writable ? 1 : 0}, ${shared}`;
      });
      return `<h3>${escaped(`pid ${pid} ${name}`)}</h3><p>Directory in frame ${hex(directory)}, ${counted(resident, "page")} resident.</p>${list(tables)}`;
    }
  }
}
