/*
 * System calls of jarvis-init, which is linked with no library at all.
 *
 * A C library costs a process of this kind more than all it does: its start asks the processor what
 * it is, and on a virtual machine each question is answered by the hypervisor. Results are those of
 * the kernel: negative ones are error numbers.
 */
#ifndef JV_WORKER_INIT_MACHINE_H
#define JV_WORKER_INIT_MACHINE_H

#include <stdint.h>

/* Enters the program with the stack that the kernel has laid out: argc, argv, envp. */
#if defined(__x86_64__)
__asm__(".globl _start\n"
	"_start:\n"
	"	mov %rsp, %rdi\n"
	"	and $-16, %rsp\n"
	"	call jv_init_start\n"
	"	hlt\n");

static inline long call6(
	long number, long one, long two, long three, long four, long five, long six)
{
	register long fourth __asm__("r10") = four;
	register long fifth __asm__("r8") = five;
	register long sixth __asm__("r9") = six;
	long result;
	__asm__ volatile(
		"syscall"
		: "=a"(result)
		: "a"(number), "D"(one), "S"(two), "d"(three), "r"(fourth), "r"(fifth), "r"(sixth)
		: "rcx", "r11", "memory");
	return result;
}
#elif defined(__aarch64__)
__asm__(".globl _start\n"
	"_start:\n"
	"	mov x0, sp\n"
	"	bl jv_init_start\n"
	"	brk #0\n");

static inline long call6(
	long number, long one, long two, long three, long four, long five, long six)
{
	register long eighth __asm__("x8") = number;
	register long first __asm__("x0") = one;
	register long second __asm__("x1") = two;
	register long third __asm__("x2") = three;
	register long fourth __asm__("x3") = four;
	register long fifth __asm__("x4") = five;
	register long sixth __asm__("x5") = six;
	__asm__ volatile("svc #0"
			 : "+r"(first)
			 : "r"(eighth), "r"(second), "r"(third), "r"(fourth), "r"(fifth), "r"(sixth)
			 : "memory");
	return first;
}
#else
#error "say how a system call is made on this architecture"
#endif

static inline long call4(long number, long one, long two, long three, long four)
{
	return call6(number, one, two, three, four, 0, 0);
}

static inline long address(const void *pointer)
{
	return (long)(intptr_t)pointer;
}

#endif
