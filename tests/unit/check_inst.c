/* check_inst.c - what postconf says, plans, the way back, lines of esets.cfg. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "buf.h"
#include "inst_plan.h"
#include "unit.h"

/* As a plain Debian 12 has them. */
static const char in_force[] = "content_filter =\nreceive_override_options =\n"
	"smtpd_proxy_filter =\nsmtpd_proxy_timeout = 100s\nsmtpd_proxy_options =\n"
	"default_destination_concurrency_limit = 20\ndefault_process_limit = 100\n"
	"inet_interfaces = all\ninet_protocols = all\nmydomain = example.org\n"
	"mydestination = hash:/etc/x, $x/y, mx.example.org, localhost\nmyorigin = mx.example.org\n"
	"double_bounce_sender = double-bounce\nmessage_size_limit = 10240000\n";
/* Of the transport, whatever main.cf says of mail that leaves the machine. */
#define OFF "-o smtp_fallback_relay= -o smtp_generic_maps= -o smtp_header_checks= " \
	"-o smtp_mime_header_checks= -o smtp_nested_header_checks= -o smtp_body_checks= " \
	"-o smtp_sasl_auth_enable=no -o smtp_tls_wrappermode=no"
static const char services[] =
	"smtp       inet  n       -       y       -       -       smtpd\n"
	"smtps      inet  n       -       y       -       5       smtpd -o smtpd_tls_wrappermode=yes\n"
	"pickup     unix  n       -       y       60      1       pickup\n"
	"smtp       unix  -       -       y       -       -       smtp\n";

static struct inst_postfix pf;
static struct inst_journal journal;
static struct inst_plan plan;
static char why[INST_NOTE_MAX];

static struct inst_agent agent(void)
{
	return (struct inst_agent){ .is_enabled = true, .listen_addr = "127.0.0.1",
		.server_addr = "127.0.0.1", .listen_port = 2526, .server_port = 2525,
		.max_sessions = 10000, .scans = 4, .scan_timeout_s = 60,
		.actions = { .av_infected = POLICY_DISCARD }, .conf_text = "[smtp]\n" };
}

static void setup(void)
{
	memset(&pf, 0, sizeof pf);
	memset(&journal, 0, sizeof journal);
	ck_assert_int_eq(inst_params_parse(&pf, in_force, false, why), 0);
	ck_assert_int_eq(inst_services_parse(&pf, services, why), 0);
}

static void set(const char *line)
{
	ck_assert_int_eq(inst_params_parse(&pf, line, false, why), 0);
	ck_assert_int_eq(inst_params_parse(&pf, line, true, why), 0);
}

static void make(enum inst_mode mode, const struct inst_agent *a)
{
	inst_plan(&plan, mode, a, &pf, &journal);
}

static const struct inst_step *step(const char *name)
{
	for (size_t i = 0; i < plan.nsteps; i++) {
		if (strcmp(plan.steps[i].name, name) == 0)
			return &plan.steps[i];
	}
	return NULL;
}

static const char *becomes(const char *name)
{
	const struct inst_step *s = step(name);

	return s == NULL ? "no step" : s->has ? s->becomes : "taken out";
}

/* What it is now. */
static const char *was(const char *name)
{
	const struct inst_step *s = step(name);

	return s == NULL ? "no step" : s->had ? s->was : "not there";
}

static bool says(enum inst_level level, const char *part)
{
	for (size_t i = 0; i < plan.nnotes; i++) {
		if (plan.notes[i].level == level && strstr(plan.notes[i].text, part) != NULL)
			return true;
	}
	return false;
}

/* Postfix and esets.cfg after the plan. */
static void carry_out(void)
{
	char line[INST_TEXT_MAX * 2];

	for (size_t i = 0; i < plan.nsteps; i++) {
		const struct inst_step *s = &plan.steps[i];
		if (s->kind == INST_MAIN) {
			snprintf(line, sizeof line, "%s = %s\n", s->name, s->becomes);
			set(line);
		} else if (s->kind == INST_MASTER) {
			struct inst_service *old = (struct inst_service *)inst_service_find(&pf, s->name);
			struct inst_postfix *one = calloc(1, sizeof *one);
			ck_assert_int_eq(inst_services_parse(one, s->becomes, why), 0);
			*(old != NULL ? old : &pf.services[pf.nservices++]) = one->services[0];
			free(one);
		}
	}
	ck_assert_int_eq(inst_journal_add(&journal, &plan), 0);
}

/* --- what postconf says ----------------------------------------------------------- */

