# analyze.sh - what `tests/run --analyze` does, and --full too: clang-tidy, cppcheck
# and gcc -fanalyzer over src, each without a finding, or with the reason why it is
# none beside it. Sourced by tests/run, whose functions it uses. The settings are in
# .clang-tidy and tests/analyze.

heading "static analysis"

# The compiler's flags, as the Makefile of a build directory has them, quoted.
analyze_flags() {
	cat >"$SCRATCH/flags.mk" <<'END'
include Makefile
flags:
	$(file >$@,-std=gnu11 -pthread -I$(CURDIR) $(DEFS) $(AM_CPPFLAGS) $(ARCHIVE_CFLAGS))
	$(file >>$@,$(CHECK_CFLAGS) $(CONFUSE_CFLAGS) $(CRYPTO_CFLAGS) $(EVENT_CFLAGS))
	$(file >>$@,$(IDN2_CFLAGS) $(SECCOMP_CFLAGS))
END
	make -s -C "$1" -f "$SCRATCH/flags.mk" flags >&2
	tr '\n' ' ' <"$1/flags"
}

analyze() {
	(cd "$SCRATCH/source" && eval "$PYTHON tests/analyze/analyze.py -j $(jobs_max) $1 -- $2")
}

if [ -f "$SCRATCH/plain/config.h" ] ||
    (mkdir "$SCRATCH/plain" && cd "$SCRATCH/plain" && "$SCRATCH/source/configure" -q) >/dev/null; then
	flags=$(analyze_flags "$SCRATCH/plain")
	step "clang-tidy" analyze clang-tidy "$flags"
	step "cppcheck" analyze cppcheck "$flags"
	step "gcc -fanalyzer" analyze gcc "$flags"
else
	step "configure" false
fi
