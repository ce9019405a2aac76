#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# bochs.sh FOLDER KERNEL FILE... <SCRIPT: runs a shell script on an emulated x86 CPU that has AVX-512, whatever this one
# has: qemu emulates no AVX-512, Bochs does (a Skylake-X), but no process alone, so Linux boots there. KERNEL is a
# vmlinuz; FILEs are what the script uses, at the paths they have here, programs with their libraries. Prints what the
# script prints and exits as it does. FOLDER is for its own files. About 35 million instructions a second; booting takes
# a minute.
set -euo pipefail

work=$1 kernel=$2
shift 2
rm -rf "$work"
mkdir -p "$work"
work=$(realpath "$work")
guest_root=$work/guest
mkdir -p "$guest_root"/{bin,dev,proc,sys,tmp} "$work/iso/boot/grub"

# guest FILE...: into the guest's root, links resolved.
guest() {
  local file
  for file in "$@"; do
    mkdir -p "$guest_root$(dirname "$file")"
    cp -L "$file" "$guest_root$file"
  done
}
for file in "$@"; do
  file=$(realpath "$file")
  guest "$file"
  if libraries=$(ldd "$file" 2>/dev/null); then guest $(grep -o '/[^ ]*' <<<"$libraries"); fi
done
cp /bin/busybox "$guest_root/bin/"
cat >"$guest_root/script"
cat >"$guest_root/init" <<'INIT'
#!/bin/busybox sh
/bin/busybox mkdir -p /sbin /usr/bin /usr/sbin
/bin/busybox --install -s
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
exec >/dev/ttyS0 2>&1
echo "script begins"
sh /script
echo "script exits $?"
sleep 2  # the serial line is slow
poweroff -f
INIT
chmod +x "$guest_root/init"
(cd "$guest_root" && find . | cpio -o -H newc --quiet | gzip -1 >"$work/iso/boot/initrd.gz")
cp "$kernel" "$work/iso/boot/vmlinuz"
# Bochs and Linux disagree on the size of compacted register states, and Linux then does without AVX.
cat >"$work/iso/boot/grub/grub.cfg" <<'GRUB'
set timeout=0
menuentry tests {
  linux /boot/vmlinuz console=ttyS0 quiet panic=-1 mitigations=off tsc=reliable random.trust_cpu=on noxsaves clearcpuid=xsavec
  initrd /boot/initrd.gz
}
GRUB
grub-mkrescue -o "$work/disk.iso" "$work/iso" >"$work/grub.log" 2>&1 || { cat "$work/grub.log" >&2; exit 1; }

# Sound drivers of Debian's Bochs crash without a sound card. Its debugger wants to be told to continue.
cat >"$work/bochsrc" <<BOCHS
config_interface: textconfig
display_library: term
cpu: model=corei7_skylake_x, ips=100000000, reset_on_triple_fault=0, ignore_bad_msrs=1
memory: guest=1024, host=1024
romimage: file=/usr/share/bochs/BIOS-bochs-latest, options=fastboot
vgaromimage: file=/usr/share/vgabios/vgabios.bin
ata0-master: type=cdrom, path="$work/disk.iso", status=inserted
boot: cdrom
com1: enabled=1, mode=file, dev="$work/serial"
log: "$work/bochs.log"
panic: action=fatal
error: action=ignore
info: action=ignore
clock: sync=none
sound: driver=dummy
BOCHS
echo c >"$work/debugger"
: >"$work/serial"
# Powering off is a panic to Bochs, so its exit code says nothing. `script` gives it the terminal that it wants.
TERM=linux script -qc "exec bochs-bin -q -f '$work/bochsrc' -rc '$work/debugger'" "$work/terminal" </dev/null >/dev/null 2>&1 &
bochs=$!

# The screen goes to a terminal that Bochs opens by itself. Nobody looks at it, but unless somebody reads, Bochs waits
# for room in it after six minutes, for ever.
read_screen() {
  local child terminal=
  until [[ -n $terminal ]]; do
    sleep 1
    child=$(<"/proc/$bochs/task/$bochs/children") || return 0
    terminal=$(sed -n 's/^tty-index:[[:space:]]*//p' "/proc/${child% }/fdinfo/"* 2>/dev/null) || true
  done
  exec cat "/dev/pts/$terminal" >/dev/null 2>&1
}
read_screen &
trap 'kill $bochs $! 2>/dev/null || true' EXIT
tail -n +1 -f --pid=$bochs "$work/serial" | sed -u '1,/^script begins/d; s/\r$//; s/\[ *[0-9.]*\] reboot: Power down$//; /^script exits/d'
code=$(tr -d '\r' <"$work/serial" | sed -n 's/^script exits \([0-9]*\).*/\1/p')
[[ -n $code ]] || { echo "bochs.sh: the script did not end; see $work" >&2; tail -n 3 "$work/bochs.log" >&2; exit 1; }
exit "$code"
