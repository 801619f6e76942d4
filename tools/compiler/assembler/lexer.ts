/**
 * One line of assembly -> tokens. May import error.ts. Comments begin with `#`, `;` or `//` outside strings.
 */
import { SyntaxFault } from "./error";

export interface Token {
  /** A quoted text is a string for .ascii and a symbol's name in an expression: `"Task#run"`. */
  readonly kind: "name" | "number" | "string" | "punctuation";
  /** The name, the punctuation, or the string with its escapes resolved. */
  readonly text: string;
  /** Of a number. */
  readonly value: number;
}

const PATTERN =
  /\s+|(?<comment>#|;|\/\/)|(?<number>0[xX][0-9a-fA-F]+|0[bB][01]+|[0-9]+)(?![\w.])|'(?<char>\\.|[^\\'])'|"(?<string>(?:\\.|[^"\\])*)"|(?<name>[A-Za-z_.$][\w.$@]*)|(?<punctuation><<|>>|[-+*/%&|^~(),:[\]=])/y;

const ESCAPES: Readonly<Record<string, string>> = { n: "\n", t: "\t", r: "\r", "0": "\0", e: "\x1b" };

/** Resolves \n \t \r \0 \e and \xNN; any other character stands for itself. */
function resolveEscapes(text: string): string {
  return text.replace(/\\(?:x([0-9a-fA-F]{2})|(.))/g, (_, hex: string | undefined, one: string) =>
    hex === undefined ? (ESCAPES[one] ?? one) : String.fromCharCode(Number.parseInt(hex, 16)),
  );
}

/** The tokens of a line without its comment. Throws SyntaxFault on a character that begins no token. */
export function tokenize(line: string): Token[] {
  const tokens: Token[] = [];
  PATTERN.lastIndex = 0;
  while (PATTERN.lastIndex < line.length) {
    const at = PATTERN.lastIndex;
    const groups = PATTERN.exec(line)?.groups;
    if (groups === undefined) throw new SyntaxFault(`cannot read '${line.slice(at).trim()}'`);
    if (groups.comment !== undefined) break;
    if (groups.number !== undefined) tokens.push({ kind: "number", text: groups.number, value: Number(groups.number) });
    else if (groups.char !== undefined) {
      tokens.push({ kind: "number", text: groups.char, value: resolveEscapes(groups.char).charCodeAt(0) });
    } else if (groups.string !== undefined)
      tokens.push({ kind: "string", text: resolveEscapes(groups.string), value: 0 });
    else if (groups.name !== undefined) tokens.push({ kind: "name", text: groups.name, value: 0 });
    else if (groups.punctuation !== undefined) {
      tokens.push({ kind: "punctuation", text: groups.punctuation, value: 0 });
    }
  }
  return tokens;
}

/** Reads a line's tokens from left to right. */
export class TokenReader {
  private at = 0;

  constructor(private readonly tokens: readonly Token[]) {}

  get done(): boolean {
    return this.at >= this.tokens.length;
  }

  /** The token `ahead` of the next one; undefined behind the last. */
  peek(ahead = 0): Token | undefined {
    return this.tokens[this.at + ahead];
  }

  /** Whether the next token is this punctuation. */
  sees(punctuation: string, ahead = 0): boolean {
    const token = this.peek(ahead);
    return token?.kind === "punctuation" && token.text === punctuation;
  }

  /** Whether the next token is a name that, in lower case, is one of these. */
  seesName(names: { has(name: string): boolean }): boolean {
    const token = this.peek();
    return token?.kind === "name" && names.has(token.text.toLowerCase());
  }

  next(): Token {
    const token = this.tokens[this.at];
    if (token === undefined) throw new SyntaxFault("the line ends too early");
    this.at++;
    return token;
  }

  /** Takes the punctuation if it is next. */
  accept(punctuation: string): boolean {
    if (!this.sees(punctuation)) return false;
    this.at++;
    return true;
  }

  expect(punctuation: string): void {
    if (!this.accept(punctuation)) throw new SyntaxFault(`'${punctuation}' expected${this.found()}`);
  }

  /** A name, or a quoted one. */
  name(): string {
    const token = this.peek();
    if (token?.kind !== "name" && token?.kind !== "string") throw new SyntaxFault(`a name expected${this.found()}`);
    return this.next().text;
  }

  end(): void {
    if (!this.done) throw new SyntaxFault(`end of line expected${this.found()}`);
  }

  /** For messages: what is there instead. */
  found(): string {
    const token = this.peek();
    return token === undefined ? " at the end of the line" : `, not '${token.text}'`;
  }
}
