/* task_mem.c - memory for objects, within the budget of the task.
 *
 * A thread keeps what it has freed for its next message, up to KEPT octets: the
 * kernel's clearing of fresh pages was a fifth of the time of a message of
 * 10 MiB. Only what is larger is mapped for itself. So that this is no memory
 * for good the worker gives back from time to time what lies idle.
 * Huge pages (MADV_HUGEPAGE) were tried instead: a twelfth faster on their own,
 * but with several scans at once their clearing cost more than the faults they
 * saved. */
#include "task_int.h"

#include <malloc.h>
#include <stdatomic.h>
#include <stdlib.h>

#define LARGE (32u << 20)            /* the most that the C library allows here */
#define KEPT (32u << 20)             /* free at the end of the heap of a thread */

static _Atomic bool is_used;         /* since task_mem_rest */

void task_mem_init(void)
{
	/* NOLINTBEGIN(concurrency-mt-unsafe): before there are threads */
	mallopt(M_MMAP_THRESHOLD, LARGE);
	mallopt(M_TRIM_THRESHOLD, KEPT);
	/* NOLINTEND(concurrency-mt-unsafe) */
}

/* Seldom written: the threads share its cache line. */
void task_mem_used(void)
{
	if (!atomic_load_explicit(&is_used, memory_order_relaxed))
		atomic_store_explicit(&is_used, true, memory_order_relaxed);
}

void task_mem_rest(void)
{
	if (atomic_exchange_explicit(&is_used, false, memory_order_relaxed))
		malloc_trim(0);
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