START_TEST(parameters)
{
	ck_assert_str_eq(pf.params[INST_P_inet_interfaces].value, "all");
	ck_assert(!pf.params[INST_P_content_filter].is_set);
	ck_assert_int_eq(inst_params_parse(&pf, "content_filter =\r\n\n  mydomain=  a b \nother = x\n"
		"compatibility_level\npostconf: warning\n", true, why), 0);
	ck_assert(pf.params[INST_P_content_filter].is_set);
	ck_assert_str_eq(pf.params[INST_P_mydomain].raw, "a b");
	ck_assert_str_eq(pf.params[INST_P_mydomain].value, "example.org");
	ck_assert_int_eq(inst_params_parse(&pf, "mydomain\n", false, why), -1);
	ck_assert_str_eq(why, "postconf: not \"name = value\", or too long: \"mydomain\"");

	char *longer = malloc(INST_TEXT_MAX + 64);
	memset(longer, 'x', INST_TEXT_MAX + 63);
	memcpy(longer, "mydomain = ", 11);
	longer[INST_TEXT_MAX + 63] = '\0';
	ck_assert_int_eq(inst_params_parse(&pf, longer, false, why), -1);
	longer[11 + INST_TEXT_MAX - 1] = '\0';
	ck_assert_int_eq(inst_params_parse(&pf, longer, false, why), 0);
	longer[8] = 'x';
	ck_assert_int_eq(inst_params_parse(&pf, longer, false, why), 0);
	free(longer);
}
END_TEST

START_TEST(services_of_master)
{
	ck_assert_uint_eq(pf.nservices, 4);
	ck_assert_str_eq(pf.services[1].line,
		"smtps inet n - y - 5 smtpd -o smtpd_tls_wrappermode=yes");
	ck_assert_str_eq(pf.services[1].maxproc, "5");
	ck_assert_str_eq(pf.services[1].command, "smtpd");
	ck_assert_ptr_eq(inst_service_find(&pf, "smtp/unix"), &pf.services[3]);
	ck_assert_ptr_null(inst_service_find(&pf, "smtp/pass"));
	static const char *const broken[] = { "smtp inet n - y - -\n", "x\n", "a b c d e f g\n" };
	for (size_t i = 0; i < sizeof broken / sizeof broken[0]; i++)
		ck_assert_int_eq(inst_services_parse(&pf, broken[i], why), -1);
	struct buf many = BUF_INIT(1u << 20);
	for (int i = 0; i <= INST_SERVICES_MAX; i++)
		ck_assert_int_eq(buf_append_str(&many, "smtp inet n - y - - smtpd\n"), 0);
	ck_assert_int_eq(buf_append(&many, "", 1), 0);
	ck_assert_int_eq(inst_services_parse(&pf, (char *)buf_head(&many), why), -1);
	buf_fini(&many);
}
END_TEST

START_TEST(options_of_services)
{
	ck_assert_int_eq(inst_overrides_parse(&pf, "smtps/inet/smtpd_tls_wrappermode = yes\n"
		"x/inet/content_filter =\n\nno slash\nnone = x\nsmtp/inet/syslog_name = y\n", why), 0);
	ck_assert_uint_eq(pf.noverrides, 2);
	ck_assert_str_eq(pf.overrides[1].service, "x/inet");
	ck_assert_str_eq(pf.overrides[1].value, "");
	ck_assert_int_eq(pf.overrides[1].param, INST_P_content_filter);
}
END_TEST

START_TEST(addresses)
{
	static const struct { const char *name, *host, *port; unsigned number; } t[] = {
		{ "smtp", "", "smtp", 25 }, { "2525", "", "2525", 2525 },
		{ "127.0.0.1:smtps", "127.0.0.1", "smtps", 465 }, { "[::1]:587", "::1", "587", 587 },
		{ "mx.example.org:submission", "mx.example.org", "submission", 587 },
		{ "x:70000", "x", "70000", 0 }, { "x:", "x", "", 0 }, { "[", "", "[", 0 },
	};
	char host[INST_NAME_MAX], port[INST_NAME_MAX];

	for (size_t i = 0; i < sizeof t / sizeof t[0]; i++) {
		inst_service_addr(t[i].name, host, port);
		ck_assert_str_eq(host, t[i].host);
		ck_assert_str_eq(port, t[i].port);
		ck_assert_uint_eq(inst_port_number(port), t[i].number);
	}
}
END_TEST

