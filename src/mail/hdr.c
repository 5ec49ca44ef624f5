/* hdr.c - the header block of a message, see hdr.h.
 *
 * Owns the scan of a header block that arrives in pieces (which fields the
 * session wants to know of) and the text of the two fields that this proxy
 * adds. It must not change a message, read a clock or log.
 * The scan is an enum and a switch, restartable at any octet; what is of no
 * interest is skipped with memchr. It is lax where readers are: blanks before
 * the colon, an mbox "From " line in front, LF for CR LF.
 * Sources: RFC 5322 2.2 and 4.5, RFC 5321 4.4, RFC 3848. */
#include "config.h"

#include "hdr.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "str.h"

enum hdr_state {
	HDR_LINE,       /* at the first octet of a line */
	HDR_NAME,       /* in the field's name */
	HDR_NAME_BLANK, /* in the blanks between the name and its colon */
	HDR_VALUE,
	HDR_SKIP,       /* to the end of a line nobody wants */
};

void hdr_scan_init(struct hdr_scan *h)
{
	memset(h, 0, sizeof *h);
	h->state = HDR_LINE;
	h->first_line = true;
}

static bool name_is(const struct hdr_scan *h, const char *name)
{
	return h->name_len < sizeof h->name && str_ieq_n(h->name, h->name_len, name);
}

/* The name is complete: what is to become of the value? */
static void field_begin(struct hdr_scan *h)
{
	struct { const char *name; char *value; } want[] = {
		{ "from", h->from }, { "to", h->to }, { "subject", h->subject },
		{ "date", h->date }, { "message-id", h->msgid },
	};

	h->value = NULL;
	h->value_len = 0;
	h->value_max = HDR_VALUE_MAX;
	h->space = false;
	if (name_is(h, "received")) {
		if (h->received++ == 0) {
			h->value = h->first_received;
			h->value_max = HDR_RECEIVED_MAX;
		}
	} else if (name_is(h, "x-virus-scanner")) {
		h->has_xvirus = true;
	} else {
		for (size_t i = 0; i < sizeof want / sizeof *want; i++)
			if (name_is(h, want[i].name) && want[i].value[0] == '\0')
				h->value = want[i].value;
	}
	if (name_is(h, "subject") && h->nsubjects < HDR_SUBJECTS_MAX)
		h->subjects[h->nsubjects++] = h->total;
	h->state = HDR_VALUE;
}

/* Appends octets of a value; a run of blanks becomes one space and goes out
 * only before something else, which trims both ends and unfolds. CR counts
 * as a blank: it stands before LF or has no business here. */
static void value_push(struct hdr_scan *h, const char *p, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (p[i] == ' ' || p[i] == '\t' || p[i] == '\r') {
			h->space = true;
			continue;
		}
		if (h->value_len + 2 >= h->value_max) {
			h->value[h->value_len] = '\0';
			h->value = NULL;
			return;
		}
		if (h->space && h->value_len > 0)
			h->value[h->value_len++] = ' ';
		h->space = false;
		h->value[h->value_len++] = p[i] != '\0' ? p[i] : '?';
	}
	h->value[h->value_len] = '\0';
}

static void name_push(struct hdr_scan *h, char c)
{
	if (h->name_len < sizeof h->name)
		h->name[h->name_len++] = c;
}

/* One octet of a line's beginning, up to the colon. */
static void name_octet(struct hdr_scan *h, char c)
{
	bool is_blank = c == ' ' || c == '\t';

	h->total++;
	if (h->state == HDR_LINE) {
		h->line_at = h->total - 1;
		h->name_len = 0;
		if (is_blank && !h->first_line) {
			h->space = true;
			h->state = HDR_VALUE;
			return;
		}
		h->state = HDR_NAME;
	}
	if (c == ':' && h->name_len > 0) {
		field_begin(h);
	} else if (is_blank && h->name_len > 0) {
		if (h->first_line && h->lead_len == 0 &&
		    (name_is(h, "from") || name_is(h, ">from"))) {
			h->value = NULL;
			h->state = HDR_SKIP;
		} else {
			h->state = HDR_NAME_BLANK;
		}
	} else if (h->state == HDR_NAME && c > 0x20 && c < 0x7f && c != ':') {
		name_push(h, c);
	} else {
		h->done = true;
		h->end = h->line_at;
		h->needs_blank = h->first_line && !(h->name_len == 0 && (c == '\r' || c == '\n'));
	}
}

