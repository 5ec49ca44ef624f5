/* inst_print.c - a plan for people, see inst_int.h. */
#include <stdio.h>
#include <string.h>

#include "inst_int.h"
#include "str.h"

void inst_print_folded(const char *head, const char *text)
{
	size_t room = 78 - strlen(head), indent = strlen(head);

	while (*text != '\0') {
		size_t n = strlen(text);
		if (n > room) {
			for (n = room; n > 0 && text[n] != ' ';)
				n--;
			if (n == 0)
				n = strcspn(text, " ");
		}
		printf("%*s%.*s\n", (int)indent, head, (int)n, text);
		head = "";
		text += n;
		text += *text == ' ';
	}
}

/* Text of files: nothing in it that a terminal would obey. */
static void make_plain(char *text)
{
	for (; *text != '\0'; text++) {
		if ((unsigned char)*text < ' ' || *text == '\x7f')
			*text = '?';
	}
}

/* The next piece of a service: what stands before the first option, or an option; what
 * is behind it, or NULL. */
static const char *next_piece(const char *line, size_t *len_out)
{
	const char *next = strstr(line, " -o ");

	*len_out = next != NULL ? (size_t)(next - line) : strlen(line);
	return next != NULL ? next + 1 : NULL;
}

static bool has_piece(const char *line, const char *piece, size_t n)
{
	size_t len;

	for (const char *next; line != NULL; line = next) {
		next = next_piece(line, &len);
		if (len == n && memcmp(line, piece, n) == 0)
			return true;
	}
	return false;
}

/* A service, an option a line; of another that takes its place, or whose place it takes,
 * only what that does not have. Returns how many lines both have. */
static size_t print_service(char sign, const char *line, const char *other)
{
	size_t len, same = 0;

	for (const char *next; line != NULL; line = next) {
		next = next_piece(line, &len);
		if (has_piece(other, line, len))
			same++;
		else
			printf("  %c %s%.*s\n", sign, line[0] == '-' ? "    " : "", (int)len, line);
	}
	return same;
}

static void print_side(const struct inst_step *s, char sign, bool is_there, const char *raw)
{
	char text[INST_TEXT_MAX];

	if (!is_there)
		return;
	str_copy(text, sizeof text, raw);
	make_plain(text);
	if (s->kind == INST_MASTER)
		print_service(sign, text, NULL);
	else if (s->kind == INST_CONF)
		printf("  %c %s\n", sign, text);
	else
		printf("  %c %s =%s%s\n", sign, s->name, text[0] != '\0' ? " " : "", text);
}

/* A service that is there, and is to be another: what differs. */
static void print_difference(const struct inst_step *s)
{
	char was[INST_TEXT_MAX], becomes[INST_TEXT_MAX];

	str_copy(was, sizeof was, s->was);
	str_copy(becomes, sizeof becomes, s->becomes);
	make_plain(was);
	make_plain(becomes);
	printf("    %s\n", s->name);
	print_service('-', was, becomes);
	printf("    (%zu lines are in both)\n", print_service('+', becomes, was));
}

static void print_kind(const struct inst_plan *plan, enum inst_kind kind, const char *path,
	const char *what)
{
	if (!inst_plan_has(plan, kind))
		return;
	printf("%s%s\n", path, what);
	for (size_t i = 0; i < plan->nsteps; i++) {
		const struct inst_step *s = &plan->steps[i];
		if (s->kind != kind)
			continue;
		if (kind == INST_MASTER && s->had && s->has) {
			print_difference(s);
			continue;
		}
		print_side(s, '-', s->had, s->was);
		print_side(s, '+', s->has, s->becomes);
	}
	printf("\n");
}

void inst_print_plan(const struct inst_plan *plan, const char *config, const char *postfix)
{
	static const char *const heads[] = { [INST_NOTE] = "NOTE: ",
		[INST_CONFLICT] = "IN THE WAY: ", [INST_FATAL] = "IMPOSSIBLE: " };

	print_kind(plan, INST_CONF, config, " (section [smtp])");
	print_kind(plan, INST_MASTER, postfix, "/master.cf (postconf -M)");
	print_kind(plan, INST_MAIN, postfix, "/main.cf (postconf)");
	for (size_t i = 0; i < plan->nnotes; i++) {
		char text[INST_NOTE_MAX];
		str_copy(text, sizeof text, plan->notes[i].text);
		make_plain(text);
		inst_print_folded(heads[plan->notes[i].level], text);
	}
	if (plan->nnotes > 0)
		printf("\n");
	fflush(stdout);
}

void inst_print_word(const char *word)
{
	static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
		"/._-+,:@%";

	if (word[0] != '\0' && strspn(word, plain) == strlen(word)) {
		fputs(word, stdout);
		return;
	}
	for (putchar('\''); *word != '\0'; word++)
		*word == '\'' ? fputs("'\\''", stdout) : putchar(*word);
	putchar('\'');
}