START_TEST(front)
{
	char text[2 * INST_NAME_MAX];

	ck_assert_str_eq(inst_service_front(&pf, "none")->name, "smtp");
	inst_services_parse(&pf, "127.0.0.1:2525 inet n - n - - smtpd\nsmtps inet n - n - - smtpd\n"
		"10025 inet n - n - - smtpd\n127.0.0.1:25 inet n - n - 1 postscreen\n", why);
	inst_overrides_parse(&pf, "smtps/inet/smtpd_tls_wrappermode = yes\n", why);
	ck_assert_str_eq(inst_service_front(&pf, "127.0.0.1:2525")->name, "127.0.0.1:25");
	pf.nservices = 3;
	ck_assert_str_eq(inst_service_front(&pf, "127.0.0.1:2525")->name, "10025");
	pf.nservices = 2;
	ck_assert_ptr_null(inst_service_front(&pf, "127.0.0.1:2525"));

	inst_discarded_address(&pf, text);
	ck_assert_str_eq(text, "double-bounce@mx.example.org");
	set("mydestination = static:x\n");
	set("myorigin = o.example\n");
	inst_discarded_address(&pf, text);
	ck_assert_str_eq(text, "double-bounce@o.example");
	set("double_bounce_sender = a@b\n");
	inst_discarded_address(&pf, text);
	ck_assert_str_eq(text, "a@b");
}
END_TEST

START_TEST(hooks)
{
	static const struct { const char *filter; bool leads; } t[] = {
		{ "esets:[127.0.0.1]:2526", true }, { "127.0.0.1:2526", true }, { "[::1]:2526", true },
		{ "2526", true }, { "esets:[127.0.0.1]:2527", false }, { "", false }, { "esets:", false },
		{ "smtp-amavis:[127.0.0.1]:10024", false }, { "esets:[2526]", false },
	};
	static const struct { const char *line, *options; bool takes; } s[] = {
		{ "smtp inet n - n - - smtpd", "", true },
		{ "smtp inet n - n - 1 postscreen", "", true },
		{ "smtp inet n - n - - smtpd -o smtpd_proxy_filter=:1", "smtp/inet/smtpd_proxy_filter = :1",
			true },
		{ "smtp inet n - n - - smtpd -o content_filter=", "smtp/inet/content_filter =", false },
		{ "smtp inet n - n - - smtpd", "x/inet/content_filter =", true },
		{ "1 inet n - n - - smtpd -o smtpd_proxy_filter=", "1/inet/smtpd_proxy_filter =", false },
		{ "1 inet n - n - - smtpd -o smtpd_authorized_xforward_hosts=127.0.0.0/8", "", false },
		{ "1 inet n - n - - qmqpd", "", false }, { "smtpd pass - - n - - smtpd", "", false },
	};

	for (size_t i = 0; i < sizeof t / sizeof t[0]; i++)
		ck_assert_int_eq(inst_leads_to(t[i].filter, 2526), t[i].leads);
	ck_assert(!inst_leads_to("", 0));
	for (size_t i = 0; i < sizeof s / sizeof s[0]; i++) {
		ck_assert_int_eq(inst_services_parse(&pf, s[i].line, why), 0);
		ck_assert_int_eq(inst_overrides_parse(&pf, s[i].options, why), 0);
		ck_assert_int_eq(inst_takes_mail(&pf, &pf.services[0]), s[i].takes);
	}
	set("content_filter = a:b\n");
	inst_services_parse(&pf, "25 inet n - n - 1 postscreen\n10025 inet n - n - - smtpd\n"
		"smtpd pass - - n - - smtpd\n587 inet n - n - - smtpd\n", why);
	inst_overrides_parse(&pf, "smtpd/pass/content_filter = c:d\n587/inet/content_filter =\n", why);
	ck_assert_str_eq(inst_value_at(&pf, &pf.services[0], INST_P_content_filter), "c:d");
	ck_assert_str_eq(inst_value_at(&pf, &pf.services[1], INST_P_content_filter), "a:b");
	ck_assert_str_eq(inst_value_at(&pf, &pf.services[3], INST_P_content_filter), "");
}
END_TEST

/* --- plans -------------------------------------------------------------------------- */

