/* replay.c - plays files through a fuzz target, without libFuzzer.
 *
 * replay_NAME plays the corpus of NAME; replay_NAME FILE... plays these, of a
 * directory the files in it. Each input is a block of its own, so that sanitizers
 * see a read beyond it. */
#include <dirent.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static unsigned played;

static int play(const char *path)
{
	struct stat st;
	FILE *f = fopen(path, "rb");
	uint8_t *data = NULL;
	int result = -1;

	if (f == NULL || fstat(fileno(f), &st) < 0)
		goto out;
	size_t size = (size_t)st.st_size;
	data = malloc(size > 0 ? size : 1);
	if (data == NULL || fread(data, 1, size, f) != size)
		goto out;
	fprintf(stderr, "%s\n", path);
	LLVMFuzzerTestOneInput(data, size);
	played++;
	result = 0;
out:
	if (result < 0)
		perror(path);
	if (f != NULL)
		fclose(f);
	free(data);
	return result;
}

static int play_dir(const char *dir)
{
	struct dirent **names = NULL;
	int n = scandir(dir, &names, NULL, alphasort), bad = n < 0;
	char path[4096 + 260];

	for (int i = 0; i < n; i++) {
		snprintf(path, sizeof path, "%s/%s", dir, names[i]->d_name);
		if (names[i]->d_name[0] != '.')
			bad |= play(path) < 0;
		free(names[i]);
	}
	free(names);
	return bad ? -1 : 0;
}

static bool is_dir(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

int main(int argc, char **argv)
{
	const char *src = getenv("srcdir"), *slash = strrchr(argv[0], '/');
	const char *name = slash != NULL ? slash + 1 : argv[0];
	char dir[4096];
	int bad = 0;

	for (int i = 1; i < argc; i++)
		bad |= (is_dir(argv[i]) ? play_dir(argv[i]) : play(argv[i])) < 0;
	if (argc == 1) {
		if (strncmp(name, "replay_", 7) == 0)
			name += 7;
		snprintf(dir, sizeof dir, "%s/tests/fuzz/corpus/%s", src != NULL ? src : ".", name);
		bad = play_dir(dir) < 0;
	}
	if (played == 0)
		fprintf(stderr, "nothing to play\n");
	return bad || played == 0;
}
