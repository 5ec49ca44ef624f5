# coverage.sh - what `tests/run --coverage` does. Sourced by tests/run, whose
# functions it uses; flush.c tells how counters get out of every process.

COUNTERS="$SCRATCH/counters"
mkdir -m 1777 "$COUNTERS"
: >"$SCRATCH/lost" && chmod 666 "$SCRATCH/lost"
export CK_TIMEOUT_MULTIPLIER=4      # such a build is slow
export GCOV_ERROR_FILE="$SCRATCH/lost" ESETS_COVERAGE="$COUNTERS"

coverage_report() {
	"$PYTHON" "$TOP/tests/coverage/report.py" --source "$SCRATCH/source" \
		--build "$SCRATCH/coverage" --counters "$COUNTERS" "$@"
}

heading "build that counts lines"
if build coverage "coverage: " --enable-coverage CFLAGS=; then
	heading "coverage: unit tests alone"
	unit_tests "$SCRATCH/coverage" "coverage: " "" \
		"$(cd "$TOP" && echo tests/unit/check_*.c | sed 's/\.c//g')"
	step "counters read" coverage_report --save "$SCRATCH/unit.json"

	heading "coverage: corpora and system tests"
	find "$SCRATCH/coverage" -name '*.trs' -delete
	unit_tests "$SCRATCH/coverage" "coverage: " "" \
		"$(cd "$TOP" && echo tests/fuzz/fuzz_*.c | sed 's/\.c//g; s/fuzz_/replay_/g')"
	export ESETS_UNCONFINED=yes
	system_tests "$SCRATCH/coverage" "coverage: " 3 "$words"

	heading "coverage"
	if [ -s "$SCRATCH/lost" ]; then
		say "gcov's complaints, the first ones (such counters are lost):"
		sort "$SCRATCH/lost" | uniq -c | sort -rn | head -n 5
	fi
	step "targets" coverage_report --unit "$SCRATCH/unit.json"
fi
