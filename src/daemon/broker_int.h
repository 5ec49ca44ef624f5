/* broker_int.h - what worker and broker say to each other. One machine, one
 * program: in its own byte order. */
#ifndef ESETS_BROKER_INT_H
#define ESETS_BROKER_INT_H

#include "engine_ext.h"

#define BROKER_LIST 0u          /* as numbers: none of an address */
#define BROKER_LOG 1u

struct broker_request {         /* with the end on which the answer is awaited */
	uint64_t number;
	uint32_t engine;        /* of BROKER_LIST */
	uint32_t zero;
};

struct broker_answer {          /* with the socket, where error is 0 */
	int32_t error;
};

/* To BROKER_LIST: struct engine_addresses. */

/* FNV-1a of what makes the address; never one of those above. */
uint64_t broker_number(const struct net_endpoint *e);

#endif