START_TEST(after_the_queue)
{
	const struct inst_agent a = agent();

	make(INST_AFTER_QUEUE, &a);
	ck_assert_int_eq(inst_plan_level(&plan), INST_NOTE);
	ck_assert_uint_eq(plan.nsteps, 4);
	ck_assert_str_eq(becomes("content_filter"), "esets:[127.0.0.1]:2526");
	ck_assert_str_eq(becomes("receive_override_options"), "no_address_mappings");
	ck_assert_str_eq(becomes("esets/unix"), "esets unix - - n - 10 smtp "
		"-o smtp_send_xforward_command=yes -o disable_mime_output_conversion=yes "
		"-o smtp_data_done_timeout=1200 -o disable_dns_lookups=yes "
		"-o smtp_tls_security_level=none " OFF);
	ck_assert_ptr_eq(strstr(becomes("127.0.0.1:2525/inet"), "127.0.0.1:2525 inet n - n - - smtpd "
		"-o syslog_name=postfix/esets -o myhostname=esets.example.org -o content_filter= "),
		becomes("127.0.0.1:2525/inet"));
	ck_assert_ptr_nonnull(strstr(becomes("127.0.0.1:2525/inet"), ",no_header_body_checks,no_milters"));
	ck_assert_str_eq(was("content_filter"), "not there");
	ck_assert(says(INST_NOTE, "message_size_limit=10230000"));
	carry_out();
	ck_assert(inst_plan_holds(&plan, &pf));
	make(INST_AFTER_QUEUE, &a);
	ck_assert_uint_eq(plan.nsteps, 0);
	make(INST_BEFORE_QUEUE, &a);
	ck_assert(says(INST_FATAL, "undo that first"));
}
END_TEST

START_TEST(before_the_queue)
{
	struct inst_agent a = agent();

	a.actions.av_infected = POLICY_REJECT;
	make(INST_BEFORE_QUEUE, &a);
	ck_assert_uint_eq(plan.nsteps, 4);
	ck_assert_str_eq(becomes("smtpd_proxy_filter"), "127.0.0.1:2526");
	ck_assert_str_eq(becomes("smtpd_proxy_options"), "speed_adjust");
	ck_assert_str_eq(becomes("smtpd_proxy_timeout"), "160s");
	const char *back = becomes("127.0.0.1:2525/inet");
	ck_assert_ptr_nonnull(strstr(back, " n - n - 105 smtpd "));
	ck_assert_ptr_nonnull(strstr(back, " -o smtpd_proxy_filter="));
	ck_assert_ptr_nonnull(strstr(back, "=no_unknown_recipient_checks,no_milters"));
	ck_assert(says(INST_NOTE, "sendmail command"));
	ck_assert(!says(INST_NOTE, "smtpd_milters"));
	set("smtpd_milters = inet:localhost:8891\n");
	make(INST_BEFORE_QUEUE, &a);
	ck_assert(says(INST_NOTE, "smtpd_milters is inet:localhost:8891"));
	a.max_sessions = 50;
	set("smtpd_proxy_timeout = 1h\n");
	make(INST_BEFORE_QUEUE, &a);
	ck_assert_str_eq(becomes("smtpd_proxy_timeout"), "no step");
	ck_assert_ptr_nonnull(strstr(becomes("127.0.0.1:2525/inet"), " n - n - - smtpd "));
	ck_assert(says(INST_NOTE, "may hold 105 sessions"));
	set("content_filter = esets:[127.0.0.1]:2526\n");
	make(INST_BEFORE_QUEUE, &a);
	ck_assert_int_eq(inst_plan_level(&plan), INST_FATAL);
}
END_TEST

START_TEST(sizes)
{
	static const struct {
		uint32_t scans, max_sessions;
		const char *transport, *back, *limit;
	} t[] = {
		{ 1, 10000, " 4 smtp ", " - smtpd ", "no step" },
		{ 4, 3, " 3 smtp ", " - smtpd ", "no step" },
		{ 20, 0, " 42 smtp ", " - smtpd ", "42" },
		{ 90, 10000, " 182 smtp ", " 182 smtpd ", "182" },
		{ UINT32_MAX, 10000, " 200 smtp ", " 200 smtpd ", "200" },
	};

	for (size_t i = 0; i < sizeof t / sizeof t[0]; i++) {
		struct inst_agent a = agent();
		a.scans = t[i].scans;
		a.max_sessions = t[i].max_sessions;
		make(INST_AFTER_QUEUE, &a);
		ck_assert_ptr_nonnull(strstr(becomes("esets/unix"), t[i].transport));
		ck_assert_ptr_nonnull(strstr(becomes("127.0.0.1:2525/inet"), t[i].back));
		ck_assert_str_eq(becomes("esets_destination_concurrency_limit"), t[i].limit);
	}
}
END_TEST

