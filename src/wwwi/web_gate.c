/* web_gate.c - see web_gate.h. What a client sends as a password is never
 * decoded: what it would have to send is computed once, and compared. */
#include "web_gate.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "str.h"

static int base64(const char *s, size_t n, char *out, size_t size)
{
	static const char digits[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	size_t k = 0;

	if ((n + 2) / 3 * 4 >= size)
		return -1;
	for (size_t i = 0; i < n; i += 3) {
		uint32_t v = (uint32_t)(unsigned char)s[i] << 16;
		if (i + 1 < n)
			v |= (uint32_t)(unsigned char)s[i + 1] << 8;
		if (i + 2 < n)
			v |= (unsigned char)s[i + 2];
		out[k++] = digits[v >> 18];
		out[k++] = digits[v >> 12 & 63];
		out[k++] = i + 1 < n ? digits[v >> 6 & 63] : '=';
		out[k++] = i + 2 < n ? digits[v & 63] : '=';
	}
	out[k] = '\0';
	return 0;
}

int web_gate_init(struct web_gate *g, const char *host, const char *username,
	const char *password)
{
	char both[WEB_SECRET_MAX];

	*g = (struct web_gate){ .host = "" };
	str_copy(g->host, sizeof g->host, host);
	if (username[0] == '\0')
		return 0;
	int n = snprintf(both, sizeof both, "%s:%s", username, password);
	int rc = n > 0 && (size_t)n < sizeof both ?
		base64(both, (size_t)n, g->basic, sizeof g->basic) : -1;
	explicit_bzero(both, sizeof both);
	return rc;
}

/* --- names --------------------------------------------------------------- */

/* Digits, dots and colons: an address, or nothing that a resolver would take
 * for a name. */
static bool is_literal(const char *s, size_t n)
{
	if (n > 1 && s[0] == '[') {
		for (size_t i = 1; i + 1 < n; i++)
			if (strchr("0123456789abcdefABCDEF:.", s[i]) == NULL)
				return false;
		return s[n - 1] == ']';
	}
	for (size_t i = 0; i < n; i++)
		if (strchr("0123456789.", s[i]) == NULL)
			return false;
	return n > 0;
}

/* The length without ":port"; 0 where what follows the name is no port. */
static size_t name_len(const char *host)
{
	const char *end = host[0] == '[' ? strchr(host, ']') : NULL;
	const size_t n = host[0] != '[' ? strcspn(host, ":") :
		end != NULL ? (size_t)(end - host) + 1 : 0;

	if (host[n] == ':' && host[n + 1 + strspn(host + n + 1, "0123456789")] == '\0')
		return n;
	return host[n] == '\0' ? n : 0;
}

static bool is_ours(const struct web_gate *g, const char *host)
{
	const size_t n = name_len(host), first = strcspn(g->host, ".");

	if (n == 0)
		return false;
	return is_literal(host, n) || str_ieq_n(host, n, "localhost") ||
		(g->host[0] != '\0' && (str_ieq_n(host, n, g->host) ||
		(n == first && str_icmp_n(host, g->host, n) == 0)));
}

/* --- the password -------------------------------------------------------- */

bool web_gate_is_secret(const char *sent, const char *secret)
{
	const size_t n = strlen(sent), k = strlen(secret);
	unsigned char other = n != k;

	for (size_t i = 0; i < n; i++)
		other |= (unsigned char)(sent[i] ^ secret[i % k]);
	return other == 0;
}

/* --- who sends a form ---------------------------------------------------- */

/* A browser tells it of every form; what is no browser may leave it out. */
bool web_gate_is_same_origin(const struct web_req *r)
{
	const char *origin = r->origin;
	const size_t scheme = str_istarts(origin, strlen(origin), "http://") ? 7 :
		str_istarts(origin, strlen(origin), "https://") ? 8 : 0;

	if (r->site[0] != '\0' && !str_ieq(r->site, "same-origin"))
		return false;
	return origin[0] == '\0' || (scheme != 0 && str_ieq(origin + scheme, r->host));
}

enum web_answer web_gate_ask(const struct web_gate *g, const struct web_req *r)
{
	const char *sent = r->auth;

	if (!is_ours(g, r->host))
		return WEB_WRONG_HOST;
	if (g->basic[0] == '\0')
		return WEB_OK;
	if (!str_istarts(sent, strlen(sent), "basic "))
		return WEB_WHO;
	sent += strlen("basic ");
	return web_gate_is_secret(sent + strspn(sent, " "), g->basic) ? WEB_OK : WEB_WHO;
}
