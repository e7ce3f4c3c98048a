#!/bin/sh
# Has a Linux kernel make arrays, volume groups and encrypted volumes, fill them, and say what it reads
# of them: make_arrays.sh FOLDER KERNEL.deb PASSWORD
#
#   FOLDER/disk-a.raw …   the disks, as they are when the machine is switched off
#   FOLDER/said           "ORACLE name bytes sha256" for each volume, then ORACLE-DONE
#
# Nothing of this machine's kernel is used, and nothing outside of FOLDER is written to.
set -eu
cd "$1"
package=$2
password=$3
mkdir kernel initramfs initramfs/bin initramfs/sbin initramfs/modules
dpkg-deb --fsys-tarfile "$package" | tar -x -C kernel --wildcards ./boot/vmlinuz-* \
    '*/drivers/md/*' '*/drivers/block/*' '*/drivers/virtio/*' '*/crypto/*' '*/lib/*'
for module in virtio virtio_ring virtio_pci_legacy_dev virtio_pci_modern_dev virtio_pci virtio_blk \
    libcrc32c crc32c_generic raid6_pq xor async_xor async_tx async_raid6_recov async_pq async_memcpy \
    md-mod raid0 raid1 raid10 linear raid456 \
    dm-mod dm-log dm-region-hash dm-mirror dm-raid dm-bufio dm-persistent-data dm-bio-prison \
    dm-thin-pool dm-snapshot dm-crypt ecb xts; do
    find kernel -name "$module.ko" -exec cp {} initramfs/modules/ \;
done
cp /bin/busybox initramfs/bin/
programs='/sbin/mdadm /sbin/lvm /sbin/sfdisk /sbin/cryptsetup'
printf %s "$password" >initramfs/key
cp -L $programs initramfs/sbin/
# Argon2 ends its threads through libgcc, which no program names.
libgcc=$(ldconfig -p | awk '/libgcc_s.so.1.*x86-64/ { print $NF; exit }')
{ echo "$libgcc" && ldd $programs | awk '/=>/ { print $3 } /ld-linux/ { print $1 }'; } | sort -u | while read -r library; do
    mkdir -p "initramfs$(dirname "$library")"
    cp -L "$library" "initramfs$library"
done

