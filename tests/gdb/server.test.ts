/** The server against what clients do: two at once, one that vanishes, ^C, and packets that nobody would send. */
import { connect, type Socket } from "node:net";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { frame, PacketReader } from "../../tools/gdb/packet";
import { Session } from "../../tools/gdb/session";
import { Random } from "../fuzz/random";
import { type Rig, startRig } from "./rig";

const test = suite("gdb/server");

/** A body with its runs written out. */
function withRuns(body: string): string {
  return body.replace(/(.)\*(.)/gs, (_, byte: string, count: string) => byte.repeat(count.charCodeAt(0) - 28));
}

/** A client that sends what it likes. */
class Client {
  private readonly reader = new PacketReader();
  private readonly bodies: string[] = [];
  private wake = (): void => {};
  closed = false;

  private constructor(readonly socket: Socket) {
    socket.on("data", (bytes) => {
      for (const one of this.reader.feed(bytes)) if (one.kind === "packet") this.bodies.push(withRuns(one.body));
      this.wake();
    });
    socket.on("error", () => {});
    socket.on("close", () => {
      this.closed = true;
      this.wake();
    });
  }

  static async to({ port }: Rig): Promise<Client> {
    const socket = connect(port, "127.0.0.1");
    await new Promise((resolve, reject) => socket.once("connect", resolve).once("error", reject));
    return new Client(socket);
  }

  send(body: string): void {
    this.socket.write(frame(body));
  }

  /** The next packet; throws after some seconds. */
  async next(milliseconds = 5000): Promise<string> {
    const until = Date.now() + milliseconds;
    while (this.bodies.length === 0) {
      if (this.closed) throw new Error("the server has closed the connection");
      if (Date.now() > until) throw new Error(`no answer for ${milliseconds} ms`);
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, 20);
        this.wake = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
    return this.bodies.shift() as string;
  }

  /** The answer to a packet, what the debugger is to print left out. */
  async ask(body: string): Promise<string> {
    this.send(body);
    for (;;) {
      const answer = await this.next();
      if (!answer.startsWith("O") || answer === "OK") return answer;
    }
  }