START_TEST(places)
{
	struct inst_agent a = agent();

	a.listen_addr = "unix:/x, 0.0.0.0, ::1";
	a.server_addr = "localhost";
	make(INST_AFTER_QUEUE, &a);
	ck_assert_str_eq(becomes("content_filter"), "esets:[127.0.0.1]:2526");
	ck_assert_str_eq(plan.back, "127.0.0.1:2525");
	a.listen_addr = "[::]";
	a.server_addr = "[::1]";
	make(INST_AFTER_QUEUE, &a);
	ck_assert_str_eq(becomes("content_filter"), "esets:[::1]:2526");
	ck_assert_ptr_nonnull(step("[::1]:2525/inet"));
	make(INST_BEFORE_QUEUE, &a);
	ck_assert_str_eq(becomes("smtpd_proxy_filter"), "[::1]:2526");
	a.listen_addr = "filter.example.org";
	make(INST_BEFORE_QUEUE, &a);
	ck_assert_str_eq(becomes("smtpd_proxy_filter"), "filter.example.org:2526");
	a.listen_addr = "unix:/x";
	make(INST_AFTER_QUEUE, &a);
	ck_assert(says(INST_FATAL, "no TCP address"));
	a = agent();
	a.server_addr = "mail.example.org";
	make(INST_AFTER_QUEUE, &a);
	ck_assert(says(INST_FATAL, "server_addr is mail.example.org"));
	a = agent();
	a.server_port = a.listen_port;
	make(INST_AFTER_QUEUE, &a);
	ck_assert(says(INST_FATAL, "are the same"));
}
END_TEST

START_TEST(what_is_not_set_in_esets_cfg)
{
	struct inst_agent a = { .listen_addr = "", .server_addr = "", .scans = 4,
		.actions = { .av_infected = POLICY_REJECT, .as_spam = POLICY_REJECT },
		.conf_text = "[smtp]\naction_av_infected = reject # x\n" };

	make(INST_AFTER_QUEUE, &a);
	static const char *const lines[] = { "agent_enabled = yes", "listen_addr = \"127.0.0.1\"",
		"listen_port = 2526", "server_addr = \"127.0.0.1\"", "server_port = 2525",
		"action_av_infected = discard", "action_as_spam = discard",
		"av_quarantine_enabled = yes" };
	for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
		char name[64];
		snprintf(name, sizeof name, "%.*s", (int)strcspn(lines[i], " "), lines[i]);
		ck_assert_str_eq(becomes(name), lines[i]);
	}
	ck_assert_str_eq(was("action_av_infected"), "action_av_infected = reject # x");
	ck_assert_str_eq(was("listen_port"), "not there");
	ck_assert(says(INST_NOTE, "Backscatter"));
	a.keep_config = true;
	make(INST_AFTER_QUEUE, &a);
	ck_assert(!inst_plan_has(&plan, INST_CONF));
	ck_assert(says(INST_NOTE, "Backscatter"));
	a.keep_config = false;
	make(INST_BEFORE_QUEUE, &a);
	ck_assert_ptr_null(step("action_av_infected"));
	ck_assert_ptr_nonnull(step("agent_enabled"));
}
END_TEST

START_TEST(in_the_way)
{
	static const struct { const char *set, *part; enum inst_level level; } t[] = {
		{ "content_filter = smtp-amavis:[127.0.0.1]:10024\n", "amavisd", INST_CONFLICT },
		{ "smtpd_proxy_filter = 127.0.0.1:10025\n", "twice", INST_CONFLICT },
		{ "inet_protocols = ipv6\n", "inet_protocols", INST_FATAL },
		{ "master_service_disable = 25.inet, inet\n", "master_service_disable", INST_FATAL },
		{ "mydomain =\n", "mydomain", INST_FATAL },
		{ "multi_instance_directories = /etc/postfix-out\n", "more instances", INST_NOTE },
	};
	const struct inst_agent a = agent();

	for (size_t i = 0; i < sizeof t / sizeof t[0]; i++) {
		setup();
		set(t[i].set);
		make(INST_AFTER_QUEUE, &a);
		ck_assert_int_eq(inst_plan_level(&plan), t[i].level);
		ck_assert(says(t[i].level, t[i].part));
	}
	setup();
	set("receive_override_options = no_milters,no_address_mappings\n");
	make(INST_AFTER_QUEUE, &a);
	ck_assert_str_eq(becomes("receive_override_options"), "no step");
	set("receive_override_options = xno_address_mappings\n");
	make(INST_AFTER_QUEUE, &a);
	ck_assert_str_eq(becomes("receive_override_options"),
		"xno_address_mappings, no_address_mappings");
}
END_TEST