cat >initramfs/init <<'INIT'
#!/bin/busybox sh
/bin/busybox mkdir -p /proc /sys /dev /run /tmp /etc/lvm /var/lock
/bin/busybox --install -s /bin
export PATH=/sbin:/bin
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
exec >/dev/ttyS0 2>&1
# Each of them needs others first: those that are left are tried again.
for round in 1 2 3 4 5 6; do
    for module in /modules/*; do insmod "$module" 2>/dev/null && rm "$module"; done
done
tries=0
while [ ! -e /dev/vdaa ] && [ $tries -lt 300 ]; do
    tries=$((tries + 1))
    sleep 0.1
done
export LVM_SUPPRESS_FD_WARNINGS=1
cat >/etc/lvm/lvm.conf <<CONFIGURATION
devices { dir="/dev" scan=["/dev"] use_devicesfile=0 obtain_device_list_from_udev=0 external_device_info_source="none" }
activation { udev_sync=0 udev_rules=0 monitoring=0 }
global { use_lvmpolld=0 event_activation=0 }
backup { backup=0 archive=0 }
CONFIGURATION
fill() { dd if=/dev/urandom of="$1" bs=64k conv=fsync 2>/dev/null; }
# said NAME DEVICE
said() {
    sync
    echo 3 >/proc/sys/vm/drop_caches
    echo "ORACLE $1 $(blockdev --getsize64 "$2") $(sha256sum "$2" | cut -d' ' -f1)"
}
# array NUMBER ARGUMENTS…
array() {
    number=$1
    shift
    mdadm --create "/dev/md$number" --run --quiet "$@" </dev/null || echo "FAILED md$number"
    fill "/dev/md$number"
    said "md$number" "/dev/md$number"
}
array 10 --level=1 --assume-clean --raid-devices=2 --metadata=1.2 /dev/vda /dev/vdb
# Two kernels laid out the zones behind the first in two ways.
array 11 --level=0 --raid-devices=3 --chunk=64 --layout=alternate /dev/vdc /dev/vdd /dev/vde
array 12 --level=0 --raid-devices=3 --chunk=64 --layout=original /dev/vdf /dev/vdg /dev/vdh
array 13 --level=linear --raid-devices=2 --metadata=1.0 /dev/vdi /dev/vdj
array 14 --level=10 --assume-clean --layout=n2 --chunk=32 --raid-devices=3 --metadata=1.1 /dev/vdk /dev/vdl /dev/vdm
array 15 --level=1 --assume-clean --raid-devices=2 --metadata=0.90 /dev/vdn1 /dev/vdo1
# The first member is behind: what was written since is on the second one alone.
array 16 --level=1 --assume-clean --raid-devices=2 --metadata=1.2 --bitmap=none /dev/vdp /dev/vdq | sed s/ORACLE/BEFORE/
mdadm --quiet /dev/md16 --fail /dev/vdp
mdadm --quiet /dev/md16 --remove /dev/vdp
fill /dev/md16
said md16 /dev/md16
array 17 --level=5 --assume-clean --chunk=64 --raid-devices=3 /dev/vdr /dev/vds /dev/vdt

lvm pvcreate -q /dev/vdu /dev/vdv /dev/vdw
lvm vgcreate -q -s 1m vg-a /dev/vdu /dev/vdv /dev/vdw
new() { lvm lvcreate -q -y -Wn -Zn "$@"; }
new -L 5m -n linear vg-a
new -L 6m -i 3 -I 16k -n striped vg-a
new -L 2m -n other vg-a
lvm lvextend -q -L 22m vg-a/linear
new --type raid1 -m 1 -L 3m -n raid_one vg-a
new --type mirror --mirrorlog core -m 1 -L 2m -n old-mirror vg-a
new -T -L 4m -V 20m -n thin vg-a/pool
for volume in linear striped other raid_one old-mirror; do
    fill "/dev/vg-a/$volume"
    said "vg--a-$(echo $volume | sed s/-/--/g)" "/dev/vg-a/$volume"
done
lvm lvcreate -q -y -s -L 2m -n snapped vg-a/other

# Partitions in an array, and a group in one of them.
mdadm --create /dev/md18 --run --quiet --assume-clean --level=1 --raid-devices=2 --name=root --homehost=guest /dev/vdx /dev/vdy </dev/null
printf 'label: gpt\nsize=4MiB, name=first\nname=second\n' | sfdisk -q /dev/md18
sleep 1
fill /dev/md18p1
said md-root.1 /dev/md18p1
lvm pvcreate -q /dev/md18p2
lvm vgcreate -q -s 1m inner /dev/md18p2
new -l 100%FREE -n lv inner
fill /dev/inner/lv
said inner-lv /dev/inner/lv

# Encrypted, with sectors of both sizes; a group in one of them.
number=0
for disk in z aa; do
    cryptsetup open --disable-locks --key-file /key /dev/vd$disk clear$number || echo "FAILED $disk"
    number=$((number + 1))
done
fill /dev/mapper/clear0
said luks-z /dev/mapper/clear0
lvm pvcreate -q /dev/mapper/clear1
lvm vgcreate -q -s 1m secret /dev/mapper/clear1
new -l 100%FREE -n lv secret
fill /dev/secret/lv
said secret-lv /dev/secret/lv
said luks-aa /dev/mapper/clear1
sync
echo ORACLE-DONE
poweroff -f
INIT
chmod +x initramfs/init
(cd initramfs && find . | cpio --quiet -o -H newc -R 0:0 | gzip -1) >initrd

set --
for disk in a:6 b:6 c:4 d:6 e:8 f:4 g:6 h:8 i:4 j:6 k:5 l:5 m:5 n:5 o:5 p:4 q:4 r:4 s:4 t:4 u:24 v:24 w:24 x:14 y:14 z:20 aa:24; do
    name=${disk%:*}
    truncate -s "${disk#*:}M" "disk-$name.raw"
    set -- "$@" -drive "file=disk-$name.raw,format=raw,if=none,id=$name,cache=unsafe" -device "virtio-blk-pci,drive=$name"
done
# To the end of the disk: the old superblock could be the disk's as well.
for name in n o; do
    printf 'label: dos\nstart=1MiB, type=fd\n' | sfdisk -q "disk-$name.raw"
done
luks() { cryptsetup luksFormat --batch-mode --type luks2 --key-file initramfs/key "$@"; }
luks --sector-size 512 --pbkdf argon2id --pbkdf-memory 64 --pbkdf-parallel 2 --pbkdf-force-iterations 4 disk-z.raw
luks --pbkdf pbkdf2 --pbkdf-force-iterations 1000 --sector-size 4096 disk-aa.raw

timeout 540 qemu-system-x86_64 -accel tcg,tb-size=256 -cpu max -M pc -m 512 -nodefaults -display none \
    -no-reboot -serial stdio -net none -kernel kernel/boot/vmlinuz-* -initrd initrd \
    -append "console=ttyS0 panic=-1 quiet" "$@" </dev/null >console
tr -d '\r' <console | grep -aE '^(ORACLE|FAILED)' >said
rm -rf kernel initramfs initrd
