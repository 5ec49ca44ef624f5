/* engine_gate.c - cells for scans at external engines, see engine_gate.h.
 * Nothing waits here: whoever finds no cell comes again. */
#include "engine_gate.h"

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>

struct gate {
	_Atomic uint32_t used;                     /* cells that ever were */
	_Atomic uint32_t cell[ENGINE_GATE_CELLS];  /* 0 free, or slot + 1 */
};

static struct gate *gates;
static uint32_t self = 1;

int engine_gate_init(void)
{
	if (gates != NULL)
		return 0;
	/* Only what is touched takes memory. */
	void *p = mmap(NULL, ENGINE_GATES * sizeof *gates, PROT_READ | PROT_WRITE,
		MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (p == MAP_FAILED)
		return -1;
	gates = p;
	return 0;
}

void engine_gate_worker(unsigned slot)
{
	self = slot + 1;
}

void engine_gate_clear(unsigned slot)
{
	for (unsigned g = 0; gates != NULL && g < ENGINE_GATES; g++) {
		uint32_t used = atomic_load(&gates[g].used);
		for (uint32_t i = 0; i < used && i < ENGINE_GATE_CELLS; i++) {
			if (atomic_load(&gates[g].cell[i]) == slot + 1)
				atomic_store(&gates[g].cell[i], 0);
		}
	}
}

/* Before the cell is taken, or the master would not find it. */
static void note_used(struct gate *g, uint32_t n)
{
	uint32_t was = atomic_load(&g->used);

	while (was < n && !atomic_compare_exchange_weak(&g->used, &was, n))
		;
}

int engine_gate_enter(unsigned g, unsigned max)
{
	if (max > ENGINE_GATE_CELLS)
		max = ENGINE_GATE_CELLS;
	note_used(&gates[g], max);
	for (unsigned i = 0; i < max; i++) {
		uint32_t none = 0;
		if (atomic_load(&gates[g].cell[i]) == 0 &&
		    atomic_compare_exchange_strong(&gates[g].cell[i], &none, self))
			return (int)i;
	}
	return -1;
}

void engine_gate_leave(unsigned g, int cell)
{
	atomic_store(&gates[g].cell[cell], 0);
}
