# full.sh - what `tests/run --full` does beyond the rest. Sourced by tests/run,
# whose functions it uses.

heading "clang, without the optional libraries"
if build clang "clang: " CC=clang --without-idn2; then
	unit_tests "$SCRATCH/clang" "clang: "
fi

heading "ThreadSanitizer"
if build tsan "tsan: " --enable-sanitizers=thread CFLAGS="-g -O1"; then
	# Without address randomisation, whose range this sanitizer cannot take.
	export CK_TIMEOUT_MULTIPLIER=4
	unit_tests "$SCRATCH/tsan" "tsan: " "setarch -R"
	unset CK_TIMEOUT_MULTIPLIER
	ESETS_WRAPPER="setarch -R" system_tests "$SCRATCH/tsan" "tsan: " 4 "$words"
fi

heading "valgrind"
memcheck="valgrind -q --vgdb=no --suppressions=$TOP/tests/valgrind.supp --leak-check=full --errors-for-leak-kinds=definite --log-file=%q{ESETS_REPORTS}/vg.%p"
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

heading "the demonstration"
demonstration() {
	"$TOP/tests/demo" >"$SCRATCH/demo.log" 2>&1 </dev/null && return 0
	tail -n 40 "$SCRATCH/demo.log"
	return 1
}
step "demo" demonstration

# What the cases that need it say where it could not be made.
heading "packages and README on a clean Debian"
clean_debian() {
	"$PYTHON" "$TOP/tests/system/lib/cleandebian.py" "$SCRATCH/debian" && return 0
	[ $? != 77 ] || return 0
	tail -n 20 "$SCRATCH/debian.log"
	return 1
}
step "clean Debian" clean_debian
say "made ($(($(date +%s) - STARTED)) s)"
if [ -x "$SCRATCH/plain/esets_smtp" ]; then
	[ ! -d "$SCRATCH/debian" ] || export ESETS_DEBIAN="$SCRATCH/debian"
	system_tests "$SCRATCH/plain" "clean Debian: " 1 "-d $TOP/tests/full -t 900 -j 2"
fi