#define BACK "port 2525 of the way back is taken"
START_TEST(taken_ports)
{
	static const struct { const char *service; enum inst_level level; const char *says; } t[] = {
		{ "2525", INST_FATAL, BACK }, { "localhost:2525", INST_FATAL, BACK },
		{ "0.0.0.0:2525", INST_FATAL, BACK }, { "[::1]:2525", INST_FATAL, BACK },
		{ "127.0.0.1:2526", INST_FATAL, "of the filter is taken" },
		{ "2526", INST_FATAL, "of the filter is taken" }, { "192.0.2.1:2525", INST_NOTE, "" },
		{ "192.0.2.1:2526", INST_NOTE, "" },
		{ "127.0.0.1:2525", INST_CONFLICT, "has a service 127.0.0.1:2525/inet already" },
		{ "127.0.0.1:2527", INST_NOTE, "" },
	};
	const struct inst_agent a = agent();
	char line[128];

	for (size_t i = 0; i < sizeof t / sizeof t[0]; i++) {
		snprintf(line, sizeof line, "%s inet n - n - 3 smtpd "
			"-o smtpd_authorized_xforward_hosts=x\n", t[i].service);
		ck_assert_int_eq(inst_services_parse(&pf, line, why), 0);
		make(INST_AFTER_QUEUE, &a);
		ck_assert_int_eq(inst_plan_level(&plan), t[i].level);
		ck_assert(says(t[i].level, t[i].says));
		ck_assert_ptr_null(plan.circle);
		/* The same where mail comes in. */
		snprintf(line, sizeof line, "%s inet n - n - 3 smtpd\n", t[i].service);
		ck_assert_int_eq(inst_services_parse(&pf, line, why), 0);
		make(INST_AFTER_QUEUE, &a);
		bool is_circle = strcmp(t[i].says, BACK) == 0 || t[i].level == INST_CONFLICT;
		ck_assert_ptr_eq(plan.circle, is_circle ? &pf.services[0] : NULL);
		ck_assert_int_eq(inst_plan_level(&plan), is_circle ? INST_FATAL : t[i].level);
		ck_assert(says(INST_FATAL, "server_port 2525 is where mail comes in: mail would go in "
			"circles") == is_circle);
		ck_assert(!says(INST_CONFLICT, ""));
	}
}
END_TEST

START_TEST(sizes_in_front)
{
	static const struct { const char *options; bool says; } t[] = {
		{ "smtp/inet/message_size_limit = 10230000\n", true },
		{ "smtp/inet/message_size_limit = 10230000\nsmtps/inet/message_size_limit = 9\n", false },
		{ "smtp/inet/message_size_limit = 10230001\nsmtps/inet/message_size_limit = 9\n", true },
		{ "smtp/inet/message_size_limit = 0\nsmtps/inet/message_size_limit = 9\n", true },
		{ "smtp/inet/message_size_limit = 9\nsmtps/inet/content_filter =\n", false },
	};
	const struct inst_agent a = agent();

	for (size_t i = 0; i < sizeof t / sizeof t[0]; i++) {
		ck_assert_int_eq(inst_overrides_parse(&pf, t[i].options, why), 0);
		make(INST_AFTER_QUEUE, &a);
		ck_assert_int_eq(says(INST_NOTE, "-o message_size_limit=10230000"), t[i].says);
	}
}
END_TEST

START_TEST(long_texts_in_notes)
{
	char text[2 * INST_SHOWN_MAX], out[INST_SHOWN_MAX];

	memset(text, 'x', sizeof text);
	text[INST_SHOWN_MAX - 1] = '\0';
	ck_assert_str_eq(inst_plan_shown(out, text), text);
	text[INST_SHOWN_MAX - 1] = 'x';
	text[sizeof text - 1] = '\0';
	ck_assert_uint_eq(strlen(inst_plan_shown(out, text)), INST_SHOWN_MAX - 1);
	ck_assert_str_eq(out + INST_SHOWN_MAX - 1 - 5, "x ...");
	text[10] = text[20] = ' ';
	ck_assert_str_eq(inst_plan_shown(out, text), "xxxxxxxxxx xxxxxxxxx ...");
}
END_TEST

