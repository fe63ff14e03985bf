"""What a virtual machine boots from: a host's layers, a kernel, SELinux's policy and AppArmor."""

from __future__ import annotations

import os
import subprocess
import tempfile
from pathlib import Path

from tests.lab.cache import built_once, prune
from tests.lab.images import digest_of, layer_with, layers

AGENT = Path(__file__).with_name("virtual_agent.py")
SIZE = "3G"
SERVICE = """
[Unit]
DefaultDependencies=no
After=systemd-udevd.service systemd-remount-fs.service
[Service]
Type=exec
ExecStartPre=/bin/sh -c "until test -e /dev/virtio-ports/lab; do sleep 0.2; done"
ExecStart=/usr/bin/python3 /usr/local/libexec/lab-agent
SELinuxContext=-unconfined_u:unconfined_r:unconfined_t:s0
[Install]
WantedBy=sysinit.target
"""
# What is masked costs an emulated machine minutes.
INSTALL = """
export DEBIAN_FRONTEND=noninteractive
apt-get -q update
apt-get -q install --yes --no-install-recommends apparmor auditd initramfs-tools \
  linux-image-cloud-amd64 policycoreutils-python-utils selinux-policy-default selinux-utils
rm -rf /var/cache/apt/archives/*.deb /var/lib/apt/lists/*
sed -i 's/^SELINUX=.*/SELINUX=enforcing/' /etc/selinux/config
echo '/dev/vda / ext4 defaults 0 1' >/etc/fstab
install -D -m 0644 /mnt/virtual_agent.py /usr/local/libexec/lab-agent
install -m 0644 /mnt/lab-agent.service /etc/systemd/system/lab-agent.service
systemctl enable lab-agent.service
for unit in getty@tty1.service serial-getty@ttyS0.service systemd-logind.service \
            e2scrub_reap.service modprobe@drm.service; do
  ln -sf /dev/null "/etc/systemd/system/$unit"
done
"""
# setfiles relabels by the policy's table, also under a kernel that has no SELinux.
MAKE_DISK = """
mount -t overlay overlay -o "lowerdir=$below,upperdir=$changes,workdir=$work,volatile" "$root"
mount -t proc proc "$root/proc"
chroot "$root" setfiles -e /proc /etc/selinux/default/contexts/files/file_contexts /
umount "$root/proc"
mke2fs -q -F -t ext4 -d "$root" "$disk" "$size"
cp "$root"/boot/vmlinuz-* "$kernel"
cp "$root"/boot/initrd.img-* "$initrd"
"""


def virtual_image() -> Path:
    """A folder with `disk`, `kernel` and `initrd`; all of it but the tool itself."""
    _, dependencies, base = layers()
    below = [dependencies, base]

    def build(folder: Path) -> None:
        print("tests: building the disk of a virtual machine, once (some minutes)", flush=True)
        with tempfile.TemporaryDirectory(dir=folder) as at:
            mnt = Path(at, "mnt")
            mnt.mkdir()
            (mnt / AGENT.name).write_bytes(AGENT.read_bytes())
            (mnt / "lab-agent.service").write_text(SERVICE)
            layer_with(INSTALL, Path(at, "layer"), below, mnt)
            _make_disk([Path(at, "layer"), *below], folder, Path(at))

    parts = (base.parent.name, dependencies.parent.name, INSTALL, SERVICE, MAKE_DISK, SIZE)
    found = built_once(f"virtual-{digest_of(*parts, AGENT.read_text())}", build)
    prune("virtual", unused_days=30)
    return found


def _make_disk(below: list[Path], folder: Path, scratch: Path) -> None:
    named = {name: scratch / name for name in ("changes", "work", "root")}
    for path in named.values():
        path.mkdir(mode=0o755)
    files = {name: folder / name for name in ("disk", "kernel", "initrd")}
    variables = {name: str(path) for name, path in {**named, **files}.items()}
    subprocess.run(
        ["unshare", "--mount", "--propagation=private", "sh", "-euc", MAKE_DISK],
        env={**os.environ, **variables, "below": ":".join(map(str, below)), "size": SIZE},
        check=True,
    )
