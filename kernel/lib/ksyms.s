# Where the linker put its table of the kernel's own symbols, for backtraces; kernel/lib/ksyms.ts reads it.
# Convention: regparm(3), result in EAX.

.text
.global ksymsAddress
ksymsAddress:
        mov     eax, __ksyms
        ret
