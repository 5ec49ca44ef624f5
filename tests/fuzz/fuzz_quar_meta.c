/* fuzz_quar_meta.c - metadata of the quarantine: what is read can be written,
 * and says the same when read again. Input: a file ID.meta. */
#include "fuzz.h"
#include "quar_meta.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct buf one = BUF_INIT(4 * SCAN_MSG_MAX), two = BUF_INIT(4 * SCAN_MSG_MAX);
	struct scan_msg_store store, again_store;
	struct quar_meta m, again;
	const char *why = NULL;
	char id[QUAR_ID_SIZE + 1];
	int64_t t;

	if (quar_meta_parse(data, size, &m, &store, &why) < 0) {
		must(why != NULL && store.text == NULL && store.rcpts == NULL);
	} else {
		must(m.id[0] == '\0' || quar_id_is_valid(m.id));
		must(m.nrcpts <= SCAN_MSG_RCPTS_MAX && m.nrcpts <= m.nrcpts_total);
		must(quar_meta_format(&m, &one) == 0);
		must(quar_meta_parse(buf_head(&one), buf_len(&one), &again, &again_store, &why) == 0);
		must(quar_meta_format(&again, &two) == 0);
		must(buf_len(&one) == buf_len(&two));
		must(memcmp(buf_head(&one), buf_head(&two), buf_len(&one)) == 0);
		quar_filter_match(&(struct quar_filter){ .sender = "*a*", .recipient = "?*@*",
			.virus = "E*", .since_s = 1 }, &m);
		scan_msg_store_fini(&again_store);
		scan_msg_store_fini(&store);
	}
	size_t n = size < sizeof id - 1 ? size : sizeof id - 1;
	memcpy(id, data, n);
	id[n] = '\0';
	if (quar_id_is_valid(id)) {
		char back[QUAR_ID_SIZE];
		quar_id_format(back, quar_id_time(id) * 1000000, 0);
		must(strncmp(id, back, 16) == 0 && quar_id_is_valid(back));
	}
	(void)quar_time_parse(id, 1000000, false, &t);
	buf_fini(&one);
	buf_fini(&two);
	return 0;
}
