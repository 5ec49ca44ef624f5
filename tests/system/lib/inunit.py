#!/usr/bin/python3
"""Runs a program as a unit file would: inunit.py UNIT SCRATCH PROGRAM [ARGUMENT...]

For a machine where systemd is not the init. Of the directives in [Service] it
puts in force those that can take something away from the program:
CapabilityBoundingSet, NoNewPrivileges, ProtectSystem=strict with
ReadWritePaths, ProtectHome, PrivateTmp, PrivateDevices, RestrictAddressFamilies,
RestrictSUIDSGID, RestrictNamespaces, MemoryDenyWriteExecute, SystemCallFilter and
UMask. The paths of a test are below SCRATCH, and writable are the directories
run, spool, quarantine and runs there, which stand for those of ReadWritePaths.
Needs root and libseccomp; a directive that is not known here is an error."""

import ctypes
import errno
import os
import re
import subprocess
import sys

CLONE_NEWNS = 0x00020000
MS_RDONLY, MS_NOSUID, MS_NODEV, MS_REMOUNT, MS_BIND, MS_REC, MS_PRIVATE = (
    1, 2, 4, 32, 4096, 16384, 1 << 18)
PR_CAPBSET_DROP, PR_SET_NO_NEW_PRIVS = 24, 38
SCMP_ACT_ALLOW, SCMP_FLTATR_CTL_NNP, SCMP_CMP_MASKED_EQ, SCMP_CMP_EQ = 0x7FFF0000, 3, 7, 4
CAPABILITIES = (
    "CHOWN DAC_OVERRIDE DAC_READ_SEARCH FOWNER FSETID KILL SETGID SETUID SETPCAP LINUX_IMMUTABLE "
    "NET_BIND_SERVICE NET_BROADCAST NET_ADMIN NET_RAW IPC_LOCK IPC_OWNER SYS_MODULE SYS_RAWIO "
    "SYS_CHROOT SYS_PTRACE SYS_PACCT SYS_ADMIN SYS_BOOT SYS_NICE SYS_RESOURCE SYS_TIME "
    "SYS_TTY_CONFIG MKNOD LEASE AUDIT_WRITE AUDIT_CONTROL SETFCAP MAC_OVERRIDE MAC_ADMIN SYSLOG "
    "WAKE_ALARM BLOCK_SUSPEND AUDIT_READ PERFMON BPF CHECKPOINT_RESTORE").split()
FAMILIES = {"AF_UNIX": 1, "AF_INET": 2, "AF_INET6": 10, "AF_NETLINK": 16}
FAMILIES_MAX = 46
PROT_WRITE, PROT_EXEC = 2, 4
# Those that only a real systemd puts in force, or that a program cannot notice
# but by a call that SystemCallFilter refuses as well.
ELSEWHERE = """Type ExecStart ExecReload KillMode TimeoutStartSec TimeoutStopSec Restart
    RestartPreventExitStatus RestartSec StandardError LimitNOFILE PrivateMounts RestrictRealtime
    LockPersonality ProtectProc ProcSubset ProtectClock
    ProtectControlGroups ProtectHostname ProtectKernelLogs ProtectKernelModules
    ProtectKernelTunables KeyringMode SystemCallArchitectures ReadWritePaths
    NonBlocking Sockets""".split()

libc = ctypes.CDLL(None, use_errno=True)


class Rule(ctypes.Structure):
    _fields_ = [("arg", ctypes.c_uint), ("op", ctypes.c_int),
                ("a", ctypes.c_uint64), ("b", ctypes.c_uint64)]


def must(result, what):
    if result < 0:
        number = ctypes.get_errno() or -result
        raise OSError(number, os.strerror(number), what)


def service(path):
    """The lines of [Service] as (key, value), in their order."""
    section, found = "", []
    with open(path) as unit:
        for line in unit:
            line = line.strip()
            if line.startswith("["):
                section = line
            elif section == "[Service]" and line and line[0] not in "#;":
                key, value = line.split("=", 1)
                found.append((key.strip(), value.strip()))
    return found


