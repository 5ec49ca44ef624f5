/* task_mem.c - memory for objects, within the budget of the task.
 *
 * Large ones are mapped for themselves and go back when they are freed. What is
 * smaller comes from the heap, of which each thread keeps some for the next
 * message: page faults were a sixth of the time of one of 1 MiB. Left to itself
 * the C library would raise both limits, up to 64 MiB kept for each.
 * Huge pages (MADV_HUGEPAGE) were tried for the large ones: a twelfth faster on
 * their own, but with several scans at once their clearing cost more than the
 * faults they saved. */
#include "task_int.h"

#include <malloc.h>
#include <stdlib.h>

#define LARGE (4u << 20)
#define KEPT (8u << 20)              /* free at the end of the heap of a thread */

void task_mem_init(void)
{
	mallopt(M_MMAP_THRESHOLD, LARGE);
	mallopt(M_TRIM_THRESHOLD, KEPT);
}

bool task_out_of_memory(struct task *t)
{
	t->v->av |= VERDICT_AV_UNAVAILABLE;
	task_reason(t, "out of memory");
	return false;
}

void *task_alloc(struct task *t, size_t size)
{
	if (size > t->live_left) {
		task_over_limit(t, "too much memory for encodings in each other");
		return NULL;
	}
	void *p = malloc(size);
	if (p == NULL) {
		task_out_of_memory(t);
		return NULL;
	}
	t->live_left -= size;
	return p;
}

void task_free(struct task *t, void *p, size_t size)
{
	if (p != NULL)
		t->live_left += size;
	free(p);
}

void *task_realloc(struct task *t, void *p, size_t old, size_t size)
{
	if (size > old && size - old > t->live_left) {
		task_over_limit(t, "too much memory for what archives hold");
		return NULL;
	}
	void *new = realloc(p, size);
	if (new == NULL) {
		task_out_of_memory(t);
		return NULL;
	}
	t->live_left = t->live_left + old - size;
	return new;
}
