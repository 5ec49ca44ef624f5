/* fuzz_scan_msg.c - the scanner protocol on both ends: what was read can be
 * written, and says the same when read again; and that of releases. Input: a packet,
 * taken as a request and as an answer of both. */
#include "fuzz.h"
#include "kv.h"
#include "quar_meta.h"
#include "release_msg.h"
#include "scan_msg.h"

static void same(const struct buf *a, const struct buf *b)
{
	must(buf_len(a) == buf_len(b));
	must(memcmp(buf_head(a), buf_head(b), buf_len(a)) == 0);
}

static void play_request(const uint8_t *data, size_t size)
{
	struct buf one = BUF_INIT(4 * SCAN_MSG_MAX), two = BUF_INIT(4 * SCAN_MSG_MAX);
	struct scan_msg_store store, again_store;
	struct scan_request r, again;
	const char *why = NULL;

	if (scan_request_parse(data, size, &r, &store, &why) < 0) {
		must(why != NULL && store.text == NULL && store.rcpts == NULL);
		return;
	}
	must(r.nrcpts <= SCAN_MSG_RCPTS_MAX && r.nrcpts <= r.nrcpts_total);
	/* Written out a packet may be longer than one that may be sent. */
	if (scan_request_format(&r, &one) == 0) {
		must(buf_len(&one) <= (r.is_inline ? SCAN_PACKET_MAX : SCAN_MSG_MAX));
		must(scan_request_parse(buf_head(&one), buf_len(&one), &again, &again_store, &why) == 0);
		must(scan_request_format(&again, &two) == 0);
		same(&one, &two);
		scan_msg_store_fini(&again_store);
	}
	scan_msg_store_fini(&store);
	buf_fini(&one);
	buf_fini(&two);
}

static bool is_clean(const char *text)
{
	for (; *text != '\0'; text++) {
		if ((unsigned char)*text < 0x20 || *text == 0x7f)
			return false;
	}
	return true;
}

static void play_verdict(const uint8_t *data, size_t size)
{
	struct buf out = BUF_INIT(4 * SCAN_MSG_MAX);
	const char *why = NULL;
	struct verdict v, again;

	if (scan_verdict_parse(data, size, &v, &why) < 0) {
		must(why != NULL && v.parts == NULL);
		return;
	}
	must((v.av & ~(unsigned)VERDICT_AV_ALL) == 0 && v.nparts <= VERDICT_PARTS_MAX);
	must(is_clean(v.virus) && is_clean(v.reason) && is_clean(v.vdb));
	must(strchr(v.vdb, ' ') == NULL);
	must(v.quarantine_id[0] == '\0' || quar_id_is_valid(v.quarantine_id));
	must(v.quarantine != VERDICT_QUARANTINE_STORED || v.quarantine_id[0] != '\0');
	if (scan_verdict_format(&v, &out) == 0) {
		must(scan_verdict_parse(buf_head(&out), buf_len(&out), &again, &why) == 0);
		must(again.av == v.av && again.as == v.as && again.quarantine == v.quarantine);
		must(again.as_score_milli == v.as_score_milli && again.nparts == v.nparts);
		must(strcmp(again.sha256, v.sha256) == 0 && again.objects == v.objects);
		verdict_fini(&again);
	}
	verdict_fini(&v);
	buf_fini(&out);
}

static void play_release(const uint8_t *data, size_t size)
{
	struct buf out = BUF_INIT(RELEASE_MSG_MAX);
	struct release_ask ask, again;
	struct release_answer answer;
	const char *why = NULL;

	if (release_ask_parse(data, size, &ask, &why) == 0) {
		must(quar_id_is_valid(ask.id) && is_clean(ask.by));
		must(release_ask_format(&ask, &out) == 0);
		must(release_ask_parse(buf_head(&out), buf_len(&out), &again, &why) == 0);
		must(strcmp(again.id, ask.id) == 0 && again.released_s == ask.released_s);
	} else {
		must(why != NULL);
	}
	if (release_answer_parse(data, size, &answer, &why) == 0)
		must(is_clean(answer.text));
	else
		must(!answer.is_released);
	buf_fini(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	play_request(data, size);
	play_verdict(data, size);
	play_release(data, size);
	return 0;
}
