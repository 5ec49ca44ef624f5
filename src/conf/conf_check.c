/* conf_check.c - checks of values that are lists, addresses or names.
 *
 * Each looks at one text and says what is wrong with which item. Nothing here
 * asks the system: whether a user exists or a name resolves shows at start.
 * What is known elsewhere is asked there (classes and facilities: log.h,
 * networks: net.h), so that a value cannot be right here and wrong there. */
#include "conf_int.h"

#include <stdlib.h>
#include <string.h>

#include "log.h"
#include "net.h"
#include "str.h"

#define UNIX_PATH_MAX 107   /* sun_path less its NUL */

static int bad(char *why, size_t size, const char *item, const char *what)
{
	char shown[96];

	str_clean(shown, sizeof(shown), item, strlen(item));
	snprintf(why, size, "\"%s\" %s", shown, what);
	return -1;
}

/* A wrong item of a list between colons that holds what others separate by. */
static const char *what_of_separator(const char *item, const char *what)
{
	return strpbrk(item, ",;") != NULL ? "is one item: colons separate the items of this list" :
		what;
}

/* Goes through a list; a check of one item returns NULL or what is wrong. */
static int each_item(const char *list, char sep, const char *(*check)(const char *item),
	char *why, size_t size)
{
	char item[CONF_ITEM_MAX];
	int r;

	while ((r = str_list_next(&list, sep, item, sizeof(item))) != 0) {
		const char *what = r < 0 ? "is too long" : check(item);
		if (what != NULL)
			return bad(why, size, item, sep == ':' ? what_of_separator(item, what) : what);
	}
	return 0;
}

bool conf_list_has(const char *list, char sep, const char *name)
{
	char item[CONF_ITEM_MAX];
	int r;

	while ((r = str_list_next(&list, sep, item, sizeof(item))) != 0)
		if (r > 0 && strcmp(item, name) == 0)
			return true;
	return false;
}

/* --- logging -------------------------------------------------------------- */

int conf_check_facility(const char *text, char *why, size_t size)
{
	int facility;

	if (log_facility_parse(text, &facility) == 0)
		return 0;
	return bad(why, size, text,
		"is not one of daemon, mail, user, local0 to local7, none");
}

int conf_check_classes(const char *text, char *why, size_t size)
{
	char item[64] = "";
	unsigned classes;

	if (log_classes_parse(text, &classes, item, sizeof(item)) == 0)
		return 0;
	return bad(why, size, item, what_of_separator(item, "is not one of error, warning, summ, "
		"summall, part, partall, info, debug"));
}

/* --- addresses ------------------------------------------------------------ */

int conf_check_networks(const char *text, char *why, size_t size)
{
	struct net_cidr *list = NULL;
	char item[128] = "";
	size_t n;

	if (net_cidrs_parse(text, &list, &n, item, sizeof(item)) < 0)
		return bad(why, size, item,
			"is not a network such as 192.0.2.0/24 (bits behind the prefix are 0), "
			"2001:db8::/32 or any");
	free(list);
	return 0;
}

const char *conf_unix_path(const char *item)
{
	return strncmp(item, "unix:", 5) == 0 ? item + 5 : NULL;
}

static const char *what_of_path(const char *path)
{
	if (path[0] != '/')
		return "must name an absolute path";
	return strlen(path) > UNIX_PATH_MAX ? "is longer than a socket's path may be" : NULL;
}

