# full.sh - what `tests/run --full` does beyond the rest. Sourced by tests/run,
# whose functions it uses.

heading "clang, without the optional libraries"
if build clang "clang: " CC=clang --without-idn2; then
	unit_tests "$SCRATCH/clang" "clang: "
fi

heading "ThreadSanitizer"
if build tsan "tsan: " --enable-sanitizers=thread CFLAGS="-g -O1"; then
	# Without address randomisation, whose range this sanitizer cannot take.
	unit_tests "$SCRATCH/tsan" "tsan: " "setarch -R"
	ESETS_WRAPPER="setarch -R" system_tests "$SCRATCH/tsan" "tsan: " 4 "$words"
fi

heading "valgrind"
memcheck="valgrind -q --leak-check=full --errors-for-leak-kinds=definite --log-file=%q{ESETS_REPORTS}/vg.%p"
ESETS_WRAPPER="$memcheck" system_tests "$SCRATCH/plain" "valgrind: " 10 \
	"${words:-010 020 060 115 150 210}"

heading "mutants"
step "mutants" "$TOP/tests/mutants/run"

heading "make distcheck"
distcheck() {
	(cd "$SCRATCH/plain" && make -j"$(jobs_max)" distcheck) >"$SCRATCH/distcheck.log" 2>&1 && return 0
	tail -n 40 "$SCRATCH/distcheck.log"
	return 1
}
step "distcheck" distcheck

. "$TOP/tests/system/lib/analyze.sh"
