/** The disk that userland/tests/diskmap.ts expects: its pattern, and a partition table in sector 0. May import cpu's public face. */
import { SECTOR_BYTES } from "../../cpu/index";

const SECTORS = 4101;
/** Type, first sector, sectors. */
const PARTITIONS = [
  [0x83, 64, 800],
  [0x82, 1024, 512],
  [0x83, 2001, 13],
  [0x83, 4000, 200],
];
const TABLE_AT = 446;

export function diskImage(): Uint8Array {
  const image = Uint8Array.from({ length: SECTORS * SECTOR_BYTES }, (_, p) => (p * 7 + (p >> 9) * 13) & 0xff);
  const view = new DataView(image.buffer);
  for (const [index, [type, first, sectors]] of PARTITIONS.entries()) {
    const entry = TABLE_AT + 16 * index;
    view.setUint8(entry + 4, type);
    view.setUint32(entry + 8, first, true);
    view.setUint32(entry + 12, sectors, true);
  }
  view.setUint16(SECTOR_BYTES - 2, 0xaa55, true);
  return image;
}
