/**
 * Assembly source -> sections of items, labels and constants. May import the assembler's other parts but layout and index.
 *
 * Statements: `label:` (several may precede a statement on its line), directives, instructions. Directives:
 *   .text .rodata .data .bss .section NAME   where what follows goes
 *   .global NAME, …                          a label of this file that other objects may use
 *   .align N                                 N bytes, a power of two; filled with NOP in .text, zeros elsewhere
 *   .byte .word .long EXPR, …                1, 2 and 4 bytes each
 *   .ascii "…", …   .asciz "…", …            UTF-8; asciz adds a NUL to each
 *   .space N [, FILL]
 *   .equ NAME, EXPR   (or .set)              a constant, also for the lines before it; once only
 *   .rept N … .endr                          N times; `\+` is replaced by 0, 1, 2, … of the innermost
 */
import { AssembleError, SyntaxFault } from "./error";
import { type Expression, evaluateNumber, parseExpression, type Scope } from "./expression";
import { parseInstruction } from "./instruction";
import { TokenReader, tokenize } from "./lexer";
import { isReserved } from "./operand";
import { type Fixup, type Label, Section } from "./section";

interface SourceLine {
  readonly text: string;
  readonly number: number;
}

/** Everything one file says, before the layout. */
export class Source implements Scope {
  readonly sections = new Map<string, Section>();
  readonly labels = new Map<string, Label>();
  readonly globals = new Map<string, number>();
  private readonly constants = new Map<string, Expression>();
  private section: Section;

  /** Parses; throws AssembleError. */
  constructor(
    source: string,
    readonly fileName: string,
  ) {
    this.section = this.sectionNamed(".text");
    const lines = source.split(/\r?\n/).map((text, i) => ({ text, number: i + 1 }));
    const expanded = this.expand(lines);
    // Constants first: what an instruction's size is must not depend on the order of lines.
    for (const line of expanded) this.at(line, () => this.defineConstant(line));
    for (const line of expanded) this.at(line, () => this.statement(line));
    for (const [name, line] of this.globals) {
      if (!this.labels.has(name)) throw this.error(`'${name}' is .global but no label here`, line);
    }
  }

  constant(name: string): Expression | undefined {
    return this.constants.get(name);
  }

  /** No label has a place yet. */
  place(): undefined {
    return undefined;
  }

  error(reason: string, line: number): AssembleError {
    return new AssembleError(reason, this.fileName, line);
  }

  /** Runs `action`, giving its faults this line. */
  private at(line: SourceLine, action: () => void): void {
    try {
      action();
    } catch (error) {
      if (error instanceof SyntaxFault) throw this.error(error.message, line.number);
      throw error;
    }
  }

  private expand(lines: readonly SourceLine[]): SourceLine[] {
    const out: SourceLine[] = [];
    for (let i = 0; i < lines.length; i++) {
      const word = /^\s*\.(rept|endr)\b(.*)/.exec(lines[i].text);
      if (word === null) {
        out.push(lines[i]);
        continue;
      }
      if (word[1] === "endr") throw this.error(".endr without .rept", lines[i].number);
      const end = this.endOfRept(lines, i);
      const count = this.count(word[2], lines[i].number);
      // Inner repetitions first: a counter belongs to the innermost.
      const body = this.expand(lines.slice(i + 1, end));
      for (let n = 0; n < count; n++) {
        for (const { text, number } of body) out.push({ text: text.replaceAll("\\+", String(n)), number });
      }
      i = end;
    }
    return out;
  }

  private endOfRept(lines: readonly SourceLine[], start: number): number {
    let depth = 0;
    for (let i = start; i < lines.length; i++) {
      if (/^\s*\.rept\b/.test(lines[i].text)) depth++;
      else if (/^\s*\.endr\b/.test(lines[i].text) && --depth === 0) return i;
    }
    throw this.error(".rept without .endr", lines[start].number);
  }

  private count(text: string, line: number): number {
    let count: number | undefined;
    this.at({ text, number: line }, () => {
      const reader = new TokenReader(tokenize(text));
      count = evaluateNumber(parseExpression(reader), { constant: () => undefined, place: () => undefined });
      reader.end();
    });
    if (count === undefined || count < 0) throw this.error(".rept needs a number", line);
    return count;
  }

