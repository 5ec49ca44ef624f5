/* task_archive.c - archives.
 *
 * There is no unpacker in this version: archives and TNEF are not scanned.
 * Office documents are zip files: not scanned is what they are, and clean
 * would be untrue. What an engine finds by the digest of the whole file is
 * infected all the same. */
#include "task_int.h"

#include <string.h>

/* Formats that readers open by themselves, or one click away. */
void task_note_format(struct task *t, const char *data, size_t len, const char *name)
{
	static const struct { const char *magic; size_t n; } archives[] = {
		{ "PK\3\4", 4 }, { "Rar!", 4 }, { "7z\xbc\xaf\x27\x1c", 6 }, { "\x1f\x8b", 2 },
		{ "BZh", 3 }, { "\xfd" "7zXZ", 5 }, { "MSCF", 4 } };

	if (len >= 4 && memcmp(data, "\x78\x9f\x3e\x22", 4) == 0)
		task_note(t, VERDICT_AV_NOTSCANNED, name, "TNEF is not looked into");
	if (!t->r->opts.obj_archives)
		return;
	for (size_t i = 0; i < sizeof archives / sizeof archives[0]; i++)
		if (len >= archives[i].n && memcmp(data, archives[i].magic, archives[i].n) == 0)
			task_note(t, VERDICT_AV_NOTSCANNED, name,
				"archives are not looked into in this version");
}
