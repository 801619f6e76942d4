/**
 * The shell's words: text in, tokens out, one at a time, so that `$?` and variables are those of the moment at which the
 * command runs. May import lib and variables.
 *
 * A word is made of plain characters, 'verbatim', "with $NAME", \x, $NAME ${NAME} $? $$ $! $# $0 … $9. A variable's value is
 * not split into words; an unquoted word that comes out empty is dropped. # at the start of a word begins a comment.
 * Source: POSIX Shell Command Language, 2.2, 2.3, 2.5, without the parts that are not named here.
 */
import { argument, cstr, getpid, isDigit, strlcpy } from "../../lib/index";
import { nameLength, variable } from "./variables";

export const enum Token {
  End = 0,
  Newline = 1,
  Word = 2,
  Pipe = 3,
  Background = 4,
  Semicolon = 5,
  And = 6,
  Or = 7,
  /** `<`, `>`, `>>`, and `<&` or `>&`: redirectionFd says which descriptor. */
  Input = 8,
  Output = 9,
  Append = 10,
  Duplicate = 11,
  /** A quote without its fellow, or a line with too long words. */
  Error = 12,
}

const ARENA: usize = 8192;
const arena: usize = memory.data(8192);
const name: usize = memory.data(64);
const number: usize = memory.data(12);

let text: usize = 0;
let free: usize = 0;
let overflowed: bool = false;

/** Address of the last Word's text; it holds until resetWords(). */
export let tokenWord: usize = 0;
/** Descriptor that a redirection is for: what stood before it, else 0 or 1. */
export let redirectionFd: i32 = 0;

/** $?, $!, and the vector and length of $0 … $9. */
export let lastStatus: i32 = 0;
let lastBackground: i32 = 0;
let parameters: usize = 0;
let parameterCount: i32 = 0;

export function setLastStatus(status: i32): void {
  lastStatus = status;
}

export function setLastBackground(pid: i32): void {
  lastBackground = pid;
}

export function setParameters(vector: usize, count: i32): void {
  parameters = vector;
  parameterCount = count;
}

/** Begins to read tokens from `source`. */
export function setText(source: usize): void {
  text = source;
}

/** Where reading goes on; resuming needs setText with it. */
export function textPosition(): usize {
  return text;
}

/** Forgets all words read so far. */
export function resetWords(): void {
  free = arena;
  overflowed = false;
}

function put(byte: u32): void {
  if (free == arena + ARENA) overflowed = true;
  else store<u8>(free++, u8(byte));
}

function putString(value: usize): void {
  if (value == 0) return;
  while (load<u8>(value) != 0) put(load<u8>(value++));
}

function putNumber(value: u32): void {
  let at = number + 11;
  store<u8>(at, 0);
  do {
    store<u8>(--at, u8((value % 10) + 0x30));
    value /= 10;
  } while (value != 0);
  putString(at);
}

/** Expands what follows a dollar sign at `text`. */
function putExpansion(): void {
  const byte: u32 = load<u8>(text);
  const braces = byte == 0x7b;
  if (braces) text++;
  const length = nameLength(text);
  if (length != 0) {
    strlcpy(name, text, length < 63 ? length + 1 : 64);
    putString(variable(name));
    text += length;
    if (braces && load<u8>(text) == 0x7d) text++;
    return;
  }
  text++;
  if (byte == 0x3f) putNumber(lastStatus);
  else if (byte == 0x24) putNumber(getpid());
  else if (byte == 0x21) putNumber(lastBackground);
  else if (byte == 0x23) putNumber(parameterCount == 0 ? 0 : parameterCount - 1);
  else if (!isDigit(byte)) {
    put(0x24);
    text--;
  } else if (i32(byte) - 0x30 < parameterCount) putString(argument(parameters, byte - 0x30));
}

/** Reads to the closing `quote`. False when there is none. */
function putQuoted(quote: u32): bool {
  text++;
  while (true) {
    const byte: u32 = load<u8>(text);
    if (byte == 0) return false;
    text++;
    if (byte == quote) return true;
    const next: u32 = load<u8>(text);
    if (quote == 0x22 && byte == 0x24) putExpansion();
    else if (quote == 0x22 && byte == 0x5c && (next == 0x22 || next == 0x5c || next == 0x24)) {
      put(next);
      text++;
    } else put(byte);
  }
}

/** Whether a byte ends an unquoted word. */
function endsWord(byte: u32): bool {
  switch (byte) {
    case 0:
    case 0x09: // tab
    case 0x0a: // newline
    case 0x20: // space
    case 0x26: // &
    case 0x3b: // ;
    case 0x3c: // <
    case 0x3e: // >
    case 0x7c: // |
      return true;
    default:
      return false;
  }
}

function word(): Token {
  const start = free;
  let quoted = false;
  while (!endsWord(load<u8>(text))) {
    const byte: u32 = load<u8>(text);
    if (byte == 0x27 || byte == 0x22) {
      quoted = true;
      if (!putQuoted(byte)) return Token.Error;
    } else if (byte == 0x5c && load<u8>(text + 1) != 0) {
      quoted = true;
      put(load<u8>(text + 1));
      text += 2;
    } else if (byte == 0x24) {
      text++;
      putExpansion();
    } else {
      put(byte);
      text++;
    }
  }
  if (free == start && !quoted) return next();
  put(0);
  if (overflowed) return Token.Error;
  tokenWord = start;
  return Token.Word;
}

/** `single`, or `double` when the byte stands twice. */
function oneOrTwo(single: Token, double: Token): Token {
  text++;
  if (load<u8>(text) != load<u8>(text - 1)) return single;
  text++;
  return double;
}

/** Reads the next token. */
export function next(): Token {
  while (load<u8>(text) == 0x20 || load<u8>(text) == 0x09) text++;
  let byte: u32 = load<u8>(text);
  if (byte == 0x23) {
    while (load<u8>(text) != 0 && load<u8>(text) != 0x0a) text++;
    byte = load<u8>(text);
  }
  // The text may be the last string of the stack: nothing behind its NUL can be read.
  const after: u32 = byte == 0 ? 0 : load<u8>(text + 1);
  if (isDigit(byte) && (after == 0x3c || after == 0x3e)) {
    redirectionFd = i32(byte) - 0x30;
    text++;
    byte = after;
  } else {
    redirectionFd = byte == 0x3c ? 0 : 1;
  }
  switch (byte) {
    case 0:
      return Token.End;
    case 0x0a:
      text++;
      return Token.Newline;
    case 0x26:
      return oneOrTwo(Token.Background, Token.And);
    case 0x7c:
      return oneOrTwo(Token.Pipe, Token.Or);
    case 0x3b:
      text++;
      return Token.Semicolon;
    case 0x3c:
    case 0x3e:
      if (load<u8>(text + 1) == 0x26) {
        text += 2;
        return Token.Duplicate;
      }
      if (byte == 0x3e) return oneOrTwo(Token.Output, Token.Append);
      text++;
      return Token.Input;
    default:
      return word();
  }
}

/** What a token looks like, for messages. */
export function tokenText(token: Token): usize {
  switch (token) {
    case Token.End:
    case Token.Newline:
      return cstr("end of line");
    case Token.Pipe:
      return cstr("|");
    case Token.Background:
      return cstr("&");
    case Token.Semicolon:
      return cstr(";");
    case Token.And:
      return cstr("&&");
    case Token.Or:
      return cstr("||");
    case Token.Error:
      return cstr("a quote without its fellow, or a line too long");
    default:
      return cstr("a redirection");
  }
}