START_TEST(mail_that_leaves)
{
	struct inst_agent a = agent();

	set("smtp_bind_address = 192.0.2.1\n");
	a.server_proxy = a.server_xclient = true;
	make(INST_AFTER_QUEUE, &a);
	ck_assert_ptr_nonnull(strstr(becomes("esets/unix"), " " OFF
		" -o smtp_bind_address=127.0.0.1"));
	ck_assert_ptr_nonnull(strstr(becomes("127.0.0.1:2525/inet"),
		" -o smtpd_upstream_proxy_protocol=haproxy "
		"-o smtpd_authorized_xclient_hosts=127.0.0.0/8,[::1]/128"));
	set("smtp_bind_address =\n");
	set("inet_interfaces = 192.0.2.1\n");
	make(INST_AFTER_QUEUE, &a);
	ck_assert_ptr_nonnull(strstr(becomes("esets/unix"), " -o smtp_bind_address=127.0.0.1"));
	a.listen_addr = "192.0.2.1";
	make(INST_AFTER_QUEUE, &a);
	ck_assert_ptr_null(strstr(becomes("esets/unix"), "smtp_bind_address"));
}
END_TEST

/* --- the way back ---------------------------------------------------------------------- */

START_TEST(there_and_back)
{
	struct inst_agent a = agent();
	struct buf b = BUF_INIT(1u << 20);
	const char *broken = NULL;

	set("receive_override_options = no_milters\n");
	a.actions.av_infected = POLICY_REJECT;
	make(INST_AFTER_QUEUE, &a);
	carry_out();
	a.scans = 5;
	make(INST_AFTER_QUEUE, &a);
	ck_assert_int_eq(inst_plan_level(&plan), INST_NOTE);
	ck_assert_ptr_nonnull(strstr(becomes("esets/unix"), " 12 smtp "));
	carry_out();
	snprintf(journal.config, sizeof journal.config, "/etc/esets/esets.cfg");
	ck_assert_int_eq(inst_journal_format(&journal, &b), 0);
	struct inst_journal *again = malloc(sizeof *again);
	ck_assert_int_eq(inst_journal_parse(again, (char *)buf_head(&b), buf_len(&b), &broken), 0);
	ck_assert(again->is_there && again->nsteps == journal.nsteps);
	ck_assert_str_eq(again->config, journal.config);

	inst_plan_undo(&plan, again, &pf, "[smtp]\naction_av_infected = discard\n");
	ck_assert_int_eq(inst_plan_level(&plan), INST_NOTE);
	ck_assert_str_eq(becomes("av_quarantine_enabled"), "no step");  /* it is gone already */
	ck_assert_str_eq(becomes("content_filter"), "taken out");
	ck_assert_str_eq(becomes("receive_override_options"), "no_milters");
	ck_assert_str_eq(becomes("esets/unix"), "taken out");
	ck_assert_str_eq(becomes("action_av_infected"), "taken out");
	inst_plan_undo(&plan, again, &pf, NULL);
	ck_assert_int_eq(inst_plan_level(&plan), INST_NOTE);
	ck_assert(!inst_plan_has(&plan, INST_CONF));
	set("content_filter = other:\n");
	inst_plan_undo(&plan, again, &pf, NULL);
	ck_assert(says(INST_CONFLICT, "content_filter was changed since by hand"));
	setup();
	set("receive_override_options = no_milters\n");
	inst_plan_undo(&plan, again, &pf, "[smtp]\n");
	ck_assert_uint_eq(plan.nsteps, 0);
	ck_assert_int_eq(inst_plan_level(&plan), INST_NOTE);

	/* Cut anywhere it is none. */
	for (size_t n = 0; n < buf_len(&b); n++)
		ck_assert_int_eq(inst_journal_parse(again, (char *)buf_head(&b), n, &broken), -1);
	free(again);
	buf_fini(&b);
}
END_TEST

START_TEST(broken_journals)
{
	static const char *const t[] = { "", "esets-inst/1\n", "esets-inst/2\n\n",
		"esets-inst/1\nmode=x\n\n", "esets-inst/1\nname=x\n\n", "esets-inst/1\nstep=x\n\n",
		"esets-inst/1\nstep=main\nname=alias_maps\n\n", "esets-inst/1\nstep=main\n\n",
		"esets-inst/1\nstep=master\nname=smtp/unix\n\n",
		"esets-inst/1\nstep=master\nname=/inet\n\n", "esets-inst/1\nstep=conf\nname=A\n\n",
		"esets-inst/1\nstep=main\nname=content_filter\nhas=yes\n\n",
		"esets-inst/1\nstep=main\nname=content_filter\nwas=%0\n\n", "esets-inst/1\nx=y\n\n" };
	const char *broken = NULL;

	for (size_t i = 0; i < sizeof t / sizeof t[0]; i++)
		ck_assert_int_eq(inst_journal_parse(&journal, t[i], strlen(t[i]), &broken), -1);
	ck_assert(!journal.is_there);
	const char good[] = "esets-inst/1\nmode=before-queue\n\n";
	ck_assert_int_eq(inst_journal_parse(&journal, good, strlen(good), &broken), 0);
	ck_assert_int_eq(journal.mode, INST_BEFORE_QUEUE);
}
END_TEST

