/* engine_gate.c - cells for scans at external engines, see engine_gate.h.
 * Nothing waits here: whoever finds no cell comes again. */
#include "engine_gate.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>

#define SWEPT 0x8000u   /* in holders: it is being looked at, nobody tries for it */

struct gate {
	_Atomic uint32_t cell[ENGINE_GATE_CELLS];  /* 0 free, or slot + 1 */
};

static struct gate *gates;

/* The worker's own, out of the others' reach: its number, and how many of its threads
 * have a cell, or are about to try for it. */
static uint32_t self = 1;
static _Atomic uint16_t holders[ENGINE_GATES][ENGINE_GATE_CELLS];

/* The master's own, out of the workers' reach: how many cells of each gate it looks
 * through, and in which slots there is a worker. */
static uint32_t most[ENGINE_GATES];
static bool has_worker[ENGINE_GATE_SLOTS];

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

void engine_gate_use(unsigned g, unsigned max)
{
	if (max > ENGINE_GATE_CELLS)
		max = ENGINE_GATE_CELLS;
	if (most[g] < max)
		most[g] = max;
}

void engine_gate_worker(unsigned slot)
{
	self = slot + 1;
}

void engine_gate_started(unsigned slot)
{
	if (slot < ENGINE_GATE_SLOTS)
		has_worker[slot] = true;
}

static bool is_somebodys(uint32_t cell)
{
	return cell - 1 < ENGINE_GATE_SLOTS && has_worker[cell - 1];
}

void engine_gate_ended(unsigned slot)
{
	if (slot < ENGINE_GATE_SLOTS)
		has_worker[slot] = false;
	for (unsigned g = 0; gates != NULL && g < ENGINE_GATES; g++) {
		for (uint32_t i = 0; i < most[g]; i++) {
			uint32_t was = atomic_load(&gates[g].cell[i]);
			/* Compared, lest a worker that has just taken it loses it. */
			if (was != 0 && !is_somebodys(was))
				atomic_compare_exchange_strong(&gates[g].cell[i], &was, 0);
		}
	}
}

int engine_gate_enter(unsigned g, unsigned max)
{
	if (max > ENGINE_GATE_CELLS)
		max = ENGINE_GATE_CELLS;
	for (unsigned i = 0; i < max; i++) {
		uint32_t none = 0;
		if (atomic_load(&gates[g].cell[i]) != 0)
			continue;
		if ((atomic_fetch_add(&holders[g][i], 1) & SWEPT) == 0 &&
		    atomic_compare_exchange_strong(&gates[g].cell[i], &none, self))
			return (int)i;
		atomic_fetch_sub(&holders[g][i], 1);
	}
	return -1;
}

void engine_gate_leave(unsigned g, int cell)
{
	atomic_store(&gates[g].cell[cell], 0);
	atomic_fetch_sub(&holders[g][cell], 1);
}

void engine_gate_sweep(unsigned g, unsigned max)
{
	if (max > ENGINE_GATE_CELLS)
		max = ENGINE_GATE_CELLS;
	for (unsigned i = 0; i < max; i++) {
		uint32_t ours = self;
		uint16_t nobody = 0;
		/* Whoever holds it is counted as long as it bears our number. */
		if (atomic_load(&gates[g].cell[i]) != ours ||
		    !atomic_compare_exchange_strong(&holders[g][i], &nobody, SWEPT))
			continue;
		atomic_compare_exchange_strong(&gates[g].cell[i], &ours, 0);
		atomic_fetch_sub(&holders[g][i], SWEPT);
	}
}
