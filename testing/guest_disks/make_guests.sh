#!/bin/sh
# Makes two small guests, which verify the hashes of their own files when they start, and say so on
# their serial console: make_guests.sh FOLDER KERNEL.deb
#
#   FOLDER/bios.raw   MBR: FAT16 with syslinux, kernel and initramfs; ext4 with files
#   FOLDER/uefi.raw   GPT: EFI system partition with a unified kernel image; ext4 with files
#
# Nothing is mounted, and nothing outside of FOLDER is written to.
set -eu
cd "$1"
package=$2
stub=/usr/lib/systemd/boot/efi/linuxx64.efi.stub
boot_code=/usr/lib/syslinux/mbr/mbr.bin

# --- the kernel, and what it needs to find a disk on IDE, SATA and virtio ---------------------------
mkdir kernel initramfs initramfs/bin initramfs/modules
dpkg-deb --fsys-tarfile "$package" | tar -x -C kernel --wildcards ./boot/vmlinuz-* \
    '*/drivers/ata/*' '*/drivers/scsi/*' '*/drivers/virtio/*'
mv kernel/boot/vmlinuz-* vmlinuz
for module in scsi_common scsi_mod sd_mod libata ata_piix libahci ahci \
    virtio virtio_ring virtio_pci_legacy_dev virtio_pci_modern_dev virtio_pci virtio_scsi; do
    find kernel -name "$module.ko" -exec cp {} initramfs/modules/ \;
done
cp /bin/busybox initramfs/bin/busybox
cat >initramfs/init <<'INIT'
#!/bin/busybox sh
/bin/busybox mkdir -p /proc /sys /dev /data
/bin/busybox --install -s /bin
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
exec >/dev/ttyS0 2>&1
# Each of them needs others first: those that are left are tried again.
for round in 1 2 3 4 5; do
    for module in /modules/*; do insmod "$module" 2>/dev/null && rm "$module"; done
done
tries=0
while [ ! -e /dev/sda2 ] && [ $tries -lt 100 ]; do
    tries=$((tries + 1))
    sleep 0.1
done
firmware=bios
[ -d /sys/firmware/efi ] && firmware=efi
mount -t ext4 -o ro /dev/sda2 /data
cd /data
sha256sum -c SHA256SUMS >/result 2>&1
echo "LIFEBOAT-GUEST firmware=$firmware good=$(grep -c ': OK$' /result) bad=$(grep -vc ': OK$' /result)"
poweroff -f
INIT
chmod +x initramfs/init
(cd initramfs && find . | cpio --quiet -o -H newc -R 0:0 | gzip -1) >initrd

# --- files to verify ---------------------------------------------------------------------------------
mkdir files files/many
for number in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
    head -c $((number * 1117)) /dev/urandom >files/many/$number
done
head -c 5000017 /dev/urandom >files/large
head -c 3000000 /dev/zero >files/zeros
(cd files && find . -type f | sort | xargs sha256sum) >sums
mv sums files/SHA256SUMS
truncate -s 32M ext4.img
mkfs.ext4 -q -F -d files ext4.img

# Puts FILE at MiB into a disk: put FILE DISK MIB.
put() { dd if="$1" of="$2" bs=1M seek="$3" conv=notrunc,sparse status=none; }

# --- generation 1: BIOS, MBR -------------------------------------------------------------------------
truncate -s 82M bios.raw
printf 'label: dos\nstart=1MiB, size=48MiB, type=6, bootable\nstart=49MiB, size=32MiB, type=83\n' |
    sfdisk -q bios.raw
truncate -s 48M fat.img
mkfs.vfat -F 16 fat.img >/dev/null
cat >syslinux.cfg <<'CONFIGURATION'
DEFAULT guest
PROMPT 0
LABEL guest
 LINUX /vmlinuz
 INITRD /initrd
 APPEND console=ttyS0 panic=-1 quiet
CONFIGURATION
mcopy -i fat.img vmlinuz initrd syslinux.cfg ::/
syslinux --install fat.img
put fat.img bios.raw 1
put ext4.img bios.raw 49
dd if=$boot_code of=bios.raw bs=440 count=1 conv=notrunc status=none

# --- generation 2: UEFI, GPT -------------------------------------------------------------------------
truncate -s 98M uefi.raw
printf 'label: gpt\nstart=1MiB, size=64MiB, type=U\nstart=65MiB, size=32MiB, type=L\n' | sfdisk -q uefi.raw
printf 'console=ttyS0 panic=-1 quiet' >cmdline
printf 'ID=guest\n' >osrel
# Sections behind those of the stub, at places that leave room for each.
objcopy --add-section .osrel=osrel --change-section-vma .osrel=0x20000 \
    --add-section .cmdline=cmdline --change-section-vma .cmdline=0x30000 \
    --add-section .linux=vmlinuz --change-section-vma .linux=0x2000000 \
    --add-section .initrd=initrd --change-section-vma .initrd=0x4000000 "$stub" uki.efi
truncate -s 64M esp.img
mkfs.vfat -F 32 esp.img >/dev/null
mmd -i esp.img ::/EFI ::/EFI/BOOT
mcopy -i esp.img uki.efi ::/EFI/BOOT/BOOTX64.EFI
put esp.img uefi.raw 1
put ext4.img uefi.raw 65

rm -rf kernel initramfs files fat.img esp.img ext4.img uki.efi
