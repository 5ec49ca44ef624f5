"""The blocks of README: what stands there indented by four columns or more.

A block is a run of such lines between blank lines. It is known by the section
that it is in and by its first line, and holds its lines without the indentation
that all have."""

import os
import re
import textwrap

from harness import SOURCE_DIR, check_eq


class Block:
    def __init__(self, section, lines):
        self.section = section
        self.text = textwrap.dedent("\n".join(lines)) + "\n"
        self.first = self.text.split("\n", 1)[0].strip()

    def __repr__(self):
        return "%r in section %r" % (self.first, self.section)


def blocks(path=os.path.join(SOURCE_DIR, "README")):
    """All blocks, in their order."""
    with open(path) as source:
        lines = source.read().split("\n")
    found, section, paragraph = [], "", []
    for line, after in zip(lines, lines[1:] + [""]):
        if re.fullmatch(r"-{3,}|={3,}", after) and line:
            section = line
        if line:
            paragraph.append(line)
        elif paragraph:
            if all(text.startswith("    ") for text in paragraph):
                found.append(Block(section, paragraph))
            paragraph = []
    return found


def packages(some):
    """The packages of Debian that commands in these blocks install."""
    text = "".join(block.text for block in some).replace("\\\n", " ")
    return [word for words in re.findall(r"(?m)^apt-get install (.*)$", text)
            for word in words.split() if "/" not in word]


# --- what is done with each block --------------------------------------------
#
# Run: its commands, one after the other, on a clean Debian (tests/full/620-readme)
# Options: its lines, put into a file there as a reader would
# Elsewhere: commands that another test runs, or that cannot be run there: why
# Shown: no commands

class How:
    is_commands = False

    def __init__(self, why=""):
        self.why = why


class Run(How):
    is_commands = True


class Options(How):
    def __init__(self, section, path="/etc/esets/esets.cfg"):
        super().__init__()
        self.section = section
        self.path = path


class Elsewhere(How):
    is_commands = True


class Shown(How):
    pass


SYSTEMD = Elsewhere("no systemd runs there; tests/full/615-systemd runs them")

