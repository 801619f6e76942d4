/**
 * The commands of an IDE drive by their codes: one row for each code or range. A code without a row is aborted. May import ata.ts,
 * idestate.ts.
 * Source: ATA-1 (X3.221-1994) table 9, ATA-2 (X3.279-1996) table 12; ATA/ATAPI-5, clause 8. Not here: DMA, READ and WRITE LONG,
 * FORMAT TRACK, READ and WRITE BUFFER, security, media and vendor commands, as IDENTIFY DEVICE says.
 */

import { MAX_TRANSFER } from "./ata";
import { Phase, Power } from "./idestate";

/** What a command without sectors does. */
export const enum Action {
  Identify,
  Flush,
  Diagnostic,
  SetMultiple,
  SetFeatures,
  InitializeParameters,
  /** Ends well. */
  Nothing,
  Seek,
  /** Goes to the row's power mode. */
  SetPower,
  CheckPower,
}

export interface CommandRow {
  /** A command that moves sectors begins with this phase, in blocks of so many (0: as SET MULTIPLE MODE said). */
  phase?: Phase;
  limit?: number;
  /** Any other does this. */
  action?: Action;
  power?: Power;
}

const POWER: readonly (readonly [code: number, older: number, row: CommandRow])[] = [
  [0xe0, 0x94, { action: Action.SetPower, power: Power.Standby }],
  [0xe1, 0x95, { action: Action.SetPower, power: Power.Idle }],
  [0xe2, 0x96, { action: Action.SetPower, power: Power.Standby }],
  [0xe3, 0x97, { action: Action.SetPower, power: Power.Idle }],
  [0xe5, 0x98, { action: Action.CheckPower }],
  [0xe6, 0x99, { action: Action.SetPower, power: Power.Sleep }],
];

const ROWS: readonly (readonly [first: number, last: number, row: CommandRow])[] = [
  [0x10, 0x1f, { action: Action.Nothing }], // RECALIBRATE
  [0x20, 0x21, { phase: Phase.ReadBlock, limit: 1 }], // READ SECTORS, with and without retries
  [0x30, 0x31, { phase: Phase.WriteReady, limit: 1 }], // WRITE SECTORS
  [0x40, 0x41, { phase: Phase.Verify, limit: MAX_TRANSFER }], // READ VERIFY SECTORS
  [0x70, 0x7f, { action: Action.Seek }],
  [0x90, 0x90, { action: Action.Diagnostic }],
  [0x91, 0x91, { action: Action.InitializeParameters }],
  [0xc4, 0xc4, { phase: Phase.ReadBlock, limit: 0 }], // READ MULTIPLE
  [0xc5, 0xc5, { phase: Phase.WriteReady, limit: 0 }], // WRITE MULTIPLE
  [0xc6, 0xc6, { action: Action.SetMultiple }],
  [0xe7, 0xe7, { action: Action.Flush }],
  [0xec, 0xec, { action: Action.Identify }],
  [0xef, 0xef, { action: Action.SetFeatures }],
  ...POWER.flatMap(([code, older, row]) => [[code, code, row] as const, [older, older, row] as const]),
];

/** The one command that the absent device's selection does not keep from device 0. */
export const EXECUTE_DIAGNOSTIC = 0x90;

/** By code; undefined: there is no such command. */
export const COMMANDS: readonly (CommandRow | undefined)[] = commandsByCode();

function commandsByCode(): (CommandRow | undefined)[] {
  const commands = new Array<CommandRow | undefined>(256).fill(undefined);
  for (const [first, last, row] of ROWS) commands.fill(row, first, last + 1);
  return commands;
}