# --- files ----------------------------------------------------------------------

def mount(source, target, kind, flags, options=None):
    text = [None if one is None else str(one).encode() for one in (source, target, kind)]
    must(libc.mount(*text, ctypes.c_ulong(flags), options), "mount on %s" % target)


def mounts():
    with open("/proc/self/mountinfo") as table:
        return [re.sub(r"\\([0-7]{3})", lambda m: chr(int(m.group(1), 8)), line.split()[4])
                for line in table]


def read_only(writable):
    """Everything that is mounted, but for these directories."""
    for path in writable:
        mount(path, path, None, MS_BIND)
    for path in mounts():
        if path in writable + ["/tmp"] or path.startswith(("/proc", "/dev", "/sys")):
            continue
        try:
            mount(None, path, None, MS_REMOUNT | MS_BIND | MS_RDONLY)
        except OSError as error:
            if error.errno not in (errno.EINVAL, errno.ENOENT):   # hidden below another
                raise


def empty(path):
    if os.path.isdir(path):
        mount("tmpfs", path, "tmpfs", MS_NODEV | MS_NOSUID, b"mode=755")


def private_tmp(scratch):
    """/tmp is the program's own, but for the test's files."""
    hold = os.open(scratch, os.O_PATH)
    mount("tmpfs", "/tmp", "tmpfs", MS_NODEV | MS_NOSUID, b"mode=1777")
    os.makedirs(scratch, exist_ok=True)
    if os.path.samestat(os.stat(scratch), os.stat("/proc/self/fd/%d" % hold)):
        return   # it is not in /tmp
    for up in iter_up(scratch):
        os.chmod(up, 0o755)
    mount("/proc/self/fd/%d" % hold, scratch, None, MS_BIND | MS_REC)
    os.close(hold)


def iter_up(path):
    while path not in ("/", "/tmp"):
        yield path
        path = os.path.dirname(path)


def devices():
    os.mkdir("/tmp/.dev", 0o755)
    mount("tmpfs", "/tmp/.dev", "tmpfs", MS_NOSUID, b"mode=755")
    for name in ("null", "zero", "full", "random", "urandom", "log"):
        real = "/dev/" + name
        if os.path.exists(real):
            open("/tmp/.dev/" + name, "w").close()
            mount(os.path.realpath(real), "/tmp/.dev/" + name, None, MS_BIND)
    mount("/tmp/.dev", "/dev", None, MS_BIND | MS_REC)


# --- rights -----------------------------------------------------------------------

def bound(keep):
    for number, name in enumerate(CAPABILITIES):
        if "CAP_" + name not in keep:
            if libc.prctl(PR_CAPBSET_DROP, number, 0, 0, 0) < 0:
                assert ctypes.get_errno() == errno.EINVAL, name   # newer than this kernel


def syscall_set(name):
    """The calls of a set, as systemd itself resolves it."""
    if not name.startswith("@"):
        return {name}
    text = subprocess.run(["systemd-analyze", "--no-pager", "syscall-filter", name], check=True,
                          stdout=subprocess.PIPE, env={"PATH": os.environ["PATH"]}).stdout.decode()
    calls = set()
    for line in text.splitlines()[1:]:
        if line.strip() and not line.strip().startswith("#"):
            calls |= syscall_set(line.strip())
    return calls


