/**
 * The one error that the machine throws. May import nothing.
 * Guest code never causes one: whatever a guest does ends in a stop reason. It is for the caller's mistakes: a file that
 * is no kernel, a saved state of another version, an argument out of range.
 */

/** `message` is one line, ready for a person, without the name of the file concerned (which the caller knows). */
export class MachineError extends Error {
  override readonly name = "MachineError";
}
