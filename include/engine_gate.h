/* engine_gate.h - how many scans are at work at an external engine at once,
 * over all workers (engine_max_scans).
 *
 * A scan holds a cell of a table in shared memory, in which its worker's slot
 * stands. The cell is taken and given back by one atomic operation, so a
 * worker that is killed leaves nothing that the master could not tell. Workers
 * are not trusted: what one has written over cells is no longer there than until it
 * leaves. A cell is free when no worker is in the slot that stands there, and a worker
 * frees those in its name that it has not taken. There is a gate for each alternative
 * of an engine's address: one that hangs, and keeps its cells, leaves the others
 * alone. */
#ifndef ESETS_ENGINE_GATE_H
#define ESETS_ENGINE_GATE_H

#define ENGINE_GATE_ALTS 16u       /* alternatives of an engine */
#define ENGINE_GATE_CELLS 65536u   /* what engine_max_scans may be at most */
#define ENGINE_GATE_SLOTS 512u     /* of workers: two generations of the largest num_proc */

enum engine_gate {                 /* each has ENGINE_GATE_ALTS of them */
	ENGINE_GATE_CLAMD = 0,
	ENGINE_GATE_SPAMD = ENGINE_GATE_ALTS,
	ENGINE_GATE_RSPAMD = 2 * ENGINE_GATE_ALTS,
	ENGINE_GATES = 3 * ENGINE_GATE_ALTS
};

/* Master, before the first fork; again: nothing to do. 0, -1 with errno. */
int engine_gate_init(void);
/* Master: up to max cells of that gate will be taken; it keeps in mind the most. */
void engine_gate_use(unsigned g, unsigned max);
/* Child: its slot from now on. */
void engine_gate_worker(unsigned slot);
/* Master: there is a worker in the slot; it has gone, and all cells that are no
 * living worker's are free. */
void engine_gate_started(unsigned slot);
void engine_gate_ended(unsigned slot);
/* One of the first max cells of gate g, or -1: all are taken. */
int engine_gate_enter(unsigned g, unsigned max);
void engine_gate_leave(unsigned g, int cell);
/* Of the first max cells of gate g those are free that bear this worker's number, and
 * that none of its threads has. To be called now and then, by one thread. */
void engine_gate_sweep(unsigned g, unsigned max);

#endif
