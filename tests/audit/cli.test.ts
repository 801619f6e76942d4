/** `tine audit`, --audit, --tlb and --save-state, as a user types them. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { saveState } from "../../tools/audit/statefile";
import { outcome } from "../../tools/cli/outcome";
import { tine, withFiles } from "../cli/tine";
import { layout, model, Spoilt } from "./planted";

const test = suite("audit/cli");

const PROGRAM = "export function main(argc: i32, argv: usize, envp: usize): i32 {\n  return 7;\n}\n";

test("a run with audits passes the program's status on, with other TLBs too", () => {
  withFiles({ "seven.ts": PROGRAM }, (cwd) => {
    for (const tlb of ["unbounded", "random:7"]) {
      const { status, stderr } = tine(["run", "--audit", "--tlb", tlb, "--mem", "16", "seven.ts"], { cwd });
      assert.is(stderr.replace(/^building.*$\n?/gm, ""), "");
      assert.is(status, 7, tlb);
    }
  });
});

test("a saved state is audited later, in words and as JSON", () => {
  withFiles({ "seven.ts": PROGRAM }, (cwd) => {
    assert.is(tine(["run", "--mem", "16", "--save-state", "end.state", "seven.ts"], { cwd }).status, 7);
    const { status, stdout } = tine(["audit", "end.state"], { cwd });
    assert.match(stdout, /^pid 1 \(init\): \d+ pages resident$/m);
    assert.match(stdout, /^no difference$/m);
    assert.is(status, 0);
    const json = JSON.parse(tine(["audit", "--json", "end.state"], { cwd }).stdout);
    assert.equal(json.findings, []);
    assert.is(json.summary.processes[0].pid, 1);
  });
});

test("a state with a fault in it: the report, and exit code 3", () => {
  withFiles({}, (cwd) => {
    const spoilt = new Spoilt();
    const { frame, slot, sharers } = spoilt.sharedTable();
    spoilt.add(spoilt.view.page(frame) + model.fields.TablePage.users, 1);
    saveState(join(cwd, "spoilt.state"), spoilt.machine, layout);
    const { status, stdout } = tine(["audit", "spoilt.state"], { cwd });
    const where = `I1 pid ${sharers[0].pid} \\(forkdemo\\) slot ${slot} frame 0x${frame.toString(16)}`;
    assert.match(stdout, new RegExp(`^${where}: users is 3, expected 2`, "m"));
    assert.match(stdout, /^1 difference$/m);
    assert.is(status, 3);
  });
});

test("an audit that finds something ends the run with exit code 3", () => {
  const counts = {
    instret: 5,
    cycles: 9,
    programStatus: undefined,
    panicked: false,
    regions: [],
    last: [],
    trace: undefined,
    recordError: undefined,
  };
  const { code, line } = outcome({ end: { reason: "audit" }, audit: ["I1 ..."], ...counts });
  assert.is(code, 3);
  assert.match(line ?? "", /audit.*after 5 instructions/);
});

test("what is no state of ours is refused in one line with exit code 2", () => {
  withFiles({ "text.state": "hello\n", "empty.state": "" }, (cwd) => {
    const spoilt = new Spoilt();
    const good = join(cwd, "good.state");
    saveState(good, spoilt.machine, layout);
    const bytes = readFileSync(good);
    const turned = Buffer.from(bytes);
    turned[bytes.length - 9] ^= 1;
    const older = Buffer.from(bytes);
    older.writeUInt32LE(99, 10);
    const files = {
      "cut.state": bytes.subarray(0, 4000),
      "short.state": bytes.subarray(0, 12),
      "turned.state": turned,
    };
    saveState(join(cwd, "foreign.state"), spoilt.machine, undefined);
    withFiles({ ...files, "older.state": older }, (others) => {
      for (const [path, says] of [
        [join(cwd, "text.state"), /not a saved machine state/],
        [join(cwd, "empty.state"), /not a saved machine state/],
        [join(cwd, "missing.state"), /no such file/],
        [join(cwd, "foreign.state"), /carries no layout/],
        [join(others, "cut.state"), /truncated/],
        [join(others, "short.state"), /truncated/],
        [join(others, "turned.state"), /damaged/],
        [join(others, "older.state"), /version 99/],
      ] as const) {
        const { status, stdout, stderr } = tine(["audit", path], { cwd });
        assert.is(status, 2, path);
        assert.is(stdout, "");
        assert.match(stderr, says);
        assert.is(stderr.trim().split("\n").length, 1, stderr);
      }
    });
    for (const [args, says] of [
      ["run --tlb round seven.ts", /--tlb.*standard, unbounded, minimal/],
      ["run --tlb random:-1 seven.ts", /--tlb/],
      ["run --audit-every 0 seven.ts", /--audit-every.*returns/],
      ["run --save-state no/where seven.ts", /--save-state.*cannot be written: no such file/],
    ] as const) {
      const { status, stderr } = tine(args.split(" "), { cwd });
      assert.is(status, 2);
      assert.match(stderr, says);
    }
  });
});

test.run();
