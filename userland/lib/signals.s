# What signals need that TypeScript has no words for. Arguments in EAX, EDX, ECX; result in EAX.

.equ RT_SIGPROCMASK, 175
.equ SIGSET_BYTES, 8

.text

# signalEntry(): address of dispatchSignal (signals.ts), the sa_handler of all signals. The kernel enters it with the arguments
# in EAX, EDX and ECX.
.global signalEntry
signalEntry:
    mov eax, dispatchSignal
    ret

# changeMask(how, set): rt_sigprocmask; the set that was. Both sets lie on the stack: a handler may run before it returns.
.global changeMask
changeMask:
    push ebx
    push esi
    push 0
    push edx
    push 0
    push 0
    mov ebx, eax
    lea ecx, [esp + 8]
    mov edx, esp
    mov esi, SIGSET_BYTES
    mov eax, RT_SIGPROCMASK
    int 0x80
    mov eax, [esp]
    add esp, 16
    pop esi
    pop ebx
    ret

# sigprocmaskOn(stack, how, set): rt_sigprocmask of the set at that address, with ESP = stack: handlers that it lets run have
# their frames there. Touches no other memory while it is on that stack.
.global sigprocmaskOn
sigprocmaskOn:
    push ebx
    push esi
    push ebp
    mov ebp, esp
    mov esp, eax
    mov ebx, edx
    xor edx, edx
    mov esi, SIGSET_BYTES
    mov eax, RT_SIGPROCMASK
    int 0x80
    mov esp, ebp
    pop ebp
    pop esi
    pop ebx
    ret