  async end(): Promise<void> {
    this.socket.destroy();
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

async function withRig(body: (rig: Rig) => Promise<void>, words = ""): Promise<void> {
  const rig = await startRig({ arguments: words });
  try {
    await body(rig);
  } finally {
    rig.close();
  }
}

test("^C is answered within 100 ms, with breakpoints and without, however long the guest has run", () =>
  withRig(async (rig) => {
    const client = await Client.to(rig);
    for (const breakpoint of [false, true]) {
      if (breakpoint) assert.is(await client.ask(`Z0,${rig.symbol("panic").toString(16)},1`), "OK");
      for (let round = 0; round < 4; round++) {
        client.send("vCont;c");
        await new Promise((resolve) => setTimeout(resolve, 150));
        const asked = Date.now();
        client.socket.write("\x03");
        assert.match(await client.next(), /^T02thread:/);
        const took = Date.now() - asked;
        assert.ok(took < 100, `${took} ms`);
      }
    }
    assert.ok(rig.debugged.control.machine.instret > 1_000_000, "the guest has run");
  }, "spin"));

test("a second client is told that it is one, and the first goes on", () =>
  withRig(async (rig) => {
    const first = await Client.to(rig);
    assert.match(await first.ask("?"), /^T05thread:/);
    const second = await Client.to(rig);
    second.send("qSupported");
    const said = Buffer.from((await second.next()).slice(1), "hex").toString();
    assert.match(said, /a debugger is connected already/);
    assert.match(await second.next(), /^E\.a debugger/);
    assert.is(rig.notes.length, 1);
    assert.match(await first.ask("g"), /^[0-9a-fx]+$/);
    await first.end();
    const third = await Client.to(rig);
    assert.match(await third.ask("?"), /^T05/);
  }));

test("a client that vanishes, in the middle of a run too, leaves a machine that stands, without its breakpoints", () =>
  withRig(async (rig) => {
    const { control } = rig.debugged;
    const first = await Client.to(rig);
    await first.ask(`Z0,${rig.symbol("copyPageRange").toString(16)},1`);
    first.socket.write("$Z0,c01");
    await first.end();
    const second = await Client.to(rig);
    second.send("vCont;c");
    await new Promise((resolve) => setTimeout(resolve, 100));
    await second.end();
    await new Promise((resolve) => setTimeout(resolve, 100));
    const { instret } = control.machine;
    assert.ok(instret > 1_000_000, "the breakpoint is gone");
    await new Promise((resolve) => setTimeout(resolve, 50));
    assert.is(control.machine.instret, instret, "it stands");
    const third = await Client.to(rig);
    assert.match(await third.ask("?"), /^T0[25]/);
    assert.match(await third.ask("vCont;s"), /^T05/);
    assert.ok(control.machine.instret > instret);
  }, "spin"));

test("bytes that are no packets, and packets that are damaged, are asked for again", () =>
  withRig(async (rig) => {
    const client = await Client.to(rig);
    for (const junk of ["", "\0\xff", "$#", "$?#00", "#3f", "$$$", "}}}}", `$${"m".repeat(70_000)}`, "$m0,4"]) {
      client.socket.write(Buffer.from(junk, "latin1"));
      assert.match(await client.ask("?"), /^T05thread:/, JSON.stringify(junk.slice(0, 20)));
    }
    for (const [body, answer] of Object.entries({
      ...{
        m: "E01",
        "m,": "E01",
        "mzz,4": "E01",
        "m0,": "E01",
        "m123456789,4": "E01",
        "M0,4:00": "E01",
        "M0,1:zz": "E01",
      },
      ...{
        "X0,5:abc": "E01",
        Z9: "",
        "Z0,zz,1": "E01",
        "Z2,0,0": "E01",
        p: "E01",
        p999: "E01",
        "P0=1": "E01",
        "P999=00": "E01",
      },
      ...{
        Hx: "E01",
        Hg7777: "E01",
        T7777: "E01",
        "qRcmd,zz": "E01",
        "vCont;x": "E01",
        "vCont;r9,1": "E01",
        nonsense: "",
        qXfer: "",
      },
      ...{ "qXfer:features:read:target.xml:zz": "E00", "Qqemu.PhyMemMode:7": "E01", G00: "E01", "": "" },
    })) {
      assert.is(await client.ask(body), answer, JSON.stringify(body));
    }
  }));

const SEEDS = 8;
const PACKETS = 150;

test(`${SEEDS * PACKETS} packets made of good ones by chance: each is answered, and the machine survives`, () =>
  withRig(async (rig) => {
    const good = [
      ...[
        "?",
        "g",
        "G00000000",
        "p8",
        "P8=00001000",
        "P0=01000000",
        "P2a=00000000",
        "m100000,40",
        "M100000,2:9090",
        "X100000,1:a",
      ],
      ...[
        "Z0,c0100000,1",
        "z0,c0100000,1",
        "Z2,c0140000,4",
        "Z4,8080000,4",
        "Hg2",
        "Hc-1",
        "T1",
        "vCont;s:2",
        "vCont;r0,ffff",
        "vCont;c",
      ],
      ...[
        "bs",
        "bc",
        "qSupported:xmlRegisters=i386",
        "qfThreadInfo",
        "qThreadExtraInfo,1",
        "qXfer:threads:read::0,fff",
        "s",
        "c",
      ],
      ...["shares", "table 0", "rmap 1", "tlb", "pg", "vmstat", "audit", "seek 1000", "phys on", "phys off"].map(
        (command) => `qRcmd,${Buffer.from(command).toString("hex")}`,
      ),
    ];
    for (let seed = 1; seed <= SEEDS; seed++) {
      const random = new Random(seed);
      const sent: string[] = [];
      let left = false;
      const wake = (): void => {};
      const session = new Session(rig.debugged, {
        send: (body) => {
          sent.push(body);
          wake();
        },
        pause: () => new Promise((resolve) => setImmediate(resolve)),
        end: () => (left = true),
      });
      for (let i = 0; i < PACKETS && !left; i++) {
        const body = mutate(random.pick(good), random);
        sent.length = 0;
        session.handle(body);
        for (let turn = 0; session.runs && turn < 50; turn++) await new Promise((resolve) => setImmediate(resolve));
        session.interrupt();
        while (session.runs) await new Promise<void>((resolve) => setImmediate(resolve));
        assert.ok(left || sent.length > 0, `seed ${seed}: an answer to ${JSON.stringify(body)}`);
      }
    }
    const client = await Client.to(rig);
    assert.match(await client.ask("?"), /^T0[25]/);
    assert.match(await client.ask("g"), /^[0-9a-fx]+$/);
  }));

/** A packet with a few of its characters changed, taken away or doubled; often as it is. */
function mutate(body: string, random: Random): string {
  let text = body;
  for (let n = random.below(3); n > 0; n--) {
    const at = random.below(text.length + 1);
    const change = random.below(3);
    const letter = random.oneIn(2) ? "0123456789abcdef"[random.below(16)] : String.fromCharCode(random.below(256));
    if (change === 0) text = text.slice(0, at) + letter + text.slice(at + 1);
    else if (change === 1) text = text.slice(0, at) + text.slice(at + 1 + random.below(3));
    else text = text.slice(0, at) + letter + text.slice(at);
  }
  return text;
}

test.run();