/* --- esets.cfg ----------------------------------------------------------------------------- */

static const char *edit(const char *text, const char *name, const char *line)
{
	static char out[1024];
	struct buf b = BUF_INIT(sizeof out);

	ck_assert_int_eq(inst_conf_edit(text, name, line, &b), 0);
	snprintf(out, sizeof out, "%.*s", (int)buf_len(&b),
		buf_is_empty(&b) ? "" : (const char *)buf_head(&b));
	buf_fini(&b);
	return out;
}

START_TEST(lines_of_esets_cfg)
{
	static const struct { const char *before, *after; } t[] = {
		{ "", "[smtp]\na = 1\n" },
		{ "x", "x\n[smtp]\na = 1\n" },
		{ "[global]\na = 2\n", "[global]\na = 2\n[smtp]\na = 1\n" },
		{ "[smtp]\n", "[smtp]\na = 1\n" },
		{ "[smtp]", "[smtp]\na = 1\n" },
		{ "[smtp] # x\nb = 1\n[wwwi]\na = 3\n", "[smtp] # x\na = 1\nb = 1\n[wwwi]\na = 3\n" },
		{ "[smtp]\n;b = 1\n; a\n;a = 0\nc = 1\n", "[smtp]\n;b = 1\n; a\n;a = 0\na = 1\nc = 1\n" },
		{ "[smtp]\r\nb=1\r\n", "[smtp]\r\na = 1\r\nb=1\r\n" },
		{ "[ smtp ]\nab = 2\n;ab = 1\n", "[ smtp ]\na = 1\nab = 2\n;ab = 1\n" },
	};
	char after[256], line[INST_TEXT_MAX];

	for (size_t i = 0; i < sizeof t / sizeof t[0]; i++) {
		snprintf(after, sizeof after, "%s", edit(t[i].before, "a", "a = 1"));
		ck_assert_str_eq(after, t[i].after);
		ck_assert_int_eq(inst_conf_line(after, "a", line), 1);
		ck_assert_str_eq(line, "a = 1");
		ck_assert_int_eq(inst_conf_line(t[i].before, "a", line), 0);
		if (strstr(t[i].before, "[ smtp ]") != NULL || strchr(t[i].before, ';') != NULL)
			ck_assert_str_eq(edit(after, "a", NULL), t[i].before);
	}
	ck_assert_str_eq(edit("[smtp]\n a=\"x\" ; c \r\n[smtp]\na\t= 2\nb = 1", "a", "a = 3"),
		"[smtp]\n a=\"x\" ; c \r\n[smtp]\na = 3\nb = 1");
	ck_assert_int_eq(inst_conf_line("[smtp]\n a=\"x\" ; c \r\n", "a", line), 1);
	ck_assert_str_eq(line, "a=\"x\" ; c");
	ck_assert_str_eq(edit("[smtp]\n a=\"x\" ; c \r\n", "a", "a = 1"), "[smtp]\n a = 1 \r\n");
	ck_assert_str_eq(edit("[smtp]\nb = 1", "a", NULL), "[smtp]\nb = 1");

	struct buf small = BUF_INIT(8);
	ck_assert_int_eq(inst_conf_edit("[smtp]\nb = 1", "a", "a = 1", &small), -1);
	buf_fini(&small);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("inst");
	TCase *c = tcase_create("inst");
	const TTest *const tests[] = { parameters, services_of_master, options_of_services, addresses,
		front, hooks, after_the_queue, before_the_queue, sizes, places,
		what_is_not_set_in_esets_cfg, in_the_way, taken_ports, sizes_in_front, long_texts_in_notes,
		mail_that_leaves, there_and_back, broken_journals, lines_of_esets_cfg };

	tcase_add_checked_fixture(c, setup, NULL);
	for (size_t i = 0; i < sizeof tests / sizeof tests[0]; i++)
		tcase_add_test(c, tests[i]);
	suite_add_tcase(s, c);
	return unit_run(s);
}
