/* task_mem.c - memory for objects, within the budget of the task.
 *
 * Large ones are mapped for themselves, in huge pages where the kernel has
 * them, and go back when they are freed: to touch 40 MiB page by page took a
 * seventh of the time of a message of 50 MiB. What is smaller comes from the
 * heap, of which each thread keeps some for the next message; left to itself
 * the C library would raise both limits, up to 64 MiB kept for each. */
#include "task_int.h"

#include <malloc.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#define LARGE (4u << 20)
#define KEPT (8u << 20)              /* free at the end of the heap of a thread */

void task_mem_init(void)
{
	mallopt(M_MMAP_THRESHOLD, LARGE);
	mallopt(M_TRIM_THRESHOLD, KEPT);
}

/* Whole pages of it. A kernel that has none leaves it as it is. */
void task_mem_huge(void *p, size_t size)
{
	if (size < LARGE)
		return;
	const size_t page = (size_t)sysconf(_SC_PAGESIZE), skip = -(uintptr_t)p % page;

	madvise((char *)p + skip, (size - skip) / page * page, MADV_HUGEPAGE);
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
	task_mem_huge(p, size);
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
