/**
 * ProcFile, a file of /proc, and how one that is text is read: as pieces, of a line or some lines, that a ProcPrinter makes one after
 * another when they are wanted. An open file has one frame, which holds the pieces that were made last:
 *
 *     file.data ─> │ start │ end │ cursor │ text ...             │
 *                                           └ byte `start` of the file, up to address `end`
 *
 * so a text of any length can be read, from any position, and what fits the frame is of one moment. Going back makes the text anew.
 * Imports tasks, frames, user access. Source: Linux (fs/seq_file.c).
 */
import { Errno } from "../abi/errno";
import { TextBuffer } from "../lib/format";
import { frameToVirt, PAGE_BYTES, virtToFrame } from "../mm/layout";
import { FrameKind } from "../mm/page";
import { allocFrame, freeFrame } from "../mm/pagealloc";
import { copyToUser } from "../mm/uaccess";
import { Task } from "../task/task";
import { File } from "./file";

/** What a printer returns when no piece is left. */
export const END_OF_TEXT: u32 = 0xffffffff;

/**
 * Writes the piece of a file at `cursor`, which is 0 for the first; it may be empty, and has some 4,000 bytes at most. Returns the
 * cursor of the next piece or END_OF_TEXT. `task` is whom the file is about; of a file that is about nobody, the caller.
 */
type ProcPrinter = (text: TextBuffer, task: Task, cursor: u32) => u32;
/** Reads from a file's position on, as fileRead does; `task` as above. */
type ProcReader = (file: File, task: Task, buffer: usize, bytes: u32) => i32;
/** Does what a number that was written to the file asks for. */
type ProcCommand = (value: u32) => void;

/** A file of /proc: it has one of the functions. */
@unmanaged
export class ProcFile {
  /** ASCIIZ. */
  name: usize = 0;
  print: ProcPrinter | null = null;
  read: ProcReader | null = null;
  command: ProcCommand | null = null;
}

@unmanaged
class TextFrame {
  /** Where in the file the frame's text begins. */
  start: u32 = 0;
  /** Address behind it. */
  end: usize = 0;
  /** Of the piece after it. */
  cursor: u32 = 0;

  get first(): usize {
    return changetype<usize>(this) + offsetof<TextFrame>();
  }
}

const text: TextBuffer = changetype<TextBuffer>(memory.data(8, 4));

/** Makes an open file ready to be read as text. 0 or -ENOMEM. */
export function textOpen(file: File): i32 {
  const frame = allocFrame(FrameKind.Kernel);
  if (frame == 0) return -Errno.ENOMEM;
  file.data = frameToVirt(frame);
  rewind(changetype<TextFrame>(file.data));
  return 0;
}

/** Ends that; nothing to do for a file that was not opened as text. */
export function textRelease(file: File): void {
  if (file.data != 0) freeFrame(virtToFrame(file.data));
}

function rewind(frame: TextFrame): void {
  frame.start = 0;
  frame.end = frame.first;
  frame.cursor = 0;
}

/** Puts as many of the next pieces into the frame as fit, at least one. */
function refill(frame: TextFrame, print: ProcPrinter, task: Task): void {
  frame.start += frame.end - frame.first;
  text.next = frame.first;
  text.end = changetype<usize>(frame) + PAGE_BYTES;
  frame.end = text.next;
  while (frame.cursor != END_OF_TEXT) {
    const next = print(text, task, frame.cursor);
    // What fills the frame to its last byte may have been cut off: that piece is made again, as the first of the next frame.
    if (text.next == text.end && frame.end != frame.first) return;
    frame.end = text.next;
    frame.cursor = next;
  }
}

/** Copies the text that `print` makes, from the file's position on, to a user address: as fileRead. */
export function textRead(file: File, buffer: usize, bytes: u32, print: ProcPrinter, task: Task): i32 {
  const frame = changetype<TextFrame>(file.data);
  if (file.position < frame.start) rewind(frame);
  let done: u32 = 0;
  while (done < bytes) {
    const offset = file.position - frame.start;
    const have = frame.end - frame.first;
    if (offset >= have) {
      if (frame.cursor == END_OF_TEXT) break;
      refill(frame, print, task);
      continue;
    }
    const wanted = min<u32>(bytes - done, have - offset);
    const missing = copyToUser(buffer + done, frame.first + offset, wanted);
    done += wanted - missing;
    file.position += wanted - missing;
    if (missing != 0) return done == 0 ? -Errno.EFAULT : i32(done);
  }
  return i32(done);
}
