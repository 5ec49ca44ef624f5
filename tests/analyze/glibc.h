/* glibc.h - what clang-tidy's list of functions that are not thread-safe has wrong
 * for the glibc that this program needs (2.34): strerror() and strsignal() keep
 * their text in the thread since 2.32. Included before everything else when
 * tests/run analyzes; never compiled. */
#include <string.h>

char *strerror_of_thread(int error);
char *strsignal_of_thread(int sig);
#define strerror strerror_of_thread
#define strsignal strsignal_of_thread
