/** Disks with a partition table; the one that userland/tests/diskmap.ts expects. May import cpu's public face. */
import { SECTOR_BYTES } from "../../cpu/index";

const SECTORS = 4101;
/** Type, first sector, sectors. */
type Partition = readonly [type: number, first: number, sectors: number];
const PARTITIONS: readonly Partition[] = [
  [0x83, 64, 800],
  [0x82, 1024, 512],
  [0x83, 2001, 13],
  [0x83, 4000, 200],
];
const TABLE_AT = 446;

/** The disk of diskmap.ts. */
export function diskImage(): Uint8Array {
  return partitionedImage(SECTORS, PARTITIONS);
}

/** A disk whose byte at p is (7 p + 13 (p >> 9)) & 255, but for a partition table. */
export function partitionedImage(size: number, partitions: readonly Partition[]): Uint8Array {
  const image = Uint8Array.from({ length: size * SECTOR_BYTES }, (_, p) => (p * 7 + (p >> 9) * 13) & 0xff);
  image.fill(0, TABLE_AT, SECTOR_BYTES);
  const view = new DataView(image.buffer);
  for (const [index, [type, first, sectors]] of partitions.entries()) {
    const entry = TABLE_AT + 16 * index;
    view.setUint8(entry + 4, type);
    view.setUint32(entry + 8, first, true);
    view.setUint32(entry + 12, sectors, true);
  }
  view.setUint16(SECTOR_BYTES - 2, 0xaa55, true);
  return image;
}