void hdr_scan_push(struct hdr_scan *h, const void *p, size_t n)
{
	const char *s = p, *end = s + n;

	while (s < end && !h->done) {
		if (h->state != HDR_VALUE && h->state != HDR_SKIP) {
			name_octet(h, *s++);
			continue;
		}
		const char *lf = memchr(s, '\n', (size_t)(end - s));
		const char *stop = lf != NULL ? lf : end;
		if (h->value != NULL)
			value_push(h, s, (size_t)(stop - s));
		h->total += (size_t)(stop - s) + (lf != NULL);
		if (lf == NULL)
			break;
		s = lf + 1;
		if (h->state == HDR_SKIP)
			h->lead_len = h->total;
		else
			h->first_line = false;
		h->state = HDR_LINE;
	}
}

void hdr_scan_end(struct hdr_scan *h)
{
	if (h->done)
		return;
	if (h->state == HDR_NAME || h->state == HDR_NAME_BLANK) {
		h->end = h->line_at; /* no field without a colon */
		h->needs_blank = h->first_line;
	} else {
		h->end = h->total;
		h->ends_open = h->state != HDR_LINE;
	}
}

int hdr_xvirus_format(struct buf *out)
{
	return buf_append_str(out, "X-Virus-Scanner: Scanned by esets_smtp " PACKAGE_VERSION
		",\r\n\tan open SMTP content filter\r\n");
}

/* --- Received ------------------------------------------------------------ */

/* Behind a comment, which may hold others, and blanks. */
static const char *past_comments(const char *p)
{
	unsigned depth = 0;

	for (; *p != '\0' && (depth > 0 || *p == '(' || *p == ' '); p++) {
		if (*p == '(')
			depth++;
		else if (*p == ')' && depth > 0)
			depth--;
		else if (*p == '\\' && p[1] != '\0')
			p++;
	}
	return p;
}

/* How long a word is, or a string in quotes. */
static size_t word_len(const char *p)
{
	size_t n = 1;

	if (p[0] != '"')
		return strcspn(p, " (;");
	while (p[n] != '\0' && p[n] != '"')
		n += p[n] == '\\' && p[n + 1] != '\0' ? 2 : 1;
	return n + (p[n] == '"');
}

/* Of nothing but letters, digits and what else mail servers take for such names. */
static bool is_plain_id(const char *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (!((str_lower(p[i]) >= 'a' && str_lower(p[i]) <= 'z') ||
		    (p[i] >= '0' && p[i] <= '9') || (p[i] != '\0' && strchr("-_.+=:@/", p[i]) != NULL)))
			return false;
	return n > 0;
}

/* RFC 5321 4.4: pairs of a word and a value, with comments between, up to the ';'. What
 * stands before the server's own name is the client's word. */
const char *hdr_received_id(const char *field, char *out, size_t size)
{
	const char *p = past_comments(field);
	bool has_by = false;

	out[0] = '\0';
	while (*p != '\0' && *p != ';') {
		size_t word = word_len(p);
		const char *value = past_comments(p + word);
		size_t n = word_len(value);
		if (has_by && word == 2 && str_ieq_n(p, 2, "id")) {
			if (n < size && is_plain_id(value, n))
				str_copy_n(out, size, value, n);
			break;
		}
		has_by |= word == 2 && str_ieq_n(p, 2, "by");
		p = past_comments(value + n);
	}
	return out;
}

#define RECEIVED_LINE_MAX 78
#define RECEIVED_TOKEN_MAX 255

struct received {
	char text[2048];    /* holds every token at its longest */
	size_t len, column;
};

/* Adds a token behind a blank, or behind a fold where the line would get too
 * long. */
static void received_token(struct received *r, const char *token)
{
	size_t n = strlen(token);
	bool fold = r->column + 1 + n > RECEIVED_LINE_MAX;

	if (r->len + n + 3 > sizeof r->text)
		return;
	if (fold) {
		memcpy(r->text + r->len, "\r\n\t", 3);
		r->len += 3;
		r->column = 1;
	} else {
		r->text[r->len++] = ' ';
		r->column++;
	}
	memcpy(r->text + r->len, token, n);
	r->len += n;
	r->column += n;
}

/* A peer's word without anything that could end a comment, a field or a line.
 * Returns dst, which holds max + 1 octets. */
static const char *received_word(char *dst, size_t max, const char *src)
{
	static const char also[] = "-._:[]+=/";
	size_t n = 0;

	for (; n < max && src[n] != '\0'; n++) {
		char c = src[n];
		bool ok = (c >= '0' && c <= '9') || (str_lower(c) >= 'a' && str_lower(c) <= 'z') ||
			strchr(also, c) != NULL;
		dst[n] = ok ? c : '?';
	}
	dst[n] = '\0';
	return dst;
}

