/**
 * The console: a terminal on the serial line with a line discipline. Canonical mode: a line is edited in `line` and goes
 * to the input ring whole, when NL or ^D ends it; ^D itself is kept in the ring as the end-of-file mark, which no other
 * byte can be taken for, since a typed ^D never gets there. Raw mode: bytes go to the ring as they come. Input runs in the
 * UART's interrupt; when there is no room for another line, reception pauses until a reader takes some.
 * Imports the UART, signals, user access. Source: POSIX.1-2001 chapter 11; Linux (drivers/char/n_tty.c).
 */
import { Errno } from "../abi/errno";
import { O_NONBLOCK } from "../abi/fcntl";
import { cstr } from "../abi/intrinsics";
import { SI_KERNEL, Signal } from "../abi/signals";
import { TERMIOS_BYTES, TERMIOS_CC, Termios, Winsize } from "../abi/structs";
import {
  B38400,
  ControlCharacter,
  CREAD,
  CS8,
  ECHO,
  ECHOE,
  ECHOK,
  FIONREAD,
  ICANON,
  ICRNL,
  ISIG,
  ONLCR,
  OPOST,
  TCGETS,
  TCSETS,
  TCSETSF,
  TCSETSW,
  TIOCGPGRP,
  TIOCGWINSZ,
  TIOCSPGRP,
} from "../abi/termios";
import { registerDevice } from "../fs/devices";
import { File } from "../fs/file";
import { FILE_OPERATIONS_BYTES, FileOperations } from "../fs/inode";
import { ByteRing, ringHeadAddress, ringHeadSpan, ringInit, ringPut, ringTake } from "../lib/ring";
import { copyFromUser, copyToUser } from "../mm/uaccess";
import { TaskQueue } from "../task/queue";
import { ERESTARTSYS } from "../task/restart";
import { sleepOn, wakeAll } from "../task/sched";
import { INIT_PID, signalGroup, signalPending } from "../task/signal";
import { currentTask } from "../task/task";
import { uartFlush, uartQueue, uartReceiveOn, uartRoom, uartRoomQueue, uartStart, uartWriteNow } from "./uart";

const CONSOLE_DEVICE: u32 = 0x501;
const TTY_DEVICE: u32 = 0x500;

const INPUT_BYTES: u32 = 4096;
/** Longest line, NL included; what is typed beyond is refused with a bell. */
const LINE_BYTES: u32 = 1024;
const CHUNK_BYTES: u32 = 128;

const BELL: u32 = 0x07;
const BACKSPACE: u32 = 0x08;
const NEWLINE: u32 = 0x0a;
const RETURN: u32 = 0x0d;
const BLANK: u32 = 0x20;
const DELETE: u32 = 0x7f;
/** ^D in the ring: what came before it is a line, though no NL ends it. */
const END_MARK: u32 = 0x04;

const operations: FileOperations = changetype<FileOperations>(memory.data(FILE_OPERATIONS_BYTES));
const input: ByteRing = changetype<ByteRing>(memory.data(16));
const inputStorage: usize = memory.data(4096);
const line: usize = memory.data(1024);
const settings: Termios = changetype<Termios>(memory.data(36));
const window: Winsize = changetype<Winsize>(memory.data(8));
/** Bytes on their way from user memory to the UART. Nothing sleeps between filling and emptying it. */
const chunk: usize = memory.data(128);
/** Arguments of ioctl on their way from or to user memory. */
const word: usize = memory.data(4);
const incoming: usize = memory.data(36);
/** Who waits for input. */
const inputWait: TaskQueue = changetype<TaskQueue>(memory.data(8));

let lineBytes: u32 = 0;
/** Ends of lines (NL and END_MARK) in the ring. */
let linesReady: u32 = 0;
/** Process group that ^C goes to. */
let foreground: u32 = 0;

function controlCharacter(index: ControlCharacter): u32 {
  return load<u8>(changetype<usize>(settings) + TERMIOS_CC + (index as u32));
}

function setControlCharacter(index: ControlCharacter, byte: u32): void {
  store<u8>(changetype<usize>(settings) + TERMIOS_CC + (index as u32), u8(byte));
}

function has(flag: u32): bool {
  return (settings.localFlags & flag) != 0;
}

/** Sends a byte whatever happens: echo runs where nobody can wait. */
function sendByte(byte: u32): void {
  if (!uartQueue(byte)) uartWriteNow(byte);
}

function sendProcessed(byte: u32): void {
  if (byte == NEWLINE && (settings.outputFlags & (OPOST | ONLCR)) == (OPOST | ONLCR)) sendByte(RETURN);
  sendByte(byte);
}