class Filter:
    """A seccomp filter, by libseccomp."""

    def __init__(self, default):
        self.lib = ctypes.CDLL("libseccomp.so.2")
        self.lib.seccomp_init.restype = ctypes.c_void_p
        self.ctx = ctypes.c_void_p(self.lib.seccomp_init(ctypes.c_uint32(default)))
        must(self.lib.seccomp_attr_set(self.ctx, SCMP_FLTATR_CTL_NNP, 0), "seccomp_attr_set")

    def add(self, action, call, *tests):
        number = self.lib.seccomp_syscall_resolve_name(call.encode())
        if number != -1:
            array = (Rule * len(tests))(*tests)
            rc = self.lib.seccomp_rule_add_array(self.ctx, ctypes.c_uint32(action), number,
                                                 len(tests), array)
            if rc not in (0, -errno.EDOM, -errno.EINVAL):   # not of this machine
                must(rc, call)

    def load(self):
        must(self.lib.seccomp_load(self.ctx), "seccomp_load")


def refuse(number):
    return 0x00050000 | number


def call_filter(values):
    allowed = set()
    for value in values:
        names = set().union(*(syscall_set(name) for name in value.lstrip("~").split()))
        allowed = allowed - names if value.startswith("~") else allowed | names
    allowed |= syscall_set("@default")
    one = Filter(refuse(errno.EPERM))
    for name in sorted(allowed):
        one.add(SCMP_ACT_ALLOW, name)
    return one


def other_filter(directives):
    one = Filter(SCMP_ACT_ALLOW)
    for family in range(FAMILIES_MAX):
        if family not in [FAMILIES[name] for name in
                          directives.get("RestrictAddressFamilies", "").split()]:
            one.add(refuse(errno.EAFNOSUPPORT), "socket", Rule(0, SCMP_CMP_EQ, family, 0))
    for call, arg in (("chmod", 1), ("fchmod", 1), ("fchmodat", 2), ("mkdir", 1), ("mkdirat", 2)):
        for bit in (0o4000, 0o2000):
            one.add(refuse(errno.EPERM), call, Rule(arg, SCMP_CMP_MASKED_EQ, bit, bit))
    if directives.get("MemoryDenyWriteExecute") == "yes":
        one.add(refuse(errno.EPERM), "mmap",
                Rule(2, SCMP_CMP_MASKED_EQ, PROT_WRITE | PROT_EXEC, PROT_WRITE | PROT_EXEC))
        for call in ("mprotect", "pkey_mprotect"):
            one.add(refuse(errno.EPERM), call, Rule(2, SCMP_CMP_MASKED_EQ, PROT_EXEC, PROT_EXEC))
    for call in ("unshare", "setns"):
        one.add(refuse(errno.EPERM), call)
    return one


def main():
    path, scratch, *program = sys.argv[1:]
    lines = service(path)
    directives = dict(lines)
    known = """CapabilityBoundingSet NoNewPrivileges ProtectSystem ProtectHome PrivateTmp
        PrivateDevices RestrictAddressFamilies RestrictSUIDSGID RestrictNamespaces
        SystemCallFilter SystemCallErrorNumber MemoryDenyWriteExecute UMask""".split() + ELSEWHERE
    unknown = [key for key in directives if key not in known]
    assert not unknown, "directives that inunit.py does not know: %r" % unknown
    assert directives["ProtectSystem"] == "strict" and directives["UMask"] == "0077"
    # What needs the machine's programs and files, first.
    opened = os.open(program[0], os.O_RDONLY)
    calls = call_filter([value for key, value in lines if key == "SystemCallFilter"])
    others = other_filter(directives)
    must(libc.unshare(CLONE_NEWNS), "unshare")
    mount(None, "/", None, MS_REC | MS_PRIVATE)
    private_tmp(scratch)
    devices()
    for home in ("/home", "/root"):
        empty(home)
    read_only([os.path.join(scratch, name) for name in ("run", "spool", "quarantine", "runs")
               if os.path.isdir(os.path.join(scratch, name))])
    os.umask(0o077)
    bound(directives["CapabilityBoundingSet"].split())
    if directives.get("NoNewPrivileges") == "yes":
        must(libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "no_new_privs")
    others.load()
    calls.load()
    os.execve(opened, program, os.environ)   # also one that is in /tmp


if __name__ == "__main__":
    main()
