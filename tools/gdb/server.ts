/**
 * The gdb remote server: a socket on the loopback interface, one client at a time, and the machine that they debug one after the other. May
 * import Node and the rest of tools/gdb.
 *
 * Invariants: nothing that a client sends or leaves out harms the machine; a second client is told that it is one and let go; one that
 * vanishes leaves the machine where it stopped, for the next.
 */
import { createServer, type Server, type Socket } from "node:net";
import type { Debugged } from "./debugged";
import { frame, PacketReader, toHex } from "./packet";
import { type Farewell, Session } from "./session";

const LOOPBACK = "127.0.0.1";
const BUSY = "a debugger is connected already, and there can be one at a time\n";

export interface ServerHandlers {
  /** A client has come; whoever else runs the machine stops at once. */
  arrival(): void;
  /** A client has gone for good: it wants the machine to run on or to end. */
  farewell(farewell: Exclude<Farewell, "gone">): void;
  /** A line for a person. */
  note(text: string): void;
}

export class GdbServer {
  private readonly server: Server;
  private client: Client | undefined;

  constructor(
    private readonly debuggee: Debugged,
    private readonly handlers: ServerHandlers,
  ) {
    this.server = createServer((socket) => this.connect(socket));
  }

  /** Listens; the port, a free one for 0. Rejects with Node's error. */
  listen(port: number): Promise<number> {
    return new Promise((resolve, reject) => {
      this.server.once("error", reject);
      this.server.listen(port, LOOPBACK, () => {
        const address = this.server.address();
        resolve(typeof address === "object" && address !== null ? address.port : port);
      });
    });
  }

  close(): void {
    this.client?.destroy();
    this.server.close();
  }

  private connect(socket: Socket): void {
    socket.setNoDelay(true);
    socket.on("error", () => socket.destroy());
    if (this.client !== undefined) {
      refuse(socket);
      this.handlers.note("a second debugger was refused: there can be one at a time");
      return;
    }
    this.handlers.arrival();
    this.client = new Client(socket, this.debuggee, (farewell) => {
      this.client = undefined;
      if (farewell !== "gone") this.handlers.farewell(farewell);
    });
  }
}

/** Says why, in the two ways that gdb may show, and closes. */
function refuse(socket: Socket): void {
  socket.once("data", () => {
    socket.write("+");
    socket.write(frame(`O${toHex(Buffer.from(BUSY))}`));
    socket.end(frame(`E.${BUSY.trim()}`));
  });
}

/** A client and its session. */
class Client {
  private readonly reader = new PacketReader();
  private readonly session: Session;
  private wake = (): void => {};
  private acknowledges = true;
  private last: Uint8Array = new Uint8Array(0);

  constructor(
    private readonly socket: Socket,
    debuggee: Debugged,
    onEnd: (farewell: Farewell) => void,
  ) {
    let over = false;
    const end = (farewell: Farewell): void => {
      if (over) return;
      over = true;
      socket.end();
      onEnd(farewell);
    };
    this.session = new Session(debuggee, { send: (body) => this.send(body), pause: (ms) => this.pause(ms), end });
    socket.on("data", (bytes) => this.receive(bytes));
    socket.on("close", () => {
      this.session.vanish();
      this.wake();
    });
  }

  destroy(): void {
    this.socket.destroy();
  }

  private receive(bytes: Uint8Array): void {
    for (const received of this.reader.feed(bytes)) {
      if (received.kind === "interrupt") this.session.interrupt();
      else if (received.kind === "damaged") this.write("-");
      else if (received.kind === "acknowledged") {
        if (!received.ok) this.write(this.last);
      } else {
        if (this.acknowledges) this.write("+");
        this.session.handle(received.body);
        if (received.body === "QStartNoAckMode") this.acknowledges = false;
      }
    }
    this.wake();
  }

  private send(body: string): void {
    this.last = frame(body);
    this.write(this.last);
  }

  private write(data: string | Uint8Array): void {
    if (this.socket.writable) this.socket.write(data);
  }

  /** One turn of the event loop, or longer, until something comes. */
  private pause(milliseconds: number): Promise<void> {
    return new Promise((resolve) => {
      if (milliseconds === 0) {
        setImmediate(resolve);
        return;
      }
      const timer = setTimeout(resolve, milliseconds);
      this.wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }
}
