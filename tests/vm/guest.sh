# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# In the guest, as a unit of systemd: the tests, each gateway in a scope that was delegated to it.
# Prints "=== end PASSED FAILED" and turns the machine off.
stty -F /dev/ttyS0 -onlcr cols 200
ip link set lo up
cd "$KM_VM_ROOT" || exit
mkdir -p /tmp/bin
# What a service gets from Delegate=yes.  exec: the process is the one that was started.
cat >/tmp/bin/kanmon <<END
#!/bin/sh
exec /usr/bin/systemd-run --quiet --scope -p Delegate=yes /run-vm/kanmon "\$@"
END
chmod +x /tmp/bin/kanmon
export KANMON_BINARY=/tmp/bin/kanmon KANMON_SLOW=6

if [ "$KM_VM_MODE" = shell ]; then
    export TERM=linux
    setsid -c bash -i
    poweroff -f
fi
echo "=== begin"
uname -r
echo "controllers: $(cat /sys/fs/cgroup/cgroup.controllers)"
echo "security modules: $(cat /sys/kernel/security/lsm)"
# What must be so here, or the tests below prove less than they say.
/tmp/bin/kanmon doctor --config examples/minimal.yaml 2>/dev/null | grep -E 'sandbox|memory limits'
if ! /tmp/bin/kanmon doctor --config examples/minimal.yaml 2>/dev/null |
    grep -q "limits.memory is the kernel's"; then
    echo "the memory controller was not handed on"
    echo "=== end 0 1"
    poweroff -f
fi
log=/tmp/pytest.log
(cd tests/mcp && "$KM_PYTHON" -m pytest -q --tb=short -rfE -p no:cacheprovider \
    ${KM_VM_WORDS:+-k "$KM_VM_WORDS"} test_sandbox.py \
    test_upstreams.py::test_a_server_over_its_memory_is_ended_and_said_so \
    test_doctor.py::test_nothing_wrong_is_exit_0_and_warnings_only_when_asked) 2>&1 | tee $log
journalctl -k --no-pager 2>/dev/null | grep -c 'Memory cgroup out of memory' |
    sed 's/$/ processes ended by the kernel for want of memory/'
. scripts/lib/pytest.sh
echo "=== end $(km_pytest_count $log)"
poweroff -f
