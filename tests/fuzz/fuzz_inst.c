/* fuzz_inst.c - what esets_inst reads: output of postconf, its journal, the text
 * of esets.cfg. Input: a letter for which of them, and the text. */
#include "buf.h"
#include "fuzz.h"
#include "inst_plan.h"

static struct inst_postfix pf;
static struct inst_journal journal, again;
static struct inst_plan plan;

static const struct inst_agent agent = { .is_enabled = true, .listen_addr = "127.0.0.1",
	.server_addr = "127.0.0.1", .listen_port = 2526, .server_port = 2525, .scans = 4,
	.conf_text = "[smtp]\n" };

/* Whatever Postfix says, there is a plan, or it says why not. */
static void try_postconf(char what, const char *text)
{
	char why[INST_NOTE_MAX] = "", address[2 * INST_NAME_MAX];
	int rc;

	memset(&pf, 0, sizeof pf);
	switch (what) {
	case 'p': rc = inst_params_parse(&pf, text, false, why); break;
	case 'n': rc = inst_params_parse(&pf, text, true, why); break;
	case 'M': rc = inst_services_parse(&pf, text, why); break;
	default: rc = inst_overrides_parse(&pf, text, why); break;
	}
	must(rc == 0 || why[0] != '\0');
	for (enum inst_mode m = INST_AFTER_QUEUE; m <= INST_BEFORE_QUEUE; m++) {
		inst_plan(&plan, m, &agent, &pf, &journal);
		must(plan.nsteps <= INST_STEPS_MAX && plan.nnotes <= INST_NOTES_MAX);
		must(plan.nsteps > 0 || plan.nnotes > 0);
		again = (struct inst_journal){ .is_there = false };
		must(inst_journal_add(&again, &plan) == 0);
		inst_plan_undo(&plan, &again, &pf, "");
	}
	inst_service_front(&pf, "smtp");
	inst_discarded_address(&pf, address);
	must(strlen(address) < sizeof address);
}

/* What is read can be written, and is the same when it is read again. */
static void try_journal(const char *text, size_t n)
{
	struct buf one = BUF_INIT(1u << 20), two = BUF_INIT(1u << 20);
	const char *why = NULL;

	if (inst_journal_parse(&journal, text, n, &why) < 0) {
		must(why != NULL && !journal.is_there);
	} else {
		must(inst_journal_format(&journal, &one) == 0);
		must(inst_journal_parse(&again, (char *)buf_head(&one), buf_len(&one), &why) == 0);
		must(inst_journal_format(&again, &two) == 0);
		must(buf_len(&one) == buf_len(&two));
		must(memcmp(buf_head(&one), buf_head(&two), buf_len(&one)) == 0);
		memset(&pf, 0, sizeof pf);
		inst_plan_undo(&plan, &journal, &pf, "[smtp]\n");
	}
	memset(&journal, 0, sizeof journal);
	buf_fini(&one);
	buf_fini(&two);
}

static void try_config(const char *text)
{
	struct buf set = BUF_INIT(1u << 20), out = BUF_INIT(1u << 20);
	char line[INST_TEXT_MAX];

	must(inst_conf_edit(text, "a", "a = 1", &set) == 0 && buf_append(&set, "", 1) == 0);
	must(inst_conf_line((char *)buf_head(&set), "a", line) == 1 && strcmp(line, "a = 1") == 0);
	must(inst_conf_edit((char *)buf_head(&set), "a", NULL, &out) == 0);
	must(buf_len(&out) < buf_len(&set));
	/* A second time nothing changes. */
	buf_clear(&out);
	must(inst_conf_edit((char *)buf_head(&set), "a", "a = 1", &out) == 0);
	must(buf_len(&out) == buf_len(&set) - 1);
	must(memcmp(buf_head(&out), buf_head(&set), buf_len(&out)) == 0);
	buf_fini(&set);
	buf_fini(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size == 0 || size > 65536)
		return 0;
	char *text = malloc(size);
	must(text != NULL);
	memcpy(text, data + 1, size - 1);
	text[size - 1] = '\0';
	if (data[0] == 'j')
		try_journal(text, size - 1);
	else if (data[0] == 'c')
		try_config(text);
	else
		try_postconf((char)data[0], text);
	free(text);
	return 0;
}