/* A host name: letters, digits, "-", "_" and dots. */
static bool is_name(const char *s)
{
	size_t n = strspn(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.");

	return n > 0 && s[n] == '\0' && n <= 253 && s[0] != '.' && s[0] != '-' &&
		strstr(s, "..") == NULL;
}

/* 192.0.2.300 or 10.1 is a mistake, not a name. */
static bool looks_numeric(const char *s)
{
	return s[strspn(s, "0123456789.")] == '\0';
}

static const char *what_of_host(const char *s)
{
	struct net_addr a;

	if (net_addr_parse(s, &a) == 0)
		return NULL;
	if (is_name(s) && !looks_numeric(s))
		return NULL;
	const char *colon = strrchr(s, ':');
	if (colon != NULL && colon[1] != '\0' &&
	    colon[1 + strspn(colon + 1, "0123456789")] == '\0' &&
	    (strchr(s, ':') == colon || s[0] == '['))
		return "holds a port, which is an option of its own";
	return "is not an address or a host name";
}

int conf_check_host(const char *text, char *why, size_t size)
{
	const char *what = what_of_host(text);

	return what == NULL ? 0 : bad(why, size, text, what);
}

int conf_check_ip(const char *text, char *why, size_t size)
{
	struct net_addr a;

	return net_addr_parse(text, &a) == 0 ? 0 : bad(why, size, text,
		"is not an address such as 127.0.0.1 or ::1");
}

static const char *what_of_endpoint(const char *item)
{
	const char *path = conf_unix_path(item);

	return path != NULL ? what_of_path(path) : what_of_host(item);
}

int conf_check_endpoints(const char *text, char *why, size_t size)
{
	return each_item(text, ',', what_of_endpoint, why, size);
}

/* host:port or [v6]:port; the host in place, the port checked. */
static const char *what_of_host_port(const char *item)
{
	char host[CONF_ITEM_MAX];
	const char *colon = strrchr(item, ':');
	uint64_t port;

	if (colon == NULL || str_parse_u64(colon + 1, &port) < 0 || port < 1 || port > 65535)
		return "must be /path, unix:/path or host:port";
	str_copy_n(host, sizeof(host), item, (size_t)(colon - item));
	if (host[0] != '[' && strchr(host, ':') != NULL)
		return "must have its IPv6 address in brackets";
	return what_of_host(host) == NULL ? NULL : "is not an address or a host name with a port";
}

static const char *what_of_engine_addr(const char *item)
{
	const char *path = item[0] == '/' ? item : conf_unix_path(item);

	return path != NULL ? what_of_path(path) : what_of_host_port(item);
}

int conf_check_engine_addrs(const char *text, char *why, size_t size)
{
	return each_item(text, ',', what_of_engine_addr, why, size);
}

int conf_check_url(const char *text, char *why, size_t size)
{
	const char *p = strchr(text, ':');
	char host[CONF_ITEM_MAX];

	if (p == NULL || !str_ieq_n(text, (size_t)(p - text), "http") || strncmp(p, "://", 3) != 0)
		return bad(why, size, text, "must begin with http://");
	p += 3;
	size_t n = strcspn(p, "/?#");
	if (n == 0 || n >= sizeof(host) || strpbrk(text, " \"@?#,") != NULL || strlen(text) > 1000)
		return bad(why, size, text, "is not http://host:port");
	str_copy_n(host, sizeof(host), p, n);
	if (what_of_host(host) != NULL && what_of_host_port(host) != NULL)
		return bad(why, size, text, "is not http://host:port");
	return 0;
}

/* --- names ---------------------------------------------------------------- */

static const char *what_of_user(const char *s)
{
	size_t n = strspn(s,
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-");

	return n > 0 && n < 64 && s[n] == '\0' && s[0] != '-' ? NULL :
		"is not a user or group name";
}

int conf_check_user(const char *text, char *why, size_t size)
{
	const char *what = what_of_user(text);

	return what == NULL ? 0 : bad(why, size, text, what);
}

static const char *what_of_allowed(const char *item)
{
	return what_of_user(item[0] == '@' ? item + 1 : item);
}

int conf_check_users(const char *text, char *why, size_t size)
{
	return each_item(text, ':', what_of_allowed, why, size);
}

static const char *what_of_av_engine(const char *item)
{
	return strcmp(item, "builtin") == 0 || strcmp(item, "clamd") == 0 ? NULL :
		"is not one of builtin, clamd";
}

int conf_check_av_engines(const char *text, char *why, size_t size)
{
	return each_item(text, ':', what_of_av_engine, why, size);
}

static const char *what_of_as_engine(const char *item)
{
	return strcmp(item, "builtin") == 0 || strcmp(item, "spamd") == 0 ||
		strcmp(item, "rspamd") == 0 ? NULL : "is not one of builtin, spamd, rspamd";
}

int conf_check_as_engines(const char *text, char *why, size_t size)
{
	return each_item(text, ':', what_of_as_engine, why, size);
}

/* --- lists for the scanner ------------------------------------------------ */

static const char *what_of_ext(const char *item)
{
	return strpbrk(item, "/*?\\\" ,;") == NULL && item[strspn(item, ".")] != '\0' ? NULL :
		"is not a file name extension";
}

int conf_check_exts(const char *text, char *why, size_t size)
{
	return each_item(text, ':', what_of_ext, why, size);
}

static const char *what_of_hash(const char *item)
{
	unsigned char digest[32];

	return strlen(item) == 64 && str_unhex(digest, sizeof(digest), item) == 0 ? NULL :
		"is not a SHA-256 of 64 hexadecimal digits";
}

int conf_check_hashes(const char *text, char *why, size_t size)
{
	return each_item(text, ':', what_of_hash, why, size);
}

static const char *what_of_mask(const char *item)
{
	return item[strspn(item, "*?")] == '\0' ? "would let every detection pass" : NULL;
}

int conf_check_masks(const char *text, char *why, size_t size)
{
	return each_item(text, ':', what_of_mask, why, size);
}
