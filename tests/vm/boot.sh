#!/bin/busybox sh
# shellcheck shell=dash
# SPDX-License-Identifier: Apache-2.0
# The guest's first program: mounts the host's files below an overlay and hands over to systemd.
b=/bin/busybox
$b mount -t proc proc /proc
$b mount -t sysfs sys /sys
$b mount -t devtmpfs dev /dev
for module in $($b cat /m/order); do
    $b insmod "/m/$module.ko"
done
$b mount -t virtiofs -o ro root /host
$b mount -t tmpfs -o mode=755 top /top
$b mkdir /top/upper /top/work
if ! $b mount -t overlay -o lowerdir=/host,upperdir=/top/upper,workdir=/top/work overlay /new; then
    exec $b poweroff -f
fi

# Folders that are mounts on the host are empty here.
$b mkdir -p /new/proc /new/sys /new/dev /new/run /new/tmp /new/var/tmp
$b mount -t tmpfs -o mode=1777 tmp /new/tmp
$b mount -t tmpfs -o mode=1777 tmp /new/var/tmp
$b mkdir -p /new/run-vm
$b cp /guest.sh /environment /kanmon /new/run-vm/
echo >/new/etc/fstab
$b rm -f /new/.dockerenv # in a container systemd does not read the kernel's command line
units=/new/etc/systemd/system
$b mkdir -p $units
$b cat >$units/kanmon-vm.target <<END
[Unit]
Description=The tests, and nothing of what the host runs
Requires=basic.target dbus.service kanmon-vm.service
After=basic.target
AllowIsolate=yes
END
$b cat >$units/kanmon-vm.service <<END
[Unit]
Description=The tests
After=basic.target dbus.service
[Service]
Type=oneshot
TimeoutStartSec=infinity
EnvironmentFile=/run-vm/environment
ExecStart=/bin/bash /run-vm/guest.sh
StandardInput=tty
StandardOutput=tty
StandardError=tty
TTYPath=/dev/ttyS0
END
$b umount /proc /sys
exec $b switch_root /new /lib/systemd/systemd