/** Echoes a byte: control characters but NL and TAB as ^X. */
function echo(byte: u32): void {
  if (!has(ECHO)) return;
  if (byte >= BLANK || byte == NEWLINE || byte == 0x09) {
    if (byte != DELETE) sendProcessed(byte);
    return;
  }
  sendByte(0x5e);
  sendByte(byte + 0x40);
}

/** Takes the last byte of the line back, from the screen too: one column, two if it was echoed as ^X. */
function eraseByte(): void {
  lineBytes--;
  if (!has(ECHO)) return;
  const byte: u32 = load<u8>(line + lineBytes);
  let columns: u32 = byte >= BLANK ? 1 : 2;
  for (; columns > 0; columns--) {
    sendByte(BACKSPACE);
    sendByte(BLANK);
    sendByte(BACKSPACE);
  }
}

/** Gives the line with `end` (NL or END_MARK) after it to the readers. There is room: see ttyReceive. */
function commitLine(end: u32): void {
  for (let i: u32 = 0; i < lineBytes; i++) ringPut(input, load<u8>(line + i));
  ringPut(input, end);
  lineBytes = 0;
  linesReady++;
  wakeAll(inputWait);
}

function receiveCanonical(byte: u32): void {
  if (byte == controlCharacter(ControlCharacter.VERASE) || byte == BACKSPACE) {
    if (lineBytes > 0) eraseByte();
  } else if (byte == controlCharacter(ControlCharacter.VKILL)) {
    while (lineBytes > 0) eraseByte();
  } else if (byte == controlCharacter(ControlCharacter.VEOF)) {
    commitLine(END_MARK);
  } else if (byte == NEWLINE) {
    echo(byte);
    commitLine(byte);
  } else if (byte != END_MARK) {
    // The last place is for the end of the line.
    if (lineBytes == LINE_BYTES - 1) {
      sendByte(BELL);
      return;
    }
    store<u8>(line + lineBytes, u8(byte));
    lineBytes++;
    echo(byte);
  }
}

/** Throws typed input away. */
function discardInput(): void {
  lineBytes = 0;
  linesReady = 0;
  input.head = input.tail;
}

/** A byte came in: the UART's receiver. Says whether there is room for what the next one can bring: a whole line. */
function ttyReceive(received: u32): bool {
  let byte = received;
  if (byte == RETURN && (settings.inputFlags & ICRNL) != 0) byte = NEWLINE;
  if (has(ISIG) && byte == controlCharacter(ControlCharacter.VINTR)) {
    discardInput();
    echo(byte);
    if (has(ECHO)) sendProcessed(NEWLINE);
    signalGroup(foreground, Signal.SIGINT, SI_KERNEL, 0);
    wakeAll(inputWait);
  } else if (has(ICANON)) {
    receiveCanonical(byte);
  } else {
    ringPut(input, byte);
    echo(byte);
    wakeAll(inputWait);
  }
  uartFlush();
  return input.free >= LINE_BYTES;
}

/** Copies a line, or as much of it as there is room for. The end-of-file mark is taken and not copied. */
function takeLine(buffer: usize, bytes: u32): i32 {
  let done: u32 = 0;
  while (linesReady != 0) {
    const byte: u32 = load<u8>(ringHeadAddress(input));
    if (byte == END_MARK) {
      ringTake(input);
      linesReady--;
      break;
    }
    if (done == bytes) break;
    if (copyToUser(buffer + done, ringHeadAddress(input), 1) != 0) return done != 0 ? i32(done) : -Errno.EFAULT;
    ringTake(input);
    done++;
    if (byte == NEWLINE) {
      linesReady--;
      break;
    }
  }
  return i32(done);
}

/** Copies what has come, in raw mode. */
function takeRaw(buffer: usize, bytes: u32): i32 {
  let done: u32 = 0;
  while (done < bytes && input.used != 0) {
    const span = ringHeadSpan(input, bytes - done);
    const left = copyToUser(buffer + done, ringHeadAddress(input), span);
    input.head += span - left;
    done += span - left;
    if (left != 0) return done != 0 ? i32(done) : -Errno.EFAULT;
  }
  return i32(done);
}

function inputReady(): bool {
  return has(ICANON) ? linesReady != 0 : input.used != 0;
}

