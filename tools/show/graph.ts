/**
 * Where things stand in the picture of a snapshot: processes, directories, tables and frames in four columns, and the edges between
 * them. Frames that the same tables map are one box, so that a picture stays readable whatever the memory is. May import
 * snapshot's types, words. Runs in the page too: nothing of Node.
 */
import type { MappedFrame, Snapshot, TableSnapshot } from "./snapshot";
import { counted, grouped, hex, slotAddress } from "./words";

/** Measures are in pixels. */
export interface Box {
  /** Unique in a picture: `process-2`, `directory-2`, `table-644`, `frames-644-651`. */
  id: string;
  kind: "process" | "directory" | "table" | "frames";
  x: number;
  y: number;
  width: number;
  height: number;
  /** How many use it: users of a table, ptes of a frame; 0 for what has no such count. */
  users: number;
  title: string;
  text: string;
  /** More, for who asks. */
  detail: string;
}

export interface Edge {
  from: string;
  to: string;
  users: number;
  /** A pde without W. */
  readOnly: boolean;
}

export interface Graph {
  boxes: Box[];
  edges: Edge[];
  width: number;
  height: number;
}

/** Frames that the same tables map, as often each. */
export interface FrameGroup {
  id: string;
  /** Tables, each once. */
  tables: number[];
  /** Ptes of each of the frames. */
  mappings: number;
  frames: number[];
}

const COLUMNS = {
  process: { x: 0, width: 132 },
  directory: { x: 164, width: 126 },
  table: { x: 330, width: 176 },
  frames: { x: 556, width: 152 },
} as const;
const BOX_HEIGHT = 36;
const GAP = 8;
const PROCESS_GAP = 14;
const WIDTH = COLUMNS.frames.x + COLUMNS.frames.width;

/** Groups the mapped frames by the tables that map them, in the tables' order. */
export function groupFrames(mapped: readonly MappedFrame[]): FrameGroup[] {
  const groups = new Map<string, FrameGroup>();
  for (const { frame, ptes } of mapped) {
    const tables = [...new Set(ptes.map(({ table }) => table))].sort((one, two) => one - two);
    const id = `frames-${ptes.length}-${tables.join("-")}`;
    const group = groups.get(id);
    if (group === undefined) groups.set(id, { id, tables, mappings: ptes.length, frames: [frame] });
    else group.frames.push(frame);
  }
  return [...groups.values()];
}

/** The order of tables in the picture: as the processes name them. */
function tablesInOrder({ processes, tables }: Snapshot): TableSnapshot[] {
  const byFrame = new Map(tables.map((table) => [table.frame, table]));
  const order = new Set(processes.flatMap(({ slots }) => slots.map(({ table }) => table)));
  return [...order].flatMap((frame) => byFrame.get(frame) ?? []);
}

/** Places the boxes of one column: each as near as may be to the height that it wants, in the given order, none over another. */
function stack(boxes: readonly Box[], wanted: (box: Box) => number, gap: number): void {
  let y = 0;
  for (const box of boxes) {
    box.y = Math.max(y, wanted(box));
    y = box.y + box.height + gap;
  }
}

/** The mean height of what the edges of a box lead to or come from. */
function middle(box: Box, others: readonly Box[]): number {
  if (others.length === 0) return 0;
  return others.reduce((sum, other) => sum + other.y + other.height / 2, 0) / others.length - box.height / 2;
}

