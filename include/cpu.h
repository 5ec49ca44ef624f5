/* cpu.h - which sets of instructions this machine has beyond what the compiler
 * was told of. The one place: who has a faster way for one asks here, on each
 * call, and has a plain way too. */
#ifndef ESETS_CPU_H
#define ESETS_CPU_H

#include <stdbool.h>

#if defined(__x86_64__)
#define CPU_AVX2 __attribute__((target("avx2")))
#endif

static inline bool cpu_has_avx2(void)
{
#ifdef CPU_AVX2
	return __builtin_cpu_supports("avx2");
#else
	return false;
#endif
}

#endif