function ttyRead(file: File, buffer: usize, bytes: u32): i32 {
  if (bytes == 0) return 0;
  while (!inputReady()) {
    if (!has(ICANON) && controlCharacter(ControlCharacter.VMIN) == 0) return 0;
    if ((file.flags & O_NONBLOCK) != 0) return -Errno.EAGAIN;
    if (signalPending(currentTask())) return -ERESTARTSYS;
    sleepOn(inputWait);
  }
  const result = has(ICANON) ? takeLine(buffer, bytes) : takeRaw(buffer, bytes);
  if (input.free >= LINE_BYTES) uartReceiveOn();
  return result;
}

/** Sleeps until the UART's ring has room for `bytes`. False if a signal ended the wait. */
function waitForRoom(bytes: u32): bool {
  while (uartRoom() < bytes) {
    if (signalPending(currentTask())) return false;
    sleepOn(uartRoomQueue());
  }
  return true;
}

function ttyWrite(_file: File, buffer: usize, bytes: u32): i32 {
  let done: u32 = 0;
  while (done < bytes) {
    const wanted = min<u32>(bytes - done, CHUNK_BYTES);
    // Every byte may be an NL, which becomes two.
    if (!waitForRoom(2 * wanted)) return done != 0 ? i32(done) : -ERESTARTSYS;
    const got = wanted - copyFromUser(chunk, buffer + done, wanted);
    for (let i: u32 = 0; i < got; i++) sendProcessed(load<u8>(chunk + i));
    uartFlush();
    done += got;
    if (got != wanted) break;
  }
  return done == 0 && bytes != 0 ? -Errno.EFAULT : i32(done);
}

function setSettings(argument: u32): i32 {
  if (copyFromUser(incoming, argument, TERMIOS_BYTES) != 0) return -Errno.EFAULT;
  const wasCanonical = has(ICANON);
  memory.copy(changetype<usize>(settings), incoming, TERMIOS_BYTES);
  // What was typed under the other discipline has other bounds: it goes.
  if (wasCanonical != has(ICANON)) discardInput();
  return 0;
}

/** Bytes that a read would give at once: in canonical mode the first line's. */
function readableBytes(): u32 {
  if (!inputReady()) return 0;
  if (!has(ICANON)) return input.used;
  let bytes: u32 = 0;
  for (let at = input.head; at != input.tail; at++) {
    const byte: u32 = load<u8>(input.storage + (at & (input.capacity - 1)));
    if (byte == END_MARK) break;
    bytes++;
    if (byte == NEWLINE) break;
  }
  return bytes;
}

function giveWord(argument: u32, value: u32): i32 {
  store<u32>(word, value);
  return copyToUser(argument, word, 4) != 0 ? -Errno.EFAULT : 0;
}

function ttyControl(_file: File, request: u32, argument: u32): i32 {
  switch (request) {
    case TCGETS:
      return copyToUser(argument, changetype<usize>(settings), TERMIOS_BYTES) != 0 ? -Errno.EFAULT : 0;
    case TCSETSF:
      discardInput();
      return setSettings(argument);
    case TCSETS:
    case TCSETSW:
      return setSettings(argument);
    case TIOCGWINSZ:
      return copyToUser(argument, changetype<usize>(window), offsetof<Winsize>()) != 0 ? -Errno.EFAULT : 0;
    case FIONREAD:
      return giveWord(argument, readableBytes());
    case TIOCGPGRP:
      return giveWord(argument, foreground);
    case TIOCSPGRP:
      if (copyFromUser(word, argument, 4) != 0) return -Errno.EFAULT;
      foreground = load<u32>(word);
      return 0;
    default:
      return -Errno.ENOTTY;
  }
}

/** Makes /dev/console and /dev/tty, and lets input in. Once, at boot, after the file systems. */
export function ttyInit(): void {
  operations.read = ttyRead;
  operations.write = ttyWrite;
  operations.control = ttyControl;
  ringInit(input, inputStorage, INPUT_BYTES);
  settings.inputFlags = ICRNL;
  settings.outputFlags = OPOST | ONLCR;
  settings.controlFlags = B38400 | CS8 | CREAD;
  settings.localFlags = ISIG | ICANON | ECHO | ECHOE | ECHOK;
  setControlCharacter(ControlCharacter.VINTR, 0x03);
  setControlCharacter(ControlCharacter.VERASE, DELETE);
  setControlCharacter(ControlCharacter.VKILL, 0x15);
  setControlCharacter(ControlCharacter.VEOF, 0x04);
  setControlCharacter(ControlCharacter.VMIN, 1);
  window.rows = 25;
  window.columns = 80;
  foreground = INIT_PID;
  registerDevice(cstr("console"), CONSOLE_DEVICE, operations);
  registerDevice(cstr("tty"), TTY_DEVICE, operations);
  uartStart(ttyReceive);
}