/* Is a recipient plain enough to stand in a for clause? Quoted local parts
 * and others that need care are left out: the clause is optional. */
static bool received_rcpt_ok(const char *s)
{
	static const char bad[] = "()<>[]:;\\,\"";
	size_t n = 0;

	for (; s[n] != '\0'; n++)
		if (s[n] <= 0x20 || s[n] >= 0x7f || strchr(bad, s[n]) != NULL)
			return false;
	return n > 0 && n <= 254;
}

/* Days since 1970-01-01 to year, month, day; proleptic Gregorian, counted in
 * years that begin in March so that the leap day comes last. */
static void civil_from_days(long long days, long long *year_out, unsigned *month_out,
	unsigned *day_out)
{
	days += 719468;
	long long era = (days >= 0 ? days : days - 146096) / 146097;
	unsigned doe = (unsigned)(days - era * 146097);
	unsigned yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
	unsigned doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
	unsigned mp = (5 * doy + 2) / 153;

	*day_out = doy - (153 * mp + 2) / 5 + 1;
	*month_out = mp < 10 ? mp + 3 : mp - 9;
	*year_out = (long long)yoe + era * 400 + (*month_out <= 2);
}

/* RFC 5322 3.3; times that a four-digit year cannot hold become its ends. */
static void received_date(char *dst, size_t size, long long when, int tz_minutes)
{
	static const char day_names[7][4] = { "Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed" };
	static const char month_names[12][4] = { "Jan", "Feb", "Mar", "Apr", "May", "Jun",
		"Jul", "Aug", "Sep", "Oct", "Nov", "Dec" };
	const long long max = 253402214400LL; /* 9999-12-31 */
	unsigned month, day;
	long long year;

	if (tz_minutes <= -24 * 60 || tz_minutes >= 24 * 60)
		tz_minutes = 0;
	if (when < 86400)
		when = 86400;
	if (when > max)
		when = max;
	long long local = when + tz_minutes * 60LL;
	unsigned offset = (unsigned)(tz_minutes < 0 ? -tz_minutes : tz_minutes);
	unsigned second = (unsigned)(local % 86400);
	civil_from_days(local / 86400, &year, &month, &day);
	snprintf(dst, size, "%s, %u %s %lld %02u:%02u:%02u %c%02u%02u",
		day_names[local / 86400 % 7], day, month_names[month - 1], year,
		second / 3600, second / 60 % 60, second % 60,
		tz_minutes < 0 ? '-' : '+', offset / 60, offset % 60);
}

/* from HELO (NAME [IP]) */
static void received_from(struct received *t, const struct hdr_received *r)
{
	char word[RECEIVED_TOKEN_MAX + 1], ip[64], text[RECEIVED_TOKEN_MAX + 96];
	const char *tag = r->client_is_ipv6 ? "IPv6:" : "";

	received_word(ip, 45, r->client_ip);
	received_token(t, "from");
	if (r->helo[0] != '\0')
		received_token(t, received_word(word, RECEIVED_TOKEN_MAX, r->helo));
	else {
		snprintf(text, sizeof text, "[%s%s]", tag, ip);
		received_token(t, text);
	}
	if (r->client_name[0] != '\0')
		snprintf(text, sizeof text, "(%s [%s%s])",
			received_word(word, RECEIVED_TOKEN_MAX, r->client_name), tag, ip);
	else
		snprintf(text, sizeof text, "([%s%s])", tag, ip);
	received_token(t, text);
}

int hdr_received_format(const struct hdr_received *r, struct buf *out)
{
	char word[RECEIVED_TOKEN_MAX + 1], text[RECEIVED_TOKEN_MAX + 8];
	bool with_for = received_rcpt_ok(r->rcpt);
	struct received t = { .len = 0 };

	memcpy(t.text, "Received:", 9);
	t.len = t.column = 9;
	received_from(&t, r);
	received_token(&t, "by");
	received_token(&t, received_word(word, RECEIVED_TOKEN_MAX, r->by));
	received_token(&t, "with");
	received_token(&t, received_word(word, 32, r->protocol));
	received_token(&t, "id");
	snprintf(text, sizeof text, "%s%s", received_word(word, 64, r->id), with_for ? "" : ";");
	received_token(&t, text);
	if (with_for) {
		received_token(&t, "for");
		snprintf(text, sizeof text, "<%s>;", r->rcpt);
		received_token(&t, text);
	}
	received_date(text, sizeof text, r->when, r->tz_minutes);
	received_token(&t, text);
	memcpy(t.text + t.len, "\r\n", 2);
	t.len += 2;
	return buf_append(out, t.text, t.len);
}