PLAN = (
    ("Try it: two commands", (
        ("tests/demo", Elsewhere("tests/run --full runs it")),
        ("tests/run", Elsewhere("is what runs this")),
    )),
    ("Building and installing", (
        ("apt-get install gcc make ", Run()),
        ("libidn2-dev  ", Shown("names of packages")),
        ("autoreconf -fi", Run()),
        ("make check", Elsewhere("tests/run does, several times")),
        ("make install", Run()),
        ("systemd-sysusers && ", SYSTEMD),
        ("adduser --system ", Run()),
        ("agent_enabled = yes", Options("smtp")),
        ("esets_daemon --check-config && ", Run()),
        ("systemctl enable --now esets", SYSTEMD),
        ("update-rc.d esets defaults", Run()),
    )),
    ("A Debian package", (
        ("apt-get install build-essential ", Elsewhere("610-packages builds outside")),
        ("autoreconf -fi", Elsewhere("610-packages")),
        ("apt-get install ./deb/", Elsewhere("610-packages")),
        ("rm -r /var/lib/esets", Elsewhere("610-packages")),
        ("make deb DEB_VERSION=", Elsewhere("610-packages")),
    )),
    ("Behind Postfix", (
        ("client -> Postfix :25 ", Shown("a drawing")),
        ("esets_inst", Run()),
        ("action_av_infected = discard", Options("smtp")),
        ("esets_inst --mode before-queue", Elsewhere("one agent cannot serve both places; "
                                                     "470-esets-inst runs it")),
        ("action_av_overlimit = reject", Options("smtp")),
    )),
    ("Options that matter", (
        ("action_av_infected (reject)", Shown("a table; 605-readme compares its defaults")),
    )),
    ("Watching it", (
        ("journalctl -g ", SYSTEMD),
        ("esets_smtp --status", Run()),
    )),
    ("Settings for single users", (
        ('user_config = "users.cfg"', Options("smtp")),
        ("[username@domain.com]", Options(None, "/etc/esets/users.cfg")),
        ("[domain.com|partner@example.org]", Options(None, "/etc/esets/users.cfg")),
        ("esets_destination_recipient_limit = 1", Options(None, "/etc/postfix/main.cf")),
    )),
    ("Adding signatures", (
        ("sha256sum bad.exe ", Run()),
    )),
    ("With ClamAV", (
        ("apt-get install clamav-daemon", Elsewhere("its database is not to be had there; "
                                                    "250-clamd has a clamd with one")),
        ("AlertExceedsMax yes", Shown("250-clamd has it in its clamd.conf")),
        ('av_engines = "builtin:clamd"', Shown("250-clamd sets it")),
        ("service clamav-daemon restart", Elsewhere("250-clamd")),
    )),
    ("Quarantine, and being told", (
        ("av_quarantine_enabled = yes", Options("smtp")),
        ("esets_quar list --since 1d", Run()),
        ('exec_script = "/etc/esets/mail-admin"', Options("global")),
    )),
    ("With rspamd or SpamAssassin", (
        ('as_engines = "rspamd" ', Shown("two sets of options side by side: 255-spamd and "
                                         "257-rspamd have them")),
        ("action_as = scan", Options("smtp")),
    )),
    ("Under systemd", (
        ("esets-daemon.service ", Shown("figures")),
        ("systemctl stop esets-smtp", SYSTEMD),
    )),
    ("Speed", (
        ("messages/s ", Shown("figures")),
    )),
    ("For developers", (
        ("src/base ", Shown("a list")),
        ("mkdir build-asan && cd build-asan", Elsewhere("tests/run builds so")),
        ("tests/system/lib/cleandebian.py ", Elsewhere("tests/run --full runs both")),
        ("tests/run --coverage", Elsewhere("runs all tests; by hand")),
        ("coverage  ", Shown("figures")),
        ("../configure --enable-coverage ", Elsewhere("tests/run --coverage builds so")),
        ("tests/run --analyze", Elsewhere("tests/run --full runs what it does")),
        ("tests/mutants/run ", Elsewhere("tests/run --full runs it")),
        ("mkdir build-fuzz && cd build-fuzz", Elsewhere("needs clang's fuzzer, and time")),
        ("make tests/fuzz/replay_smtp_line", Elsewhere("make check builds it and plays all")),
        ("mkdir merged", Elsewhere("needs clang's fuzzer")),
        ("smtp_line ", Shown("figures")),
        ("tests/chaos --build ", Shown("a usage; 520-chaos runs it")),
        ("messages  ", Shown("figures")),
        ("faults  ", Shown("figures")),
        ("result after 250 s", Shown("figures")),
        ("tests/bench/run --build ", Shown("a usage; 510-bench runs it")),
        ("perf record ", Elsewhere("needs a load and, of the kernel, counters")),
        ("ESETS_WRAPPER=", Elsewhere("tests/run --full runs tests under valgrind")),
    )),
)


def planned():
    """(block, how) for each block of README, in its order; each has a row of PLAN
    for itself, and each row a block."""
    rows = [(section, first, how) for section, part in PLAN for first, how in part]
    pairs = []
    for block in blocks():
        mine = [row for row in rows
                if row[0] == block.section and (block.first + " ").startswith(row[1])]
        check_eq(len(mine), 1, "rows in PLAN of tests/system/lib/readme.py for the block %r of "
                 "README" % block)
        rows.remove(mine[0])
        pairs.append((block, mine[0][2]))
    check_eq([row[:2] for row in rows], [], "rows of PLAN without a block in README")
    return pairs


def downloads():
    """The packages that the commands of the blocks with Run install, and Postfix,
    which README takes for granted."""
    return packages([block for block, how in planned() if isinstance(how, Run)]) + ["postfix"]
