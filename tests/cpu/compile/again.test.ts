/** The tests of the interpreter once more, with every block compiled before its first run. */
import "./atonce";
import "../blocks.test";
import "../debug.test";
import "../exec.test";
import "../interrupts.test";
import "../paging.test";
import "../segmentation.test";
import "../strings.test";
import "../tlb.test";
import "../faults/alignment.test";
import "../faults/opcodes.test";
import "../faults/pages.test";
import "../faults/segments.test";
import "../faults/values.test";
import "../tasks/faults.test";
import "../tasks/switch.test";
import "../v86/v86.test";