/** Lays the picture of a snapshot out. */
export function graphOf(snapshot: Snapshot): Graph {
  const box = (kind: Box["kind"], id: string, users: number, words: Pick<Box, "title" | "text" | "detail">): Box => ({
    id,
    kind,
    ...COLUMNS[kind],
    y: 0,
    height: BOX_HEIGHT,
    users,
    ...words,
  });
  const tables = tablesInOrder(snapshot);
  const order = new Map(tables.map(({ frame }, index) => [frame, index]));
  const groups = groupFrames(snapshot.mapped)
    .filter((group) => group.tables.every((table) => order.has(table)))
    .sort((one, two) => placeOf(one, order) - placeOf(two, order));
  const tableBoxes = tables.map((table) => box("table", `table-${table.frame}`, table.users, tableWords(table)));
  const groupBoxes = groups.map((group) => box("frames", group.id, group.mappings, groupWords(group)));
  const processBoxes = snapshot.processes.map(({ pid, name, resident, slots, tasks }) =>
    box("process", `process-${pid}`, 0, {
      title: `pid ${pid} ${name}`,
      text: counted(resident, "page"),
      detail: `pid ${pid} (${name}): ${counted(tasks, "task")}, ${counted(resident, "page")} resident in ${counted(slots.length, "table")}`,
    }),
  );
  const directoryBoxes = snapshot.processes.map(({ pid, directory, slots }) =>
    box("directory", `directory-${pid}`, 0, {
      title: `directory ${hex(directory)}`,
      text: counted(slots.length, "slot"),
      detail: `directory of pid ${pid} in frame ${hex(directory)}`,
    }),
  );
  const edges: Edge[] = [];
  const users = new Map(tables.map((table) => [table.frame, table.users]));
  for (const { pid, slots } of snapshot.processes) {
    edges.push({ from: `process-${pid}`, to: `directory-${pid}`, users: 0, readOnly: false });
    for (const { table, writable } of slots) {
      edges.push({
        from: `directory-${pid}`,
        to: `table-${table}`,
        users: users.get(table) ?? 0,
        readOnly: !writable,
      });
    }
  }
  for (const { id, tables: mappers, mappings } of groups) {
    for (const table of mappers) edges.push({ from: `table-${table}`, to: id, users: mappings, readOnly: false });
  }
  const boxes = [...processBoxes, ...directoryBoxes, ...tableBoxes, ...groupBoxes];
  place(boxes, edges, { tableBoxes, groupBoxes, processBoxes, directoryBoxes });
  const height = Math.max(BOX_HEIGHT, ...boxes.map((one) => one.y + one.height));
  return { boxes, edges, width: WIDTH, height };
}

function place(
  boxes: readonly Box[],
  edges: readonly Edge[],
  columns: Record<"tableBoxes" | "groupBoxes" | "processBoxes" | "directoryBoxes", Box[]>,
): void {
  const { tableBoxes, groupBoxes, processBoxes, directoryBoxes } = columns;
  const byId = new Map(boxes.map((one) => [one.id, one]));
  const neighbours = (ends: (edge: Edge) => [string, string]): Map<string, Box[]> => {
    const found = new Map<string, Box[]>();
    for (const edge of edges) {
      const [here, there] = ends(edge);
      const other = byId.get(there);
      if (other === undefined) continue;
      const list = found.get(here);
      if (list === undefined) found.set(here, [other]);
      else list.push(other);
    }
    return found;
  };
  const left = neighbours(({ from, to }) => [to, from]);
  const right = neighbours(({ from, to }) => [from, to]);
  stack(tableBoxes, () => 0, GAP);
  stack(groupBoxes, (one) => middle(one, left.get(one.id) ?? []), GAP);
  stack(directoryBoxes, (one) => middle(one, right.get(one.id) ?? []), PROCESS_GAP);
  for (const [index, one] of processBoxes.entries()) one.y = directoryBoxes[index].y;
}

/** Where a group goes: behind the first of its tables. */
function placeOf({ tables }: FrameGroup, order: ReadonlyMap<number, number>): number {
  return Math.min(...tables.map((table) => order.get(table) ?? 0));
}

function tableWords(table: TableSnapshot): Pick<Box, "title" | "text" | "detail"> {
  const { frame, slot, users, present, swapped, sharers } = table;
  const swap = swapped > 0 ? `, ${swapped} swapped` : "";
  return {
    title: `${slotAddress(slot)} table ${hex(frame)}`,
    text: `${counted(users, "user")}, ${grouped(present)} present${swap}`,
    detail: `table in frame ${hex(frame)} for slot ${slot}: users ${users}, present ${present}, swapped ${swapped}; used by pid ${sharers.join(", ")}`,
  };
}

function groupWords({ frames, mappings, tables }: FrameGroup): Pick<Box, "title" | "text" | "detail"> {
  const which = frames.length === 1 ? `frame ${hex(frames[0])}` : counted(frames.length, "frame");
  return {
    title: which,
    text: `${counted(mappings, "pte")}${frames.length === 1 ? "" : " each"}`,
    detail: `${which} (${rangesOf(frames)}), each mapped by ${counted(mappings, "pte")}, in table ${tables.map(hex).join(", ")}`,
  };
}

/** `0x2a0-0x2ff, 0x310`, the first few. */
export function rangesOf(frames: readonly number[], most = 4): string {
  const ranges: [number, number][] = [];
  for (const frame of frames) {
    const last = ranges.at(-1);
    if (last !== undefined && frame === last[1] + 1) last[1] = frame;
    else ranges.push([frame, frame]);
  }
  const texts = ranges.slice(0, most).map(([first, end]) => (first === end ? hex(first) : `${hex(first)}-${hex(end)}`));
  return texts.join(", ") + (ranges.length > most ? ", …" : "");
}