  private defineConstant({ text, number }: SourceLine): void {
    if (!/^\s*\.(equ|set)\b/.test(text)) return;
    const reader = new TokenReader(tokenize(text));
    reader.next();
    const name = reader.name();
    reader.expect(",");
    if (this.constants.has(name)) throw this.error(`'${name}' is defined twice`, number);
    if (isReserved(name)) throw this.error(`'${name}' is reserved`, number);
    this.constants.set(name, parseExpression(reader));
    reader.end();
  }

  private statement({ text, number }: SourceLine): void {
    const reader = new TokenReader(tokenize(text));
    while (reader.sees(":", 1)) {
      this.label(reader.name(), number);
      reader.expect(":");
    }
    if (reader.done) return;
    const token = reader.peek()!;
    if (token.kind === "name" && token.text.startsWith(".")) {
      reader.next();
      this.directive(token.text, reader, number);
      reader.end();
      return;
    }
    const item = parseInstruction(reader, this, number);
    this.needBytes();
    this.section.items.push(item);
  }

  private label(name: string, line: number): void {
    if (isReserved(name)) throw new SyntaxFault(`'${name}' is reserved`);
    if (this.labels.has(name) || this.constants.has(name)) throw new SyntaxFault(`'${name}' is defined twice`);
    this.labels.set(name, { name, section: this.section, item: this.section.items.length, line });
  }

  private sectionNamed(name: string): Section {
    let section = this.sections.get(name);
    if (section === undefined) {
      section = new Section(name);
      this.sections.set(name, section);
    }
    return section;
  }

  private directive(name: string, reader: TokenReader, line: number): void {
    switch (name) {
      case ".text":
      case ".rodata":
      case ".data":
      case ".bss":
        this.section = this.sectionNamed(name);
        return;
      case ".section":
        this.section = this.sectionNamed(reader.name());
        return;
      case ".global":
      case ".globl":
        do this.globals.set(reader.name(), line);
        while (reader.accept(","));
        return;
      case ".equ":
      case ".set":
        // Done before all statements.
        while (!reader.done) reader.next();
        return;
      case ".align":
        this.align(this.number(reader), line);
        return;
      case ".space":
        this.space(this.number(reader), reader.accept(",") ? this.number(reader) : 0, line);
        return;
      case ".byte":
        this.data(reader, 1, line);
        return;
      case ".word":
        this.data(reader, 2, line);
        return;
      case ".long":
        this.data(reader, 4, line);
        return;
      case ".ascii":
        this.strings(reader, "", line);
        return;
      case ".asciz":
        this.strings(reader, "\0", line);
        return;
      default:
        throw new SyntaxFault(`no directive is called '${name}'`);
    }
  }

  /** A number that the layout may depend on. */
  private number(reader: TokenReader): number {
    const value = evaluateNumber(parseExpression(reader), this);
    if (value === undefined) throw new SyntaxFault("a number that depends on no label expected");
    return value;
  }

  private align(to: number, line: number): void {
    if (!Number.isInteger(Math.log2(to)) || to > 0x10000) throw new SyntaxFault("an alignment is a power of two");
    this.section.align = Math.max(this.section.align, to);
    this.section.items.push({ kind: "align", to, line });
  }

  private space(size: number, fill: number, line: number): void {
    if (size < 0 || size > 0x1000_0000) throw new SyntaxFault(`no space has ${size} bytes`);
    if (fill !== 0) this.needBytes();
    this.section.items.push({ kind: "space", size, fill, line });
  }

  private data(reader: TokenReader, size: 1 | 2 | 4, line: number): void {
    this.needBytes();
    const fixups: Fixup[] = [];
    do fixups.push({ at: fixups.length * size, size, value: parseExpression(reader) });
    while (reader.accept(","));
    const bytes = new Uint8Array(fixups.length * size);
    this.section.items.push({ kind: "bytes", bytes, fixups, instruction: false, line });
  }

  private strings(reader: TokenReader, end: string, line: number): void {
    this.needBytes();
    let text = "";
    do {
      const token = reader.next();
      if (token.kind !== "string") throw new SyntaxFault("a string in double quotes expected");
      text += token.text + end;
    } while (reader.accept(","));
    const bytes = new TextEncoder().encode(text);
    this.section.items.push({ kind: "bytes", bytes, fixups: [], instruction: false, line });
  }

  private needBytes(): void {
    if (this.section.isBss) throw new SyntaxFault(".bss holds only .space");
  }
}
