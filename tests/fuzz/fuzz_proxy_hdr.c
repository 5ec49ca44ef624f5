/* fuzz_proxy_hdr.c - a PROXY header is found at its last octet or not at all,
 * and what was read can be written and read again. Input: the first octets of
 * a balancer's connection. */
#include "fuzz.h"
#include "proxy_hdr.h"

static int parse(const uint8_t *in, size_t n, struct proxy_hdr *h, size_t *used)
{
	const char *why = NULL;
	int got = proxy_hdr_parse(in, n, h, used, &why);

	must(got >= -1 && got <= 1);
	must(got != -1 || why != NULL);
	must(got != 1 || (*used > 0 && *used <= n && *used <= PROXY_HDR_MAX));
	must(got != 0 || n < PROXY_HDR_MAX);
	return got;
}

/* In a block of its own: a read beyond it is seen. */
static int parse_copy(const uint8_t *in, size_t n, struct proxy_hdr *h, size_t *used)
{
	uint8_t *copy = malloc(n > 0 ? n : 1);

	must(copy != NULL);
	memcpy(copy, in, n);
	int got = parse(copy, n, h, used);
	free(copy);
	return got;
}

static void check_again(const struct proxy_hdr *h, int version)
{
	struct proxy_hdr again;
	char text[128];
	size_t used, n = proxy_hdr_format(h, version, text);

	must(n <= 107);
	must(parse_copy((const uint8_t *)text, n, &again, &used) == 1 && used == n);
	must(memcmp(&again.src.ip, &h->src.ip, 16) == 0 && again.src.port == h->src.port);
	must(again.src.family == h->src.family && again.dst.family == h->dst.family);
	must(memcmp(&again.dst.ip, &h->dst.ip, 16) == 0 && again.dst.port == h->dst.port);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct proxy_hdr h, part;
	size_t used = 0, k_used;

	if (size > 2 * PROXY_HDR_MAX)
		return 0;
	int got = parse(data, size, &h, &used);
	/* All shorter pieces up to the header's end say "more" where it is there,
	 * and none says otherwise than the whole in the end. */
	for (size_t k = 0; k < size; k++) {
		int early = parse_copy(data, k, &part, &k_used);
		if (got == 1)
			must(k < used ? early == 0 : early == 1 && k_used == used);
		else if (got == 0)
			must(early == 0);
		else
			must(early <= 0);
	}
	if (got == 1) {
		check_again(&h, 1);
		check_again(&h, 2);
	}
	return 0;
}
