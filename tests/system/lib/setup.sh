# setup.sh - what tests/run and tests/demo share: packages, scratch directory,
# a copy of the tree, a build. Sourced by them; POSIX sh.
#
# The caller sets TOP (the source tree). Nothing is written into the tree: the
# build works on a copy in a scratch directory that goes away at the end.

BUILD_PACKAGES="gcc make autoconf automake pkg-config libc6-dev libevent-dev libconfuse-dev libssl-dev libarchive-dev libseccomp-dev"
TEST_PACKAGES="check python3 systemd postfix libidn2-dev clamav-daemon spamd rspamd haproxy iproute2 prometheus groff-base mandoc"
FULL_PACKAGES="clang valgrind xz-utils patch build-essential debhelper lintian debootstrap chromium chromium-driver"
ANALYZE_PACKAGES="clang-tidy cppcheck"

say() {
	printf '%s\n' "$*"
}

die() {
	printf '%s\n' "$*" >&2
	exit 1
}

# The comment at the head of a script: its --help.
head_comment() {
	sed -n '2,/^$/s/^# \{0,1\}//p' "$1"
}

is_installed() {
	[ "$(dpkg-query -W -f='${db:Status-Status}' "$1" 2>/dev/null)" = installed ]
}

missing_packages() {
	for package in "$@"; do
		is_installed "$package" || printf '%s ' "$package"
	done
}

# Installs what is missing of the given packages. No service is started and
# Postfix is left without a configuration: the tests run instances of their own.
packages_install() {
	missing=$(missing_packages "$@")
	[ -n "$missing" ] || return 0
	[ "$(id -u)" = 0 ] || return 1
	say "installing: $missing"
	export DEBIAN_FRONTEND=noninteractive
	policy=/usr/sbin/policy-rc.d
	made_policy=
	if [ ! -e "$policy" ]; then
		made_policy=yes
		printf '#!/bin/sh\nexit 101\n' >"$policy"
		chmod 755 "$policy"
	fi
	case " $missing " in *" postfix "*)
		if command -v debconf-set-selections >/dev/null; then
			echo 'postfix postfix/main_mailer_type select No configuration' |
				debconf-set-selections
		fi ;;
	esac
	status=0
	{ apt-get update && apt-get install -y --no-install-recommends $missing; } \
		>"$SCRATCH/apt.log" 2>&1 </dev/null || status=$?
	[ -z "$made_policy" ] || rm -f "$policy"
	[ "$status" = 0 ] || tail -n 20 "$SCRATCH/apt.log" >&2
	return "$status"
}

# A scratch directory that programs running as another user can get at. The
# name is short: UNIX socket paths in it have at most 107 octets.
scratch_make() {
	SCRATCH=$(mktemp -d "${TMPDIR:-/tmp}/esets-$1.XXXXXX") || exit 1
	chmod 755 "$SCRATCH"
}

# Copies the sources, less what an in-tree build may have left, and makes
# configure there.
tree_copy() {
	mkdir "$1" || return 1
	(cd "$TOP" && tar -cf - --exclude='*.o' --exclude='*.a' --exclude=.deps --exclude=.dirstamp \
		--exclude=__pycache__ Makefile.am configure.ac COPYING README src include man etc \
		tests .ci .clang-tidy) | (cd "$1" && tar -xf -) || return 1
	(cd "$1" && autoreconf -fi) >"$SCRATCH/autoreconf.log" 2>&1 && return 0
	tail -n 30 "$SCRATCH/autoreconf.log" >&2
	return 1
}

jobs_max() {
	getconf _NPROCESSORS_ONLN 2>/dev/null || echo 2
}

# tree_build SOURCE BUILD [VARIABLE=VALUE...] [--option...]: configure and make.
tree_build() {
	source=$1
	build=$2
	shift 2
	mkdir -p "$build" || return 1
	(cd "$build" && "$source/configure" "$@" && make -j"$(jobs_max)") >"$build.log" 2>&1 && return 0
	grep -nE 'error|Error|warning:' "$build.log" | head -n 40 >&2
	tail -n 15 "$build.log" >&2
	return 1
}
