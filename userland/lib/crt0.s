# Process start. The kernel enters _start with the stack that Linux i386 gives a static executable:
#
#     [esp]  argc | argv[0] … argv[argc-1] | 0 | envp[0] … | 0 | auxv pairs … | 0 0
#
# Calls main(argc, argv, envp) of the program in EAX, EDX, ECX, then programExit(status) of start.ts, which does not
# return. EBP = 0 marks the outermost frame, where a backtrace ends.
# Source: System V ABI, Intel386 supplement, "Process Initialization"; Linux fs/binfmt_elf.c create_elf_tables.

.text
.global _start
_start:
    xor ebp, ebp
    mov eax, [esp]
    lea edx, [esp + 4]
    lea ecx, [edx + eax*4 + 4]
    and esp, 0xfffffff0
    call main
    call programExit
    ud2
