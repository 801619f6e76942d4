/** Frames of gdb's remote protocol. */
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { frame, PACKET_BYTES, PacketReader, type Received } from "../../tools/gdb/packet";
import { Random } from "../fuzz/random";

const test = suite("gdb/packet");

function bytesOf(text: string): Uint8Array {
  return Buffer.from(text, "latin1");
}

function textOf(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("latin1");
}

function bodies(received: readonly Received[]): string[] {
  return received.map((one) => (one.kind === "packet" ? one.body : one.kind));
}

/** The two digits behind a body. */
function sumOf(body: string): string {
  const sum = [...body].reduce((total, character) => total + character.charCodeAt(0), 0);
  return (sum & 0xff).toString(16).padStart(2, "0");
}

/** A body out of its frame as gdb reads it: runs, then escapes. */
function expand(framed: string): string {
  const body = framed.slice(1, -3);
  let plain = "";
  for (let i = 0; i < body.length; i++) {
    if (body[i] === "}") plain += String.fromCharCode(body.charCodeAt(++i) ^ 0x20);
    else if (body[i] === "*") plain += plain[plain.length - 1].repeat(body.charCodeAt(++i) - 29);
    else plain += body[i];
  }
  return plain;
}

test("a packet is taken whole, however its bytes arrive, with ^C and acknowledgements between", () => {
  const stream = bytesOf("+$m0,4#fd\x03-$g#67");
  const wanted = ["acknowledged", "m0,4", "interrupt", "acknowledged", "g"];
  assert.equal(bodies(new PacketReader().feed(stream)), wanted);
  const reader = new PacketReader();
  assert.equal(bodies([...stream].flatMap((byte) => reader.feed(Uint8Array.of(byte)))), wanted);
});

test("escapes of binary data are undone, and a run is not taken for one", () => {
  assert.equal(bodies(new PacketReader().feed(bytesOf(`$X0,2:}\x03**#${sumOf("X0,2:}\x03**")}`))), ["X0,2:#**"]);
});

test("a wrong sum, a sum that is no number, a packet cut short by another, one without an end", () => {
  const reader = new PacketReader();
  assert.equal(bodies(reader.feed(bytesOf("$g#00$g#zz$m0$g#67"))), ["damaged", "damaged", "g"]);
  assert.equal(bodies(reader.feed(bytesOf(`$${"x".repeat(PACKET_BYTES)}`))), ["damaged"]);
  assert.equal(bodies(reader.feed(bytesOf("$g#67"))), ["g"]);
});

test("what is sent is what gdb reads, in fewer bytes for runs, and never with a byte that ends a packet", () => {
  const random = new Random(5);
  for (let length = 0; length < 300; length++) {
    const letters = length % 3 === 0 ? "0" : "0ab#$}*+-";
    let body = "";
    while (body.length < length) body += letters[random.below(letters.length)].repeat(1 + random.below(120));
    const framed = textOf(frame(body));
    assert.is(expand(framed), body);
    assert.ok(!/[$#]/.test(framed.slice(1, -3)), "no byte of the frame in the body");
    assert.equal(bodies(new PacketReader().feed(bytesOf(framed))).length, 1);
    assert.is(bodies(new PacketReader().feed(bytesOf(framed)))[0] === "damaged", false, "the sum is right");
  }
  assert.ok(frame("0".repeat(600)).length < 40);
});

test.run();
